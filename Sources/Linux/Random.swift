import CLinux
import Glibc
import Synchronization

/// The kernel's randomness.
public enum Random {
  /// C: getrandom(2).
  public static func bytes(_ count: Int) throws(SystemCallError) -> [UInt8] {
    var failure: SystemCallError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      do throws(SystemCallError) {
        while filled < count {
          let start = filled
          filled += try systemCall("getrandom") { clinux_getrandom(buffer.baseAddress! + start, count - start) }
        }
      } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }

  /// 64 bits that nobody else gets: from a page of the kernel's, fetched once for many calls. A child of fork(2)
  /// finds the page empty. C: getrandom(2), madvise(2) with MADV_WIPEONFORK.
  public static func bits() -> UInt64 {
    pool.withLock { pool in
      if pool == 0 { pool = mapPool() }
      guard let words = UnsafeMutablePointer<UInt64>(bitPattern: pool) else { return .random(in: .min ... .max) }
      if words[0] == 0 {
        guard let fresh = try? bytes(8 * (poolCount - 1)) else { return .random(in: .min ... .max) }
        fresh.withUnsafeBytes {
          UnsafeMutableRawPointer(words + 1).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
        }
        words[0] = UInt64(poolCount - 1)
      }
      let last = Int(words[0])
      words[0] -= 1
      return words[last]
    }
  }

  /// A page: how many words after this one are left, and these.
  private static let pool = Mutex<UInt>(0)
  private static let poolCount = 64

  /// 0 where there is no such memory (before Linux 4.14).
  private static func mapPool() -> UInt {
    let mapped = mmap(nil, 8 * poolCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapped, mapped != MAP_FAILED else { return 0 }
    guard madvise(mapped, 8 * poolCount, MADV_WIPEONFORK) == 0 else {
      munmap(mapped, 8 * poolCount)
      return 0
    }
    return UInt(bitPattern: mapped)
  }
}
