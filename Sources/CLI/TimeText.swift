import Glibc
import SpoolFormat

/// Durations and times as people write and read them.
enum TimeText {
  /// As `DurationText` has them: `500ms`, `30s`, `1h30m`, or a number of seconds; nil for anything else.
  static func duration(_ text: String) -> Double? { DurationText.seconds(text) }

  static func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microseconds: Int(time.tv_sec) * 1_000_000 + Int(time.tv_nsec) / 1000)
  }

  /// As RFC 3339 has it, or as `local` writes it: without an offset it is in this machine's time zone, a date alone its
  /// midnight, and a time alone today's.
  /// - Parameter sign: where what is meant is to come (1), a time alone that is past is tomorrow's, as at(1) has it;
  ///   where it is past (−1), one that is to come is yesterday's.
  static func moment(_ text: String, sign: Double) -> Timestamp? {
    let isTime = text.utf8.dropFirst(2).first == UInt8(ascii: ":")
    guard isTime else { return dated(text) }
    let seconds = now().microseconds / 1_000_000
    func on(_ day: Int) -> Timestamp? { dated("\(date(fields(day))) \(text)") }
    guard let today = on(seconds) else { return nil }
    if sign > 0, today <= now() { return on(day(after: seconds, 1)) }
    if sign < 0, today > now() { return on(day(after: seconds, -1)) }
    return today
  }

  /// Noon, so many days later: one of them may have 23 hours, or 25.
  private static func day(after seconds: Int, _ count: Int) -> Int {
    var day = fields(seconds)
    day.tm_mday += CInt(count)
    (day.tm_hour, day.tm_min, day.tm_sec, day.tm_isdst) = (12, 0, 0, -1)
    return Int(mktime(&day))
  }

  private static func dated(_ whole: String) -> Timestamp? {
    // One that can be given an offset has none.
    guard let utc = Timestamp(rfc3339: whole + "Z") ?? Timestamp(rfc3339: whole + "T00:00Z") else {
      return Timestamp(rfc3339: whole)
    }
    var seconds = time_t(utc.microseconds / 1_000_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    // Whether it is summer there is for mktime to find out.
    parts.tm_isdst = -1
    return Timestamp(microseconds: Int(mktime(&parts)) * 1_000_000 + utc.microseconds % 1_000_000)
  }

  private static func fields(_ seconds: Int) -> tm {
    var seconds = time_t(seconds)
    var result = tm()
    localtime_r(&seconds, &result)
    return result
  }

  private static func two(_ number: CInt) -> String { number < 10 ? "0\(number)" : "\(number)" }
  private static func date(_ day: tm) -> String { "\(day.tm_year + 1900)-\(two(day.tm_mon + 1))-\(two(day.tm_mday))" }

  /// In this machine's time zone: the time alone for today, else with the date.
  static func local(_ moment: Timestamp) -> String {
    let at = fields(moment.microseconds / 1_000_000)
    let today = fields(now().microseconds / 1_000_000)
    let milliseconds = moment.microseconds / 1000 % 1000
    let fraction = String(String(milliseconds + 1000).dropFirst())
    let time = "\(two(at.tm_hour)):\(two(at.tm_min)):\(two(at.tm_sec)).\(fraction)"
    if at.tm_year == today.tm_year, at.tm_yday == today.tm_yday { return time }
    return "\(date(at)) \(time)"
  }

  /// `85 µs`, `1.2 ms`, `3.4 s`, `5 min`, `2 h`, `3 d`.
  static func short(microseconds: Int) -> String {
    switch microseconds {
    case ..<1000: "\(microseconds) µs"
    case ..<1_000_000: "\(tenths(microseconds, 1000)) ms"
    case ..<120_000_000: "\(tenths(microseconds, 1_000_000)) s"
    case ..<7_200_000_000: "\(microseconds / 60_000_000) min"
    case ..<172_800_000_000: "\(microseconds / 3_600_000_000) h"
    default: "\(microseconds / 86_400_000_000) d"
    }
  }

  private static func tenths(_ value: Int, _ unit: Int) -> String {
    let tenths = (value * 10 + unit / 2) / unit
    return tenths >= 1000 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
  }
}
