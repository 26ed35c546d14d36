/// Durations as people write them.
public enum DurationText {
  private static let units: [(name: String, seconds: Double)] = [
    ("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400), ("w", 604_800),
  ]

  /// Seconds of `500ms`, `30s`, `5m`, `2h`, `1d`, `1w`, of several of these (`1h30m`), or of a number of seconds; nil for
  /// anything else, and past 1e9 seconds.
  public static func seconds(_ text: String) -> Double? {
    var rest = text[...]
    var total = 0.0
    repeat {
      let digits = rest.prefix { "0"..."9" ~= $0 || $0 == "." }
      rest = rest[digits.endIndex...]
      let unit = rest.prefix { $0.isLetter }
      rest = rest[unit.endIndex...]
      // A number alone is one of seconds.
      let factor = unit.isEmpty && digits.count == text.count ? 1 : units.first { $0.name == unit }?.seconds
      guard let factor, let number = Double(digits), number.isFinite else { return nil }
      total += number * factor
    } while !rest.isEmpty
    return total <= 1e9 ? total : nil
  }
}
