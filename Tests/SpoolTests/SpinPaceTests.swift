import Testing

@testable import Spool

@Suite struct SpinPaceTests {
  private static let (short, long) = (SpinPace.nanoseconds / 2, SpinPace.nanoseconds * 2)

  private static func pace(processors: Int = 2) -> SpinPace {
    var pace = SpinPace()
    pace.processors = processors
    return pace
  }

  /// Short sleeps until spinning is worthwhile, at most 10,000.
  private static func waits(_ pace: inout SpinPace) -> Int {
    for count in 0..<10_000 {
      if pace.isWorthwhile { return count }
      pace.noteSleep(short)
    }
    return 10_000
  }

  @Test func `who has slept for long sleeps again, who was woken soon spins`() {
    var pace = Self.pace()
    #expect(!pace.isWorthwhile)
    pace.noteSleep(Self.long)
    #expect(!pace.isWorthwhile)
    pace.noteSleep(Self.short)
    #expect(pace.isWorthwhile)
    pace.noteSleep(Self.long)
    #expect(!pace.isWorthwhile)
  }

  @Test func `where it keeps failing it is hardly tried any more, and where it succeeds again it is`() {
    var pace = Self.pace()
    var waits: [Int] = []
    for _ in 0..<8 {
      waits.append(Self.waits(&pace))
      pace.noteSpin(hasCome: false)
    }
    #expect(waits == [1, 4, 16, 64, 256, 1024, 4096, 4096])
    _ = Self.waits(&pace)
    for _ in 0..<12 { pace.noteSpin(hasCome: true) }
    #expect(pace.isWorthwhile)
    pace.noteSpin(hasCome: false)
    #expect(Self.waits(&pace) == 4)
  }

  @Test func `on the only processor nobody spins`() {
    var pace = Self.pace(processors: 1)
    for _ in 0..<10 { pace.noteSleep(Self.short) }
    #expect(!pace.isWorthwhile)
  }
}
