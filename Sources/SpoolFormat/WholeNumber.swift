/// Whole numbers that stand in files and names, which anybody may have written.
public enum WholeNumber {
  /// So that of any two the sum, and of any one the next, is a number still: 2⁶⁰.
  public static let max = 1 << 60

  /// Nil for anything but a whole number from 0 to `max`.
  public static func parse(_ text: some StringProtocol) -> Int? {
    Int(text).flatMap { 0...max ~= $0 ? $0 : nil }
  }
}
