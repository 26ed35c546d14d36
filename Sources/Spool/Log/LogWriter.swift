import Glibc
import Linux
import SpoolFormat
import Synchronization

/// Appends lines to this host's log, and waits until they are on the disk: one sync serves all the
/// processes of the host that are waiting for one.
final class LogWriter: Sendable {
  /// Where a line went.
  struct Receipt: Sendable {
    /// After its last byte.
    let position: UInt64
    let segment: Segment
    /// Whether the line began a new segment.
    let hasRotated: Bool
  }

  struct State {
    var segment: Segment?
    /// The same, to write into its room: where a file is opened to append, pwrite(2) appends.
    var overwriting: Segment?
    /// When the segment was last seen to be there still; by the clock since boot.
    var checked = 0
  }

  /// The lock is held for one write. Whoever has it for longer was stopped, or waits for the disk or a server.
  private static let lockSeconds = 5
  /// The longest that anyone waits for it. An NFS server that was started anew, or has to take back what it granted to a
  /// host that died, makes others wait for 90 s and more.
  private static let lockNanosecondsMax = 300_000_000_000
  /// After so long the process that was syncing is taken for dead, and the waiter syncs for itself.
  private static let syncNanosecondsMax = 200_000_000
  /// How often to look whether somebody removed the segment.
  private static let checkNanoseconds = 1_000_000_000

  /// An event's id is unique for its source, which is the process, however many spools it has open.
  private static let number = Atomic<Int>(0)
  private static func nextNumber() -> Int { number.add(1, ordering: .relaxed).newValue }

  /// The directory below `log/` that is appended to.
  let part: String
  let page: CommitPage
  let root: Directory
  let process: ProcessIdentity
  let segmentBytesMax: Int
  private let source: String
  private let state = Mutex(State())
  let pace = Mutex(Pace())

  init(
    root: Directory, host: String, part: String, process: ProcessIdentity, segmentBytesMax: Int, page: CommitPage
  ) {
    self.root = root
    self.part = part
    self.process = process
    self.segmentBytesMax = segmentBytesMax
    self.page = page
    source = "/\(host)/\(process.pid).\(String(process.started, radix: 16))"
  }

  deinit { leaveRoom() }

  /// Appends one event. When this returns, it survives a crash of any process.
  /// Two calls when nobody else is appending: a lock in shared memory, and write(2).
  /// - Parameter decide: asked under the lock; when it says true, nothing is appended, and nil returned.
  /// - Parameter isSyncedSoon: the caller is about to wait until it is on the disk.
  /// - Throws: the error of the write, with nothing appended; `.outcomeUnknown` when it is, and the server of a network file
  ///   system didn't take it.
  @discardableResult
  func append(
    _ kind: LogEvent.Kind, _ subject: String, time: Timestamp? = nil, reserving capacity: Int = 384,
    isSyncedSoon: Bool = false, unless decide: (() throws -> Bool)? = nil, data: (inout JSONWriter) -> Void
  ) throws -> Receipt? {
    let line = LogEvent.line(
      kind: kind, subject: subject, source: source, number: Self.nextNumber(),
      time: time ?? Timestamp(microseconds: Clock.wall()), reserving: capacity, data: data)
    try openSegment()
    let receipt = try locked { state -> Receipt? in
      if let decide, try decide() { return nil }
      return try self.append(line, &state)
    }
    // Of a message that is sent, when it is delivered. Not by recovery: it isn't through with what stands before.
    if let receipt, receipt.hasRotated, kind != .messageSent, page.state == .ready { noteCheckpoint() }
    if root.isRemote, !isSyncedSoon, let receipt { try writeOut(receipt) }
    return receipt
  }

  /// Other hosts see what becomes of the files at once, and must not find the log silent about it.
  private func writeOut(_ receipt: Receipt) throws {
    do throws(SystemCallError) { try receipt.segment.file.writeOut() } catch {
      // Not every network file system has this; then a sync does as well.
      guard error.code == ENOSYS || error.code == EINVAL || error.code == ESPIPE else {
        giveUp(receipt.segment)
        throw Self.unknownOutcome(error)
      }
      try sync(receipt)
    }
  }

  @discardableResult
  private func sync(_ receipt: Receipt) throws -> UInt64 {
    do { return try receipt.segment.sync(upTo: receipt.position, of: page) } catch {
      giveUp(receipt.segment)
      throw Self.unknownOutcome(error)
    }
  }

  /// Never tried again: the kernel may have dropped the pages and called them clean. The segment is finished.
  private func giveUp(_ segment: Segment) {
    page.noteFailure(of: segment.number)
    page.noteRefusal(of: segment.start)
    _ = try? locked { state in
      if self.page.segment == segment.number {
        _ = try self.begin(&state)
      } else {
        page.noteFailure(ofEnded: segment.number)
      }
    }
  }

  /// After a segment was begun, once in many thousand lines: only how long a recovery takes depends on it.
  func noteCheckpoint() { try? LogFiles(root: root).noteCheckpoint(of: part) }

  func locked<Result>(_ body: (inout State) throws -> Result) throws -> Result {
    if try lock() { page.hasTornTail = true }
    defer { page.lock.unlock() }
    return try state.withLock { state in
      if page.hasTornTail {
        try self.repairTail()
        page.hasTornTail = false
      }
      return try body(&state)
    }
  }

  /// True when its last holder died with it in hand.
  /// - Throws: `.tryAgain` when its holder was stopped.
  private func lock() throws -> Bool {
    let began = Clock.sinceBoot()
    while true {
      do throws(SystemCallError) { return try page.lock.lock(seconds: Self.lockSeconds) } catch {
        guard error.code != ENOTRECOVERABLE else {
          throw SpoolError(
            .inputOutput,
            "the lock of the log is lost: another program took it over from one that died, and didn't say so",
            hint: "end all that use the spool on this host, and remove log/\(part)/commit", cause: error)
        }
        guard error.code == ETIMEDOUT else { throw error }
        let holder = page.lock.holder
        if ProcessIdentity.isStopped(holder) {
          throw SpoolError(
            .tryAgain, "process \(holder) was stopped with the lock of the log in hand, and nothing was written",
            hint: "kill -CONT \(holder), or kill it: nothing is lost by that", cause: error)
        }
        if Clock.sinceBoot() - began > Self.lockNanosecondsMax {
          throw SpoolError(
            .tryAgain, "process \(holder) has had the lock of the log for minutes, and nothing was written",
            hint: "see what it waits for; if there is no such process, end all that use the spool on this host, and "
              + "remove log/\(part)/commit", cause: error)
        }
      }
    }
  }

  private func append(_ line: [UInt8], _ state: inout State) throws(SystemCallError) -> Receipt {
    var hasRotated = false
    var segment = try currentSegment(&state)
    let isFull = page.segmentEnd > 0 && page.segmentEnd + line.count > segmentBytesMax
    if isFull || page.failedSegment == page.segment {
      segment = try begin(&state)
      hasRotated = true
    }
    let written: Int
    do { written = try writeOnce(line, segment, &state) } catch {
      cutBack(segment, &state)
      throw error
    }
    if written != line.count {
      cutBack(segment, &state)
      let isPastLimit = page.segmentEnd + line.count > fileSizeMax()
      throw SystemCallError("write", Layout.segment(of: part, segment.start), isPastLimit ? EFBIG : ENOSPC)
    }
    let position = page.advance(line.count)  // commit: logged from here on
    return Receipt(position: position, segment: segment, hasRotated: hasRotated)
  }

  private func writeOnce(_ line: [UInt8], _ segment: Segment, _ state: inout State) throws(SystemCallError) -> Int {
    guard page.hasRoom else { return try segment.file.writeOnce(line) }
    if state.overwriting?.number != segment.number {
      let file = try root.open(Layout.segment(of: part, segment.start), O_WRONLY)
      state.overwriting = Segment(number: segment.number, start: segment.start, file: file)
    }
    return try state.overwriting!.file.writeOnce(line, at: page.segmentEnd)
  }

  /// Takes off what a failed write may have left, so that the next line begins where one should.
  func cutBack(_ segment: Segment, _ state: inout State) {
    let end = page.segmentEnd
    do throws(SystemCallError) {
      if try segment.file.status().size > end { try segment.file.truncate(to: end) }
      page.roomEnd = 0
    } catch {
      // Nothing may be appended after half a line: another segment, or a repair before the next line.
      if (try? begin(&state)) == nil { page.hasTornTail = true }
    }
  }

  /// Without the lock: a network file system may take long, and all would wait for it one after the other.
  private func openSegment() throws {
    let (number, start) = (page.segment, page.segmentStart)
    if state.withLock({ $0.segment?.number == number }) || start.microseconds == 0 { return }
    guard let file = try root.openIfPresent(Layout.segment(of: part, start), O_WRONLY | O_APPEND) else { return }
    let segment = Segment(number: number, start: start, file: file)
    state.withLock { state in
      state.segment = segment
      state.checked = Clock.sinceBoot()
    }
  }

  /// From time to time, by processes that wait: takes away what nobody uses. A segment that was removed keeps its place on
  /// the disk for as long as anybody has it open.
  func tidy() {
    cutAbandonedRoom()
    let number = page.segment
    state.withLock { state in
      if state.segment?.number != number { state.segment = nil }
      if state.overwriting?.number != number { state.overwriting = nil }
    }
  }

  func currentSegment(_ state: inout State) throws(SystemCallError) -> Segment {
    let now = Clock.sinceBoot()
    if let segment = state.segment, segment.number == page.segment, segment.start == page.segmentStart {
      if now - state.checked < Self.checkNanoseconds { return segment }
      state.checked = now
      if page.hasRoom, now - page.roomUsed > Self.roomIdleNanoseconds { cutRoom() }
      if try segment.file.status().links > 0 { return segment }
      return try begin(&state)
    }
    let start = page.segmentStart
    if start.microseconds > 0,
      let file = try root.openIfPresent(Layout.segment(of: part, start), O_WRONLY | O_APPEND)
    {
      let segment = Segment(number: page.segment, start: start, file: file)
      state.segment = segment
      state.checked = now
      return segment
    }
    return try begin(&state)
  }

  /// Opens the next segment. Its name is synced: what is in it is worth no more than that.
  func begin(_ state: inout State, after last: Timestamp? = nil) throws(SystemCallError) -> Segment {
    cutRoom()
    let segment = try makeSegment(after: max(page.segmentStart, last ?? page.segmentStart))
    let header = page.segmentStart.microseconds > 0 ? writeHeader(segment.file, segment.start) : 0
    do throws(SystemCallError) { try syncNames() } catch {
      // Readers would go on to it, while lines are still appended to the one before.
      _ = try? root.unlink(Layout.segment(of: part, segment.start))
      throw error
    }
    page.beginSegment(segment.start)
    _ = page.advance(header)
    state.segment = segment
    state.checked = Clock.sinceBoot()
    return segment
  }

  private func makeSegment(after last: Timestamp) throws(SystemCallError) -> Segment {
    // A clock that was set back must not make a segment that sorts before the last one.
    var start = Timestamp(microseconds: max(Clock.wall(), last.microseconds + 1))
    var isRemoved = false
    while true {
      do throws(SystemCallError) {
        let file = try root.open(Layout.segment(of: part, start), O_WRONLY | O_APPEND | O_CREAT | O_EXCL)
        return Segment(number: page.segment + 1, start: start, file: file)
      } catch {
        switch error.code {
        // By somebody who could not take it away again.
        case EEXIST: start = Timestamp(microseconds: start.microseconds + 1)
        // Somebody removed the log of a spool in use.
        case ENOENT where !isRemoved:
          isRemoved = true
          try root.makeDirectory(Layout.log)
          try root.makeDirectory(Layout.logs(of: part))
        default: throw error
        }
      }
    }
  }

  private func syncNames() throws(SystemCallError) {
    try root.open(Layout.logs(of: part), O_RDONLY | O_DIRECTORY).syncData()
  }

  /// So many segments are named by one that follows them.
  private static let namedMax = 16

  /// The first line names the segments before, so that they are missed should somebody remove them. On a full disk there
  /// is none.
  /// - Returns: its length.
  private func writeHeader(_ file: borrowing Descriptor, _ start: Timestamp) -> Int {
    let before = page.segmentStart
    let earlier = ((try? LogFiles(root: root).segments(of: part)) ?? []).map(\.start).filter { $0 < before }
    let line = LogEvent.line(
      kind: .logBegan, subject: LogPart.host(of: part), source: source, number: Self.nextNumber(), time: start
    ) { writer in
      writer.beginObject()
      writer.member("after", before.compact)
      if !earlier.isEmpty { writer.member("earlier", earlier.suffix(Self.namedMax - 1).reversed().map(\.compact)) }
      writer.endObject()
    }
    let written = (try? file.writeOnce(line)) ?? 0
    if written == line.count { return written }
    // A call may have failed that was made all the same.
    try? file.truncate(to: 0)
    return 0
  }

  /// After a process died with the lock in hand: whole lines that it wrote count, half a line is set aside and cut, with
  /// the room that it may stand in. The segment that it was about to begin is the one to go on with: readers may be there.
  private func repairTail() throws {
    try countTail()
    guard let next = try begunSegment() else { return }
    try syncNames()
    page.beginSegment(next.start)
    try countTail()
  }

  private func countTail() throws(SystemCallError) {
    let path = Layout.segment(of: part, page.segmentStart)
    let end = page.segmentEnd
    if let found = try LogTail.mend(path, after: end, in: root), found.end > end { _ = page.advance(found.end - end) }
    page.roomEnd = 0
  }

  /// One that the page doesn't know, with no more in it than the first line; what is longer somebody has put there.
  private func begunSegment() throws(SystemCallError) -> LogFiles.Segment? {
    guard let last = try LogFiles(root: root).segments(of: part).last, last.start > page.segmentStart,
      let status = try root.status(last.path), status.size <= Self.headerBytesMax
    else { return nil }
    return last
  }

  /// The names of sixteen segments, and a host's.
  private static let headerBytesMax = 1024

  // MARK: Syncing

  /// Returns when everything up to the receipt is on the disk. C: fdatasync(2), futex(2).
  /// - Throws: `.outcomeUnknown` when the disk refused: the line may be there or not.
  func waitUntilSynced(_ receipt: Receipt) throws {
    let segment = receipt.segment
    let began = Clock.sinceBoot()
    page.joinSync()
    pace.withLock { $0.note(began, written: page.written) }
    while true {
      // In this order: a position synced in a later segment says nothing of this one.
      let synced = page.synced
      guard page.segment == segment.number else {
        guard let outcome = page.outcome(of: segment.number) else { throw Self.unknownOutcome(nil) }
        if outcome.synced >= receipt.position { return }
        if outcome.isFailed { throw Self.unknownOutcome(nil) }
        try sync(receipt)
        return
      }
      if synced >= receipt.position { return }
      let generation = page.generation
      let isOverdue = Clock.sinceBoot() - began > Self.syncNanosecondsMax
      if page.beginSync() || isOverdue {
        try syncForAll(receipt)
      } else if page.synced < receipt.position {
        page.waitForSync(after: generation, nanoseconds: Self.syncNanosecondsMax / 4)
      }
    }
  }

  private func syncForAll(_ receipt: Receipt) throws {
    let segment = receipt.segment
    page.awaitCompany()
    makeRoom(segment)
    var synced: UInt64?
    defer { page.endSync(upTo: synced) }
    guard page.segment == segment.number else { return }
    guard page.failedSegment < segment.number else { throw Self.unknownOutcome(nil) }
    let position = try sync(receipt)
    // Another process may have had the no meanwhile, and who opened the file after that has a yes.
    guard page.failedSegment < segment.number else { throw Self.unknownOutcome(nil) }
    // Otherwise some of it may be in the next one.
    if page.segment == segment.number { synced = position }
  }

  static func unknownOutcome(_ cause: SystemCallError?) -> SpoolError {
    SpoolError(
      .outcomeUnknown, "the disk did not confirm the log: what was done may or may not be kept",
      hint: "see the disk's health; after a restart of the machine the log says which", cause: cause)
  }
}
