import CLinux
import Glibc
import Synchronization

/// A page of a file that several processes of one host map, with a lock in it that survives its holder.
public final class SharedPage: Sendable {
  public static let size = 4096
  @usableFromInline let address: UInt

  /// Maps the first page of an open file, which is made long enough. Its last byte is for nobody to use.
  /// C: posix_fallocate(3), mmap(2), MAP_SHARED.
  /// - Throws: ENOSPC where a write into the page would find no room, and kill the process.
  public init(_ file: borrowing Descriptor) throws(SystemCallError) {
    let raw = file.raw
    if try file.status().size < Self.size {
      _ = try? systemCall("ioctl", file.path) { clinux_write_in_place(raw) }
      // Blocks, not a hole, which would take room when it is first written into.
      _ = try systemCall("posix_fallocate", file.path, changing: .allocate(raw, Self.size)) {
        errno = posix_fallocate(raw, 0, off_t(Self.size))
        return errno == 0 ? 0 : -1
      }
    }
    // A copy or a snapshot may share the blocks: what is written next goes to others, for which there may be no room.
    _ = try file.writeOnce([0], at: Self.size - 1)
    // MAP_FAILED is -1, as with other calls.
    let mapped = try systemCall("mmap", file.path) {
      Int(bitPattern: mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_SHARED, raw, 0))
    }
    address = UInt(bitPattern: mapped)
  }

  /// A page of this process alone, of zeros. C: mmap(2), MAP_ANONYMOUS.
  public init() throws(SystemCallError) {
    let mapped = try systemCall("mmap") {
      Int(bitPattern: mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
    }
    address = UInt(bitPattern: mapped)
  }

  deinit { munmap(UnsafeMutableRawPointer(bitPattern: address), Self.size) }

  /// The bytes from `offset` as a `Type`, for as long as the page lives. Inlined, so that the type needn't be asked for at
  /// run time.
  @inlinable public func pointer<Type: ~Copyable>(at offset: Int, as type: Type.Type) -> UnsafeMutablePointer<Type> {
    UnsafeMutableRawPointer(bitPattern: address)!.advanced(by: offset).assumingMemoryBound(to: type)
  }
}

/// A mutex between processes, in memory they share. When its holder dies, the next one gets it and is
/// told, so that it can put right what was left half done. C: pthread_mutexattr_setrobust(3),
/// pthread_mutex_clocklock(3).
public struct RobustLock: Sendable {
  private let address: UInt
  /// Some ten microseconds.
  private static let spinsMax = 400

  /// `memory` must be shared, aligned to 16, at least 64 bytes long, and outlive the lock.
  public init(_ memory: UnsafeMutablePointer<pthread_mutex_t>) { address = UInt(bitPattern: memory) }

  private var mutex: UnsafeMutablePointer<pthread_mutex_t> { UnsafeMutablePointer(bitPattern: address)! }

  /// Makes it anew, free. Only while nobody else can reach it.
  public func initialize() {
    var attributes = pthread_mutexattr_t()
    pthread_mutexattr_init(&attributes)
    pthread_mutexattr_setpshared(&attributes, CInt(PTHREAD_PROCESS_SHARED))
    pthread_mutexattr_setrobust(&attributes, CInt(PTHREAD_MUTEX_ROBUST))
    pthread_mutex_init(mutex, &attributes)
    pthread_mutexattr_destroy(&attributes)
  }

  /// Takes the lock; true when its last holder died with it in hand.
  /// - Throws: ETIMEDOUT when somebody holds it for longer than `seconds` (a stopped process).
  public func lock(seconds: Int) throws(SystemCallError) -> Bool {
    var code = pthread_mutex_trylock(mutex)
    // It is held for a few microseconds; going to sleep and being woken takes ten times as long.
    var spins = 0
    while code == EBUSY, spins < Self.spinsMax {
      Thread.pause()
      spins += 1
      if spins % 8 == 0 { code = pthread_mutex_trylock(mutex) }
    }
    if code == EBUSY { code = clinux_mutex_lock_within(mutex, CInt(clamping: seconds)) }
    switch code {
    case 0: return false
    case EOWNERDEAD:
      pthread_mutex_consistent(mutex)
      return true
    default: throw SystemCallError("pthread_mutex_lock", "", code)
    }
  }

  public func unlock() { pthread_mutex_unlock(mutex) }

  /// The number of the thread that has it; 0 when nobody has. C: set_robust_list(2), gettid(2).
  public var holder: Int { Int(clinux_mutex_holder(mutex)) }
}

/// A 32-bit word that processes wait on. C: futex(2).
public enum Futex {
  /// Sleeps while the word is `expected`, at most so long; may wake for no reason.
  public static func wait(_ word: UnsafeMutablePointer<Atomic<UInt32>>, expected: UInt32, nanoseconds: Int) {
    _ = UnsafeMutableRawPointer(word).withMemoryRebound(to: UInt32.self, capacity: 1) {
      clinux_futex_wait($0, expected, Int64(nanoseconds))
    }
  }

  public static func wakeAll(_ word: UnsafeMutablePointer<Atomic<UInt32>>) {
    _ = UnsafeMutableRawPointer(word).withMemoryRebound(to: UInt32.self, capacity: 1) {
      clinux_futex_wake($0, CInt.max)
    }
  }
}
