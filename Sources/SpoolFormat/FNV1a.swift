/// FNV-1a of 64 bits: one multiplication a byte, spreads short texts well, and keeps nobody from finding two that have the
/// same (Fowler, Noll and Vo; draft-eastlake-fnv).
public struct FNV1a {
  public var value: UInt64

  /// - Parameter basis: another than the published one makes another hash of the same bytes.
  @inlinable
  public init(basis: UInt64 = 0xcbf2_9ce4_8422_2325) { value = basis }

  @inlinable
  public mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }

  /// The eight bytes of a number, the least significant first.
  @inlinable
  public mutating func add(_ number: Int) {
    for shift in stride(from: 0, to: 64, by: 8) { add(CollectionOfOne(UInt8(truncatingIfNeeded: number >> shift))) }
  }
}
