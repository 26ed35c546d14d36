/// A moment: microseconds since 1970, UTC. Written in two ways: compact in names
/// (`20261120T234512.345678Z`, which sorts as text) and RFC 3339 in JSON (`2026-11-20T23:45:12.345678Z`).
public struct Timestamp: Sendable, Hashable, Comparable {
  public let microseconds: Int

  /// The years 1970 to 9999; anything outside is brought to the nearer end, so that every moment has a name.
  public init(microseconds: Int) { self.microseconds = min(max(microseconds, 0), Self.last) }

  private static let last = 253_402_300_799_999_999

  /// The length of the compact form in bytes.
  public static let compactCount = 23

  public static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

  public func advanced(bySeconds seconds: Double) -> Timestamp {
    let shifted = Double(microseconds) + seconds * 1e6
    return Timestamp(microseconds: shifted >= Double(Self.last) ? Self.last : Int(max(0, shifted)))
  }

  /// Seconds from an earlier moment to this one.
  public func seconds(since earlier: Timestamp) -> Double { Double(microseconds - earlier.microseconds) / 1e6 }

  /// In 32 bits where they do: every message's way has some ten of these, and most of their time is division.
  private var fields:
    (
      year: UInt32, month: UInt32, day: UInt32, hour: UInt32, minute: UInt32, second: UInt32, fraction: UInt32
    )
  {
    let (seconds, fraction) = UInt64(microseconds).quotientAndRemainder(dividingBy: 1_000_000)
    let (days, rest) = seconds.quotientAndRemainder(dividingBy: 86400)
    let second = UInt32(truncatingIfNeeded: rest)
    // Days to a date of the Gregorian calendar: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let shifted = UInt32(truncatingIfNeeded: days) &+ 719468
    let era = shifted / 146097
    let dayOfEra = shifted &- era &* 146097
    let yearOfEra = (dayOfEra &- dayOfEra / 1460 &+ dayOfEra / 36524 &- dayOfEra / 146096) / 365
    let dayOfYear = dayOfEra &- (365 &* yearOfEra &+ yearOfEra / 4 &- yearOfEra / 100)
    let shiftedMonth = (5 &* dayOfYear &+ 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth &+ 3 : shiftedMonth &- 9
    let year = yearOfEra &+ era &* 400 &+ (month <= 2 ? 1 : 0)
    return (
      year, month, dayOfYear &- (153 &* shiftedMonth &+ 2) / 5 &+ 1, second / 3600, second / 60 % 60, second % 60,
      UInt32(truncatingIfNeeded: fraction)
    )
  }

  /// The length of the longer form in bytes.
  static let textCountMax = 27

  /// Writes at most `textCountMax` bytes and returns how many. A message's times are written eight times on its way,
  /// so that it matters that no byte is appended by itself.
  func write(to text: UnsafeMutablePointer<UInt8>, punctuated: Bool) -> Int {
    let at = fields
    // Where each part stands: later by one for each mark before it.
    let mark = punctuated ? 1 : 0
    func pair(_ value: UInt32, _ place: Int) {
      let (tens, ones) = UInt8(truncatingIfNeeded: value).quotientAndRemainder(dividingBy: 10)
      text[place] = 48 &+ tens
      text[place &+ 1] = 48 &+ ones
    }
    pair(at.year / 100, 0)
    pair(at.year % 100, 2)
    pair(at.month, 4 &+ mark)
    pair(at.day, 6 &+ 2 &* mark)
    text[8 &+ 2 &* mark] = UInt8(ascii: "T")
    pair(at.hour, 9 &+ 2 &* mark)
    pair(at.minute, 11 &+ 3 &* mark)
    pair(at.second, 13 &+ 4 &* mark)
    text[15 &+ 4 &* mark] = UInt8(ascii: ".")
    pair(at.fraction / 10_000, 16 &+ 4 &* mark)
    pair(at.fraction / 100 % 100, 18 &+ 4 &* mark)
    pair(at.fraction % 100, 20 &+ 4 &* mark)
    text[22 &+ 4 &* mark] = UInt8(ascii: "Z")
    if punctuated {
      text[4] = UInt8(ascii: "-")
      text[7] = UInt8(ascii: "-")
      text[13] = UInt8(ascii: ":")
      text[16] = UInt8(ascii: ":")
    }
    return 23 &+ 4 &* mark
  }

  /// `20261120T234512.345678Z`.
  public var compact: String { text(punctuated: false) }
  /// `2026-11-20T23:45:12.345678Z`.
  public var rfc3339: String { text(punctuated: true) }

  private func text(punctuated: Bool) -> String {
    String(unsafeUninitializedCapacity: Self.textCountMax) { write(to: $0.baseAddress!, punctuated: punctuated) }
  }

  /// Reads the compact form, exactly.
  public init?(compact bytes: some RandomAccessCollection<UInt8>) {
    guard bytes.count == Self.compactCount else { return nil }
    var reader = DigitReader(bytes)
    guard let year = reader.number(4), let month = reader.number(2), let day = reader.number(2), reader.take("T"),
      let hour = reader.number(2), let minute = reader.number(2), let second = reader.number(2), second < 60,
      reader.take("."), let fraction = reader.number(6), reader.take("Z")
    else { return nil }
    self.init(year: year, month: month, day: day, hour: hour, minute: minute, second: second, fraction: fraction)
  }

  /// Reads RFC 3339 with any offset and any number of decimals; a date alone is its midnight, UTC.
  public init?(rfc3339 text: String) {
    var text = text
    guard let moment = text.withUTF8({ Timestamp(rfc3339: $0) }) else { return nil }
    self = moment
  }

  /// The same of the text's bytes.
  init?(rfc3339 bytes: UnsafeBufferPointer<UInt8>) {
    var reader = DigitReader(bytes)
    guard let year = reader.number(4), reader.take("-"), let month = reader.number(2), reader.take("-"),
      let day = reader.number(2)
    else { return nil }
    if reader.isAtEnd {
      self.init(year: year, month: month, day: day, hour: 0, minute: 0, second: 0, fraction: 0)
      return
    }
    guard reader.take("T") || reader.take("t") || reader.take(" "), let hour = reader.number(2), reader.take(":"),
      let minute = reader.number(2)
    else { return nil }
    var second = 0
    if reader.take(":") {
      guard let read = reader.number(2) else { return nil }
      second = read
    }
    var fraction = 0
    if reader.take(".") || reader.take(",") {
      guard let read = reader.fraction() else { return nil }
      fraction = read
    }
    var offset = 0
    if reader.take("+") || reader.take("-") {
      let isWest = reader.previous == UInt8(ascii: "-")
      guard let hours = reader.number(2), hours < 24 else { return nil }
      var minutes = 0
      if reader.take(":") || !reader.isAtEnd {
        guard let read = reader.number(2), read < 60 else { return nil }
        minutes = read
      }
      offset = (hours * 60 + minutes) * (isWest ? -60 : 60)
    } else if !(reader.take("Z") || reader.take("z")), !reader.isAtEnd {
      return nil
    }
    guard reader.isAtEnd,
      let local = Timestamp(
        year: year, month: month, day: day, hour: hour, minute: minute, second: second, fraction: fraction)
    else { return nil }
    self.init(microseconds: local.microseconds - offset * 1_000_000)
  }

  private init?(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, fraction: Int) {
    guard year >= 1970, 1...12 ~= month, 1...31 ~= day, hour < 24, minute < 60, second <= 60 else { return nil }
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = shiftedYear / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let days = era * 146097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719468
    // A day that its month doesn't have (31 April) comes out as another one.
    if day > 28, Timestamp(microseconds: days * 86_400_000_000).fields.day != day { return nil }
    self.init(microseconds: ((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000 + fraction)
  }
}

/// Reads fixed numbers of digits from bytes.
private struct DigitReader<Bytes: RandomAccessCollection<UInt8>> {
  private let bytes: Bytes
  private var position: Bytes.Index

  init(_ bytes: Bytes) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  var isAtEnd: Bool { position == bytes.endIndex }
  var previous: UInt8 { bytes[bytes.index(before: position)] }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard position < bytes.endIndex, bytes[position] == UInt8(ascii: character) else { return false }
    position = bytes.index(after: position)
    return true
  }

  mutating func digit() -> Int? {
    guard position < bytes.endIndex, 48...57 ~= bytes[position] else { return nil }
    defer { position = bytes.index(after: position) }
    return Int(bytes[position]) - 48
  }

  mutating func number(_ count: Int) -> Int? {
    var value = 0
    for _ in 0..<count {
      guard let digit = digit() else { return nil }
      value = value * 10 + digit
    }
    return value
  }

  /// Decimals, one at least, as microseconds; those past the sixth are dropped.
  mutating func fraction() -> Int? {
    guard let first = digit() else { return nil }
    var value = first * 100_000
    var place = 10_000
    while let digit = digit() {
      value += digit * place
      place /= 10
    }
    return value
  }
}
