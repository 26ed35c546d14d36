import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import TestThreads
import Testing

@testable import Spool

/// Several hosts that are one machine (containers, say), and open a spool after a reboot.
@Suite(.waiting) struct OpeningTests {
  @Test(arguments: [false, true])
  func `of two that open a spool at once the second waits, and then leaves alone what the first has begun`(
    isShared: Bool
  ) throws {
    if isShared, geteuid() != 0 { return }
    let fixture = try Fixture("coder", sharedWith: isShared ? "\(getegid())" : nil)
    // On its way, once the first is through.
    var message = Message(content: "x")
    message.to = ["coder"]
    message.id = fixture.spool.newIdentifier()
    let parcel = try Parcel(message, [fixture.bot()], fixture.spool)
    let before = fixture.spool.now().advanced(bySeconds: -60)
    try fixture.spool.log.append(.messageSent, parcel.subject, time: before) { parcel.writeLogData(to: &$0) }
    fixture.setBoot(String(repeating: "0", count: 32))
    let lock = isShared ? Layout.keys(of: geteuid()) : Layout.log
    let first = try Directory(fixture.path).open(lock, O_RDONLY | O_DIRECTORY)
    try first.lock()

    let found = Mutex<Int?>(nil)
    let second = Atomic(false)
    try Linux.Thread.detach { [path = fixture.path] in
      let count = (try? Spool(at: path, machine: "container"))?.recovery?.count
      found.withLock { $0 = count }
      second.store(true, ordering: .releasing)
    }
    func isThrough() -> Bool { second.load(ordering: .acquiring) }
    // Its own lock is the last thing before.
    let page = "\(fixture.path)/log/\(LogPart.name(host: "container", user: isShared ? geteuid() : nil))/commit"
    while !isThrough(), (try? Descriptor.open(page, O_RDONLY).tryLock()) != false { usleep(1000) }
    usleep(100_000)
    #expect(!isThrough())
    fixture.setBoot(try Clock.bootIdentity())
    try first.unlock()
    while !isThrough() { usleep(1000) }
    #expect(found.withLock { $0 } == 0)
    #expect(fixture.names("inbox").isEmpty)
    // After a power cut nobody is at work, by any name.
    TemporaryDirectory.removeTree(fixture.path + "/log/" + page.split(separator: "/").dropLast().last!)
    #expect(try fixture.rebooted().recovery?.count == 1)
  }
}
