import Testing

@testable import SpoolFormat

@Suite struct DurationTextTests {
  @Test(arguments: [
    ("30", 30), ("0.5", 0.5), ("500ms", 0.5), ("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86400), ("1w", 604_800),
    ("1h30m", 5400), ("1m0.5s", 60.5), ("1d12h", 129_600), ("0", 0), ("11574d", 999_993_600), ("11575d", nil),
    ("", nil), ("m", nil),
    ("1h30", nil),
    ("1.2.3s", nil), ("-1s", nil), ("1 h", nil), ("1y", nil), ("1H", nil), ("30s ", nil), ("1e3s", nil), (".", nil),
  ])
  func `durations are read as people write them`(text: String, seconds: Double?) {
    #expect(DurationText.seconds(text) == seconds)
  }
}
