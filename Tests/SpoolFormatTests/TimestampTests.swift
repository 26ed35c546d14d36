import TestSupport
import Testing

@testable import SpoolFormat

@Suite struct TimestampTests {
  @Test(arguments: [
    (0, "19700101T000000.000000Z", "1970-01-01T00:00:00.000000Z"),
    (1_795_218_312_345_678, "20261120T234512.345678Z", "2026-11-20T23:45:12.345678Z"),
    (951_782_400_000_000, "20000229T000000.000000Z", "2000-02-29T00:00:00.000000Z"),
    (4_107_542_400_000_000, "21000301T000000.000000Z", "2100-03-01T00:00:00.000000Z"),
    (253_402_300_799_999_999, "99991231T235959.999999Z", "9999-12-31T23:59:59.999999Z"),
  ])
  func `a moment has one compact and one RFC 3339 text, and both read back`(
    microseconds: Int, compact: String, rfc3339: String
  ) {
    let moment = Timestamp(microseconds: microseconds)
    #expect(moment.compact == compact)
    #expect(moment.rfc3339 == rfc3339)
    #expect(Timestamp(compact: Array(compact.utf8))?.microseconds == microseconds)
    #expect(Timestamp(rfc3339: rfc3339)?.microseconds == microseconds)
  }

  @Test func `moments at random read back, and their texts sort as they do`() {
    var random = SeededGenerator()
    var moments = (0..<2000).map { _ in
      Timestamp(microseconds: Int.random(in: 0...253_402_300_799_999_999, using: &random))
    }
    for moment in moments {
      #expect(Timestamp(compact: Array(moment.compact.utf8)) == moment, "seed \(random.seed)")
      #expect(Timestamp(rfc3339: moment.rfc3339) == moment, "seed \(random.seed)")
    }
    moments.sort()
    #expect(moments.map(\.compact) == moments.map(\.compact).sorted(), "seed \(random.seed)")
    #expect(Set(moments).count > 1900)
  }

  @Test func `what lies outside of the years 1970 to 9999 is brought to the nearer end`() {
    #expect(Timestamp(microseconds: -1).microseconds == 0)
    #expect(Timestamp(microseconds: .min).compact == "19700101T000000.000000Z")
    #expect(Timestamp(microseconds: .max).compact == "99991231T235959.999999Z")
    let late = Timestamp(microseconds: .max)
    #expect(late.advanced(bySeconds: 1) == late)
    #expect(late.advanced(bySeconds: .infinity) == late)
    #expect(late.advanced(bySeconds: 1e300) == late)
    #expect(late.advanced(bySeconds: -1e300).microseconds == 0)
    #expect(late.advanced(bySeconds: .nan).microseconds == 0)
    #expect(Timestamp(rfc3339: "1970-01-01T00:30:00+01:00")?.microseconds == 0)
    #expect(Timestamp(rfc3339: "9999-12-31T23:30:00-01:00") == late)
  }

  @Test func `advancing and measuring agree`() {
    let moment = Timestamp(microseconds: 1_795_218_312_345_678)
    #expect(moment.advanced(bySeconds: 1.5).microseconds == 1_795_218_313_845_678)
    #expect(moment.advanced(bySeconds: -0.000001).microseconds == 1_795_218_312_345_677)
    #expect(moment.advanced(bySeconds: 90).seconds(since: moment) == 90)
    #expect(moment.seconds(since: moment.advanced(bySeconds: 90)) == -90)
    #expect(moment < moment.advanced(bySeconds: 0.000001))
  }

  @Test(arguments: [
    ("2026-11-20T23:45:12Z", "20261120T234512.000000Z"),
    ("2026-11-20t23:45:12.5z", "20261120T234512.500000Z"),
    ("2026-11-20 23:45:12,25Z", "20261120T234512.250000Z"),
    ("2026-11-20T23:45:12.123456789Z", "20261120T234512.123456Z"),
    ("2026-11-20T23:45Z", "20261120T234500.000000Z"),
    ("2026-11-20", "20261120T000000.000000Z"),
    ("2026-11-20T23:45:12", "20261120T234512.000000Z"),
    ("2026-11-20T23:45:12+02:00", "20261120T214512.000000Z"),
    ("2026-11-20T23:45:12+0530", "20261120T181512.000000Z"),
    ("2026-11-20T23:45:12-08", "20261121T074512.000000Z"),
    ("2024-03-01T00:30:00+01:00", "20240229T233000.000000Z"),
    ("2016-12-31T23:59:60Z", "20170101T000000.000000Z"),
    ("2015-06-30T23:59:60.5Z", "20150701T000000.500000Z"),
  ])
  func `RFC 3339 is read with offsets, decimals and leap seconds`(text: String, compact: String) {
    #expect(Timestamp(rfc3339: text)?.compact == compact)
  }

  @Test(arguments: [
    "", "2026", "2026-11", "20261120", "2026-11-20T", "2026-11-20T23", "2026-13-01", "2026-00-10", "2026-01-00",
    "2026-04-31", "2025-02-29", "1900-02-29", "2100-02-29", "2024-02-30", "1969-12-31T23:59:59Z",
    "2026-11-20T24:00:00Z",
    "2026-11-20T23:60:00Z", "2026-11-20T23:45:61Z", "2026-11-20T23:45:12X", "2026-11-20T23:45:12Z ", " 2026-11-20",
    "2026-11-20T23:45:12+", "2026-11-20T23:45:12+1", "2026-11-20T23:45:12+02:0", "-026-11-20", "２026-11-20", "now",
    "2026-11-20T23:45:12+99:99", "2026-11-20T23:45:12.Z", "2026-04-31T23:59:60Z",
  ])
  func `what is no moment is nil`(text: String) {
    #expect(Timestamp(rfc3339: text) == nil)
  }

  @Test func `leap days are there in leap years only`() {
    for (year, isLeap) in [(1972, true), (1999, false), (2000, true), (2024, true), (2100, false), (2400, true)] {
      #expect((Timestamp(rfc3339: "\(year)-02-29") != nil) == isLeap, "\(year)")
      let day = Timestamp(rfc3339: "\(year)-02-28")
      let next = day?.advanced(bySeconds: 86400).rfc3339.prefix(10)
      #expect(next.map(String.init) == (isLeap ? "\(year)-02-29" : "\(year)-03-01"))
    }
  }

  @Test(arguments: [
    "20261120T234512.345678", "20261120T234512.345678z", "20261120t234512.345678Z", "20261120T234512,345678Z",
    "20261120T234512.34567Z", "20261120T234512.3456780Z", "20261131T234512.345678Z", "20260229T000000.000000Z",
    "20261120T240000.000000Z", "20261120T236000.000000Z", "19691231T235959.999999Z", "2026-11-20T23:45:12.345Z",
    "20261120T235960.000000Z", "20161231T235960.000000Z", "+0261120T234512.345678Z",
  ])
  func `the compact form has no other spelling`(text: String) {
    #expect(Timestamp(compact: Array(text.utf8)) == nil)
  }
}
