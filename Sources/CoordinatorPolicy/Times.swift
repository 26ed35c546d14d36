import SpoolFormat

/// How often something took how long, in classes that are a sixteenth of their octave wide: any quantile is known to 1 part
/// in 32, in a few dozen numbers however many were counted. Counts add up, so that the order doesn't matter.
/// After HdrHistogram (G. Tene); DDSketch (Masson, Rim, Lee 2019) has the same bound from logarithmic classes.
public struct Times: Sendable, Hashable {
  /// By class.
  private var counts: [Int: Int] = [:]
  public private(set) var count = 0

  public init() {}

  /// 0 to 15 have classes of their own.
  static func place(_ value: Int) -> Int {
    guard value >= 16 else { return max(0, value) }
    let exponent = Int.bitWidth - 1 - value.leadingZeroBitCount
    return (exponent - 3) * 16 + ((value >> (exponent - 4)) & 15)
  }

  /// The smallest value of a class, and how many there are.
  static func range(_ place: Int) -> (lower: Int, width: Int) {
    guard place >= 16 else { return (place, 1) }
    let shift = place / 16 - 1
    return ((16 + place % 16) << shift, 1 << shift)
  }

  public mutating func count(microseconds: Int) {
    counts[Self.place(min(microseconds, WholeNumber.max)), default: 0] += 1
    count += 1
  }

  public static func += (left: inout Times, right: Times) {
    left.counts.merge(right.counts, uniquingKeysWith: WholeNumber.sum)
    left.count = WholeNumber.sum(left.count, right.count)
  }

  /// The middle of the class of the smallest value that a share of all don't exceed (nearest rank); nil of nothing.
  public func quantile(_ share: Double) -> Int? {
    guard count > 0 else { return nil }
    let wanted = max(1, Int((share * Double(count)).rounded(.up)))
    var seen = 0
    for (place, number) in counts.sorted(by: { $0.key < $1.key }) {
      seen = WholeNumber.sum(seen, number)
      guard seen >= wanted else { continue }
      let (lower, width) = Self.range(place)
      return lower + width / 2
    }
    return nil
  }

  /// An object of the classes' smallest values, in microseconds, and their counts.
  init(_ value: JSONValue?) {
    for member in value?.object ?? [:] {
      guard let lower = Int(member.key), 0...WholeNumber.max ~= lower, let number = member.value.int,
        1...(1 << 50) ~= number
      else { continue }
      let place = Self.place(lower)
      counts[place] = WholeNumber.sum(counts[place] ?? 0, number)
      count = WholeNumber.sum(count, number)
    }
  }

  func write(to writer: inout JSONWriter) {
    writer.beginObject()
    for (place, number) in counts.sorted(by: { $0.key < $1.key }) {
      writer.key(String(Self.range(place).lower))
      writer.int(number)
    }
    writer.endObject()
  }
}
