import SpoolFormat

/// Two sums of whole numbers for each day (UTC) on which there was something to add: what decays is kept so, and weighed when
/// it is asked for. Kept as decayed sums, it would depend on the order of adding, if only in the last digit.
public struct Days: Sendable, Hashable {
  public struct Pair: Sendable, Hashable {
    public var first = 0
    public var second = 0
  }

  /// By the day's number since 1970.
  private(set) var days: [Int: Pair] = [:]

  /// Days that are kept, counted back from the newest.
  public static let daysMax = 180

  public init() {}

  static func number(_ moment: Timestamp) -> Int { moment.microseconds / 86_400_000_000 }

  mutating func add(_ first: Int, _ second: Int, at moment: Timestamp) {
    add(Pair(first: first, second: second), day: Self.number(moment))
    prune()
  }

  private mutating func add(_ pair: Pair, day: Int) {
    let sum = days[day] ?? Pair()
    days[day] = Pair(
      first: WholeNumber.sum(sum.first, pair.first), second: WholeNumber.sum(sum.second, pair.second))
  }

  private mutating func prune() {
    guard days.count > 1, let newest = days.keys.max(), days.keys.min()! <= newest - Self.daysMax else { return }
    days = days.filter { $0.key > newest - Self.daysMax }
  }

  static func += (left: inout Days, right: Days) {
    for (day, pair) in right.days { left.add(pair, day: day) }
    left.prune()
  }

  /// Each sum with every day's part halved for each half-life that has passed since: exponential decay, by whole days.
  func decayed(halfLifeDays: Double, now: Timestamp) -> (first: Double, second: Double) {
    let today = Self.number(now)
    var (first, second) = (0.0, 0.0)
    // In a fixed order, so that the last digit is the same every time.
    for (day, pair) in days.sorted(by: { $0.key < $1.key }) {
      let weight = power(0.5, Double(max(0, today - day)) / halfLifeDays)
      first += weight * Double(pair.first)
      second += weight * Double(pair.second)
    }
    return (first, second)
  }

  /// An object of days such as `2026-11-21`, each with its two sums.
  init(_ value: JSONValue?) {
    for member in value?.object ?? [:] {
      guard let moment = Timestamp(rfc3339: member.key + "T00:00:00Z"), let sums = member.value.array, sums.count == 2,
        let first = sums[0].int, let second = sums[1].int, 0...(1 << 50) ~= first, 0...(1 << 50) ~= second
      else { continue }
      add(Pair(first: first, second: second), day: Self.number(moment))
    }
    prune()
  }

  func write(to writer: inout JSONWriter) {
    writer.beginObject()
    for (day, pair) in days.sorted(by: { $0.key < $1.key }) {
      writer.key(String(Timestamp(microseconds: day * 86_400_000_000).rfc3339.prefix(10)))
      writer.beginArray()
      writer.int(pair.first)
      writer.int(pair.second)
      writer.endArray()
    }
    writer.endObject()
  }
}

/// `base` to the power of `exponent`, 0 or more, for a base from 0 to 1: by squaring for the whole part and square roots
/// for the rest, to 32 binary places. Pure arithmetic, which gives the same bits everywhere.
func power(_ base: Double, _ exponent: Double) -> Double {
  guard exponent > 0 else { return 1 }
  guard exponent < 2000 else { return 0 }
  var result = 1.0
  var factor = base
  var whole = Int(exponent)
  var rest = exponent - Double(whole)
  while whole > 0 {
    if whole & 1 == 1 { result *= factor }
    factor *= factor
    whole >>= 1
  }
  var root = base
  for _ in 0..<32 where rest > 0 {
    root = root.squareRoot()
    rest *= 2
    if rest >= 1 {
      result *= root
      rest -= 1
    }
  }
  return result
}
