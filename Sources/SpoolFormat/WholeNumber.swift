/// Whole numbers that stand in files and names, which anybody may have written.
public enum WholeNumber {
  /// So that of any two the sum, and of any one the next, is a number still: 2⁶⁰.
  public static let max = 1 << 60

  /// The sum of two, or `max` where that is less: of files that anybody may have written any number is added up.
  public static func sum(_ left: Int, _ right: Int) -> Int { min(left + right, max) }

  /// Nil for anything but a whole number from 0 to `max`.
  public static func parse(_ text: some StringProtocol) -> Int? {
    Int(text).flatMap { 0...max ~= $0 ? $0 : nil }
  }
}
