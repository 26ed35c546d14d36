/// Durations as people write them.
public enum DurationText {
  /// Seconds of `500ms`, `30s`, `5m`, `2h`, `1d`, or a number of seconds; nil for anything else, and past 1e9 seconds.
  public static func seconds(_ text: String) -> Double? {
    let units: [(String, Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]
    let (digits, factor) =
      units.first { text.hasSuffix($0.0) }.map { (String(text.dropLast($0.0.count)), $0.1) } ?? (text, 1)
    let isPlain = digits.utf8.allSatisfy { 48...57 ~= $0 || $0 == 46 }
    guard isPlain, let number = Double(digits), number.isFinite, number * factor <= 1e9 else { return nil }
    return number * factor
  }
}
