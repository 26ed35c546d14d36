import Linux

/// What was told lately: a trouble that lasts is told once a minute.
struct Troubles {
  /// When each was told; nanoseconds since boot.
  private var told: [String: Int] = [:]

  private static let nanoseconds = 60_000_000_000
  /// More of them, and those that are old are dropped.
  private static let countMax = 100

  mutating func isNews(_ text: String) -> Bool {
    let now = Clock.sinceBoot()
    if told.count > Self.countMax { told = told.filter { now - $0.value < Self.nanoseconds } }
    if let at = told[text], now - at < Self.nanoseconds { return false }
    told[text] = now
    return true
  }
}
