import Glibc
import Linux
import SpoolFormat
import Synchronization

/// What the processes of one host share about their log: `log/HOST/commit`, mapped by each. It says
/// where the log ends and how much of it is synced, holds the lock under which lines are appended, and
/// the word on which senders wait for a sync that serves them all.
///
/// Positions count the bytes appended since the page was made, over all segments.
final class CommitPage: Sendable {
  /// Offsets in the page. What is below 64 is only written under `flock`; see `spool-layout.md`.
  private enum Offset {
    static let magic = 0
    static let state = 8
    static let boot = 16
    static let rootInode = 48
    static let rootDevice = 56
    static let lock = 64
    static let segment = 128
    static let segmentStart = 136
    static let segmentEnd = 144
    static let torn = 152
    static let roomMaker = 156
    static let failed = 160
    static let roomEnd = 168
    static let roomUsed = 176
    static let roomMakerStart = 184
    static let written = 192
    static let synced = 200
    static let syncing = 208
    static let generation = 212
    static let joined = 216
    static let joinedBefore = 220
    static let company = 224
    static let syncMicroseconds = 228
    static let refusedSince = 232
    static let refusedUntil = 240
    static let outcomes = 256
  }
  private static let magicValue: UInt64 = 0x3147_4F4C_4E41_4E00 + UInt64(MemoryLayout<pthread_mutex_t>.size)
  private static let outcomeCount: UInt64 = 64
  /// Nanoseconds that company is waited for at most, however slow the disk.
  private static let patienceMax = 2_000_000

  /// `recoveringAll`: what is there from checkpoints on isn't enough, as nobody knows whose files they vouch for.
  enum State: UInt32 { case none, recovering, ready, recoveringCopy, recoveringAll }

  private let page: SharedPage
  let lock: RobustLock

  init(_ file: borrowing Descriptor) throws(SystemCallError) {
    page = try SharedPage(file)
    lock = RobustLock(page.pointer(at: Offset.lock, as: pthread_mutex_t.self))
  }

  private func word(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    page.pointer(at: offset, as: Atomic<UInt64>.self)
  }
  /// One that can be reckoned with, whatever a damaged page has there.
  private func number(_ offset: Int) -> Int {
    Int(word(offset).pointee.load(ordering: .acquiring) & ((1 << 62) - 1))
  }
  private func half(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
    page.pointer(at: offset, as: Atomic<UInt32>.self)
  }

  // MARK: Whose page it is

  var state: State {
    get { State(rawValue: half(Offset.state).pointee.load(ordering: .acquiring)) ?? .none }
    set { half(Offset.state).pointee.store(newValue.rawValue, ordering: .releasing) }
  }

  /// Whether the page was made in this boot, for the spool with this root: not before a power cut, and not in
  /// the spool that this one is a copy of.
  func belongs(toBoot boot: String, root: Root) -> Bool { madeIn(boot: boot) && hasRoot(root) }

  /// The same, and what a power cut or the copying left is put right.
  func isReady(inBoot boot: String, root: Root) -> Bool {
    guard belongs(toBoot: boot, root: root) else { return false }
    atomicMemoryFence(ordering: .acquiring)
    return state == .ready
  }

  /// What tells one directory from another. The number alone doesn't: the topmost directory of each file system of a
  /// kind may have the same one.
  struct Root: Equatable {
    let inode: UInt64
    let device: UInt64
  }

  /// Whether it is still the directory that the page was made in, boot aside.
  func hasRoot(_ root: Root) -> Bool { self.root == root }

  /// The directory that the page was made in; nil for a page that is new, or of another kind of machine.
  var root: Root? {
    guard word(Offset.magic).pointee.load(ordering: .acquiring) == Self.magicValue else { return nil }
    return Root(
      inode: word(Offset.rootInode).pointee.load(ordering: .relaxed),
      device: word(Offset.rootDevice).pointee.load(ordering: .relaxed))
  }

  private func madeIn(boot: String) -> Bool {
    let bytes = UnsafeBufferPointer(start: page.pointer(at: Offset.boot, as: UInt8.self), count: 32)
    return bytes.elementsEqual(boot.utf8)
  }

  /// The same, of the first bytes of another host's page.
  static func root(in bytes: [UInt8]) -> Root? {
    guard bytes.count >= 64 else { return nil }
    func word(_ offset: Int) -> UInt64 { bytes.withUnsafeBytes { $0.load(fromByteOffset: offset, as: UInt64.self) } }
    guard word(Offset.magic) == magicValue else { return nil }
    return Root(inode: word(Offset.rootInode), device: word(Offset.rootDevice))
  }

  /// `isReady`, of the first bytes of another's page.
  static func isReady(_ bytes: [UInt8], inBoot boot: String, root: Root) -> Bool {
    guard self.root(in: bytes) == root, bytes[Offset.boot..<Offset.boot + 32].elementsEqual(boot.utf8) else {
      return false
    }
    return bytes[Offset.state] == State.ready.rawValue
  }

  /// Makes the page anew, with the log ending at `end` bytes of segment `start`. Only under `flock` on its file,
  /// and only when it doesn't belong to this boot and root.
  func initialize(boot: String, root: Root, start: Timestamp, end: Int, as kind: State) {
    // Before it belongs to them: whoever finds that it does must not find `ready`, which was said in another boot. From then
    // on nothing else says that it is a copy.
    state = kind
    atomicMemoryFence(ordering: .releasing)
    lock.initialize()
    word(Offset.segment).pointee.store(1, ordering: .relaxed)
    word(Offset.segmentStart).pointee.store(UInt64(start.microseconds), ordering: .relaxed)
    word(Offset.segmentEnd).pointee.store(UInt64(end), ordering: .relaxed)
    word(Offset.written).pointee.store(0, ordering: .relaxed)
    word(Offset.synced).pointee.store(0, ordering: .relaxed)
    half(Offset.torn).pointee.store(0, ordering: .relaxed)
    word(Offset.failed).pointee.store(0, ordering: .relaxed)
    word(Offset.refusedSince).pointee.store(0, ordering: .relaxed)
    word(Offset.refusedUntil).pointee.store(0, ordering: .relaxed)
    roomEnd = 0
    half(Offset.syncing).pointee.store(0, ordering: .relaxed)
    half(Offset.generation).pointee.store(0, ordering: .relaxed)
    let bytes = UnsafeMutableBufferPointer(start: page.pointer(at: Offset.boot, as: UInt8.self), count: 32)
    for (index, byte) in boot.utf8.prefix(32).enumerated() { bytes[index] = byte }
    word(Offset.rootInode).pointee.store(root.inode, ordering: .relaxed)
    word(Offset.rootDevice).pointee.store(root.device, ordering: .relaxed)
    word(Offset.magic).pointee.store(Self.magicValue, ordering: .releasing)
  }

  // MARK: Where the log ends; changed under the lock

  /// Counts the segments since the page was made.
  var segment: UInt64 { word(Offset.segment).pointee.load(ordering: .sequentiallyConsistent) }
  var segmentStart: Timestamp {
    Timestamp(microseconds: number(Offset.segmentStart))
  }
  /// Bytes of whole lines in the current segment.
  var segmentEnd: Int { number(Offset.segmentEnd) }
  var written: UInt64 { word(Offset.written).pointee.load(ordering: .sequentiallyConsistent) }
  var synced: UInt64 { word(Offset.synced).pointee.load(ordering: .sequentiallyConsistent) }

  /// The segment that the disk last refused to sync, 0 for none: never synced again, and nothing appended to it.
  var failedSegment: UInt64 { word(Offset.failed).pointee.load(ordering: .sequentiallyConsistent) }

  /// It may have ended, and a later one have been refused, too.
  func noteFailure(of segment: UInt64) { word(Offset.failed).pointee.max(segment, ordering: .sequentiallyConsistent) }

  /// From the beginning of the first segment that the disk refused to sync to when that last happened; nil when it never did.
  /// What was logged in this time may not be on the disk, whatever a later sync says.
  var refused: ClosedRange<Timestamp>? {
    let (since, until) = (number(Offset.refusedSince), number(Offset.refusedUntil))
    guard since > 0 else { return nil }
    return Timestamp(microseconds: since)...Timestamp(microseconds: max(since, until))
  }

  func noteRefusal(of start: Timestamp) {
    word(Offset.refusedUntil).pointee.max(UInt64(Clock.wall()), ordering: .acquiringAndReleasing)
    _ = word(Offset.refusedSince).pointee.compareExchange(
      expected: 0, desired: UInt64(start.microseconds), ordering: .acquiringAndReleasing)
  }

  /// Whether half a line may stand after the end: a writer died with the lock in hand, or could not take it back.
  var hasTornTail: Bool {
    get { half(Offset.torn).pointee.load(ordering: .acquiring) != 0 }
    set { half(Offset.torn).pointee.store(newValue ? 1 : 0, ordering: .releasing) }
  }

  /// Notes that `count` bytes have been appended; returns the position after them.
  func advance(_ count: Int) -> UInt64 {
    word(Offset.segmentEnd).pointee.wrappingAdd(UInt64(count), ordering: .releasing)
    return word(Offset.written).pointee.wrappingAdd(UInt64(count), ordering: .sequentiallyConsistent).newValue
  }

  /// Notes that the last line of the current segment ends elsewhere than it said, and that there is no room.
  func resume(at end: Int) {
    roomEnd = 0
    if end > segmentEnd { _ = advance(end - segmentEnd) }
    word(Offset.segmentEnd).pointee.store(UInt64(end), ordering: .releasing)
  }

  /// Ends the current segment and begins another. In this order: whoever dies in between leaves the lock to one who
  /// finds the end again, by the lines that are there.
  func beginSegment(_ start: Timestamp) {
    let outcome = synced << 1 | (failedSegment == segment ? 1 : 0)
    word(Offset.outcomes + 8 * Int(segment % Self.outcomeCount)).pointee.store(outcome, ordering: .releasing)
    word(Offset.segment).pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
    word(Offset.segmentEnd).pointee.store(0, ordering: .sequentiallyConsistent)
    roomEnd = 0
    word(Offset.segmentStart).pointee.store(UInt64(start.microseconds), ordering: .sequentiallyConsistent)
  }

  /// How far a segment that has ended was synced by then, and whether the disk refused to go on; nil when it
  /// ended too long ago to know.
  func outcome(of ended: UInt64) -> (synced: UInt64, isFailed: Bool)? {
    guard segment &- ended < Self.outcomeCount else { return nil }
    let outcome = word(Offset.outcomes + 8 * Int(ended % Self.outcomeCount)).pointee.load(ordering: .acquiring)
    return (outcome >> 1, outcome & 1 == 1)
  }

  /// That the disk refused was only found after its end.
  func noteFailure(ofEnded ended: UInt64) {
    guard segment &- ended < Self.outcomeCount else { return }
    word(Offset.outcomes + 8 * Int(ended % Self.outcomeCount)).pointee.bitwiseOr(1, ordering: .releasing)
  }

  // MARK: Room

  /// Where the room ends that was written ahead of the lines; at or before `segmentEnd` when there is none.
  var roomEnd: Int {
    get { number(Offset.roomEnd) }
    set { word(Offset.roomEnd).pointee.store(UInt64(newValue), ordering: .releasing) }
  }
  var hasRoom: Bool { roomEnd > segmentEnd }

  /// When somebody last waited for a sync while there was room; nanoseconds since boot.
  var roomUsed: Int {
    get { number(Offset.roomUsed) }
    set { word(Offset.roomUsed).pointee.store(UInt64(newValue), ordering: .relaxed) }
  }

  /// Who made the room, and takes it away at its end.
  var roomMaker: ProcessIdentity {
    get {
      ProcessIdentity(
        pid: Int(half(Offset.roomMaker).pointee.load(ordering: .relaxed)),
        started: word(Offset.roomMakerStart).pointee.load(ordering: .relaxed))
    }
    set {
      half(Offset.roomMaker).pointee.store(UInt32(newValue.pid), ordering: .relaxed)
      word(Offset.roomMakerStart).pointee.store(newValue.started, ordering: .relaxed)
    }
  }

  // MARK: One sync for many

  func beginSync() -> Bool {
    half(Offset.syncing).pointee.compareExchange(expected: 0, desired: 1, ordering: .sequentiallyConsistent).exchanged
  }

  func endSync(upTo position: UInt64?) {
    if let position { word(Offset.synced).pointee.max(position, ordering: .sequentiallyConsistent) }
    half(Offset.syncing).pointee.store(0, ordering: .sequentiallyConsistent)
    half(Offset.generation).pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
    Futex.wakeAll(half(Offset.generation))
  }

  /// Notes that one more process wants what it wrote synced.
  func joinSync() { half(Offset.joined).pointee.wrappingAdd(1, ordering: .sequentiallyConsistent) }

  /// Waits, before a sync, for as many as the last one served: they have had their answer, and are likely to be back
  /// with their next line. Otherwise the first one back would sync for itself alone, and all others wait for that
  /// and then for their own. At most half as long as the last sync took, and not at all for one who is alone.
  func awaitCompany() {
    let before = half(Offset.joinedBefore).pointee.load(ordering: .relaxed)
    let company = half(Offset.company).pointee.load(ordering: .relaxed)
    let patience = Int(half(Offset.syncMicroseconds).pointee.load(ordering: .relaxed)) * 500
    let limit = Clock.sinceBoot() + min(patience, Self.patienceMax)
    var joined = half(Offset.joined).pointee.load(ordering: .sequentiallyConsistent)
    while joined &- before < company, Clock.sinceBoot() < limit {
      Thread.yield()
      joined = half(Offset.joined).pointee.load(ordering: .sequentiallyConsistent)
    }
    half(Offset.company).pointee.store(joined &- before, ordering: .relaxed)
    half(Offset.joinedBefore).pointee.store(joined, ordering: .relaxed)
  }

  func noteSyncTime(_ nanoseconds: Int) {
    half(Offset.syncMicroseconds).pointee.store(UInt32(clamping: nanoseconds / 1000), ordering: .relaxed)
  }

  /// Which sync is under way; changes when it ends.
  var generation: UInt32 { half(Offset.generation).pointee.load(ordering: .sequentiallyConsistent) }

  func waitForSync(after generation: UInt32, nanoseconds: Int) {
    Futex.wait(half(Offset.generation), expected: generation, nanoseconds: nanoseconds)
  }
}
