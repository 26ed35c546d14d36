import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Linux

@Suite struct SharedPageTests {
  private let home: TemporaryDirectory

  init() throws { home = try TemporaryDirectory() }

  private static func page(_ path: String) throws -> SharedPage {
    try SharedPage(try Descriptor.open(path, O_RDWR | O_CREAT))
  }
  private static func lock(_ page: SharedPage) -> RobustLock {
    RobustLock(page.pointer(at: 64, as: pthread_mutex_t.self))
  }

  @Test func `two maps of one file see the same`() throws {
    let one = try Self.page(home("page"))
    let two = try Self.page(home("page"))
    one.pointer(at: 8, as: Atomic<UInt64>.self).pointee.store(17, ordering: .releasing)
    #expect(two.pointer(at: 8, as: Atomic<UInt64>.self).pointee.load(ordering: .acquiring) == 17)
    #expect(Plain.size(home("page")) == SharedPage.size)
  }

  @Test func `of many threads, each with a map of its own, one holds the lock at a time`() throws {
    let path = home("page")
    let page = try Self.page(path)
    Self.lock(page).initialize()
    let failures = Mutex<[String]>([])
    try Thread.run(
      (0..<8).map { _ in
        { @Sendable in
          do {
            let page = try Self.page(path)
            let lock = Self.lock(page)
            let counter = page.pointer(at: 8, as: UInt64.self)
            for _ in 0..<2000 {
              _ = try lock.lock(seconds: 60)
              counter.pointee += 1
              lock.unlock()
            }
            withExtendedLifetime(page) {}
          } catch { failures.withLock { $0.append("\(error)") } }
        }
      })
    #expect(failures.withLock { $0 } == [])
    #expect(page.pointer(at: 8, as: UInt64.self).pointee == 16_000)
    withExtendedLifetime(page) {}
  }

  @Test func `when the holder dies, the next one gets the lock and is told, once`() throws {
    let path = home("page")
    let page = try Self.page(path)
    let lock = Self.lock(page)
    lock.initialize()
    #expect(try OwnProcess.run("die with the lock of a page", [path]).isKilled)
    #expect(try lock.lock(seconds: 5))
    lock.unlock()
    #expect(try !lock.lock(seconds: 5))
    lock.unlock()
    withExtendedLifetime(page) {}
  }

  @Test func `a lock that somebody keeps is waited for so long and no longer`() throws {
    let page = try Self.page(home("page"))
    let lock = Self.lock(page)
    lock.initialize()
    let release = try Pipe()
    let held = try Pipe()
    let (wait, tell) = (release.readEnd.raw, held.writeEnd.raw)
    let path = home("page")
    try Thread.detach {
      guard let page = try? Self.page(path) else { return }
      _ = try? Self.lock(page).lock(seconds: 5)
      var byte: UInt8 = 1
      _ = Glibc.write(tell, &byte, 1)
      _ = Glibc.read(wait, &byte, 1)
      Self.lock(page).unlock()
      _ = Glibc.write(tell, &byte, 1)
      withExtendedLifetime(page) {}
    }
    _ = try held.readEnd.read(maximum: 1)
    let error = #expect(throws: SystemCallError.self) { try lock.lock(seconds: 1) }
    #expect(error?.code == ETIMEDOUT)
    #expect(Plain.exists("/proc/self/task/\(lock.holder)"))
    try release.writeEnd.write([1])
    #expect(try !lock.lock(seconds: 20))
    lock.unlock()
    #expect(lock.holder == 0)
    _ = try held.readEnd.read(maximum: 1)
    withExtendedLifetime(page) {}
  }

  #if DEBUG
    @Test func `a page is written to before it is mapped, so that lack of room is an error and no signal`() throws {
      let (path, trace) = (home("page"), home("trace"))
      func map(_ fault: String = "") throws -> String {
        unlink(trace)
        let environment = ["SPOOL_FAULT_TRACE": trace, "SPOOL_FAULT": fault]
        return try OwnProcess.run("map a page", [path], environment: environment).line
      }
      func calls() throws -> [Substring] { try Plain.text(trace).split(separator: "\n") }
      #expect(try map() == "mapped")
      #expect(try calls() == ["open", "fstat", "ioctl", "posix_fallocate", "pwrite", "mmap"])
      #expect(try map() == "mapped")
      #expect(try calls() == ["open", "fstat", "pwrite", "mmap"])
      #expect(try map("\(ENOSPC):3") == "pwrite \(ENOSPC)")
      // Most file systems have no such flag.
      unlink(path)
      #expect(try map("\(EOPNOTSUPP):3") == "mapped")
      #expect(Plain.size(path) == SharedPage.size)
    }
  #endif

  @Test func `a waiter wakes when the word changes, and doesn't sleep when it has`() throws {
    let page = try Self.page(home("page"))
    let word = page.pointer(at: 8, as: Atomic<UInt32>.self)
    word.pointee.store(1, ordering: .sequentiallyConsistent)
    // Already another value: no sleep, though the limit is long.
    #expect(seconds { Futex.wait(word, expected: 0, nanoseconds: 60_000_000_000) } < 30)
    let path = home("page")
    try Thread.detach {
      guard let page = try? Self.page(path) else { return }
      let word = page.pointer(at: 8, as: Atomic<UInt32>.self)
      word.pointee.store(2, ordering: .sequentiallyConsistent)
      Futex.wakeAll(word)
      withExtendedLifetime(page) {}
    }
    while word.pointee.load(ordering: .sequentiallyConsistent) == 1 {
      Futex.wait(word, expected: 1, nanoseconds: 60_000_000_000)
    }
    #expect(word.pointee.load(ordering: .sequentiallyConsistent) == 2)
    withExtendedLifetime(page) {}
  }
}
