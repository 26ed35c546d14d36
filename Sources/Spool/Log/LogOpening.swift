import Glibc
import Linux
import SpoolFormat

/// Opens this host's log for writing. The first process to do so after a boot, in a copy of a spool, or when the disk
/// was gone meanwhile, mends the log's end and has the spool recovered; the others wait for it.
struct LogOpening {
  let root: Directory
  let host: String
  /// The directory below `log/`.
  let part: String
  /// The user who has it; nil where the spool isn't shared.
  let user: uid_t?
  let process: ProcessIdentity
  let settings: Settings

  func open() throws -> (writer: LogWriter, report: RecoveryReport?) {
    try doing("cannot open the log of \(host)") {
      if user != nil { try requireOwnPart() }
      let file = try openPage()
      let page = try CommitPage(file)
      let boot = try Clock.bootIdentity()
      let status = try root.status()
      let directory = CommitPage.Root(
        // A network file system that is mounted once more has another number.
        inode: status.inode, device: root.isRemote ? 0 : status.device)
      let writer = LogWriter(
        root: root, host: host, part: part, process: process, segmentBytesMax: settings.segmentBytesMax, page: page)
      func isSound() throws -> Bool { try page.isReady(inBoot: boot, root: directory) && !writer.isAdrift() }
      if try isSound() {
        writer.cutAbandonedRoom()
        return (writer, nil)
      }

      try RecoveryTurn.wait(for: file)
      defer { _ = try? file.unlock() }
      if try isSound() { return (writer, nil) }
      let report = try Recovery.alone(in: root, as: user) { try recover(writer, boot, directory) }
      return (writer, report)
    }
  }

  private func recover(_ writer: LogWriter, _ boot: String, _ directory: CommitPage.Root) throws -> RecoveryReport {
    let page = writer.page
    let isOurs = page.belongs(toBoot: boot, root: directory)
    let isWhole = !page.hasRoot(directory) || page.state == .recoveringAll
    let isCopy = try page.state == .recoveringCopy || page.root.map { $0 != directory } ?? isCopyByOthers(directory)
    // A checkpoint vouches for the files of the directory it was made in, not for those of a copy; and it may name a
    // segment that was begun after the others were copied. First of all: should this die, the page is the copy's already.
    if isCopy {
      for part in try LogFiles(root: root).hosts() { _ = try? root.unlinkIfPresent(Layout.checkpoint(of: part)) }
    }
    var report = RecoveryReport()
    // Copiers and archivers leave out directories that are empty.
    try root.makeTop()
    // Asked before the page is made, lest of two that come at once each leave it to the other. And who was here before the
    // page went adrift may be here still.
    let isLive = try isUsedByOthers(boot, directory) || page.isReady(inBoot: boot, root: directory)
    if !isOurs {
      let tail = try mendTail(&report)
      page.initialize(
        boot: boot, root: directory, start: tail.start, end: tail.end,
        as: isCopy ? .recoveringCopy : isWhole ? .recoveringAll : .recovering)
    } else if try writer.isAdrift() {
      if page.state == .ready { page.state = .recovering }
      report.tornBytes += try writer.resume()
    }
    // Copied while somebody collected, it may lack segments that he has read: what is appended to one before those counts
    // as settled.
    if let read = try Forgotten(in: root).read[part].flatMap({ Timestamp(compact: Array($0.segment.utf8)) }),
      page.segmentStart < read
    {
      _ = try writer.locked { state in try writer.begin(&state, after: read) }
    }
    try Recovery(root: root, host: host, part: part, user: user, log: writer, isCopy: isCopy)
      .run(fromCheckpoint: !isWhole, mending: true, live: isLive, &report)
    page.state = .ready
    return report
  }

  /// Whether others may be sending and receiving meanwhile: other hosts, or this one by another name (a container, say),
  /// which has recovered the spool in this boot.
  private func isUsedByOthers(_ boot: String, _ directory: CommitPage.Root) throws(SystemCallError) -> Bool {
    if root.isRemote { return try LogFiles(root: root).hosts().contains { LogPart.host(of: $0) != host } }
    return try otherPages().contains { CommitPage.isReady($0, inBoot: boot, root: directory) }
  }

  /// Whether the spool is a copy, by what the pages of other hosts say. The number of a device is each host's own.
  private func isCopyByOthers(_ directory: CommitPage.Root) throws(SystemCallError) -> Bool {
    let inodes = Set(try otherPages().compactMap { CommitPage.root(in: $0)?.inode })
    // Once somebody has used the copy, it is a spool like any other.
    return !inodes.isEmpty && !inodes.contains(directory.inode)
  }

  /// What the pages of other parts say of whose they are.
  private func otherPages() throws(SystemCallError) -> [[UInt8]] {
    var pages: [[UInt8]] = []
    for other in try LogFiles(root: root).hosts() where other != part {
      // Those of other users are closed.
      if let user, LogFiles(root: root).user(of: other) != user { continue }
      do {
        guard let file = try root.openIfPresent(Layout.commitPage(of: other), O_RDONLY) else { continue }
        pages.append(try file.read(at: 0, count: 64))
      } catch {
        // No part at all: a file, or a link that leads nowhere, that somebody put among them.
        guard error.code == ENOTDIR || error.code == ELOOP else { throw error }
      }
    }
    return pages
  }

  /// Where anybody may make a directory, somebody may have made ours.
  private func requireOwnPart() throws {
    guard let status = try root.status(Layout.logs(of: part)), status.owner != user || status.mode & 0o022 != 0 else {
      return
    }
    throw SpoolError(
      .notPermitted,
      "\(Layout.logs(of: part)) should be \(Accounts.shown(user: user ?? 0))'s alone, and belongs to \(Accounts.shown(user: status.owner))",
      hint: "ask whoever made the spool to move it away")
  }

  private func openPage() throws(SystemCallError) -> Descriptor {
    let path = Layout.commitPage(of: part)
    do { return try root.open(path, O_RDWR) } catch { if error.code != ENOENT { throw error } }
    try root.makeDirectory(Layout.log)
    try root.makeDirectory(Layout.logs(of: part))
    try root.open(Layout.log, O_RDONLY | O_DIRECTORY).syncData()
    return try root.open(path, O_RDWR | O_CREAT)
  }

  /// Cuts what a crash left of the last line of the last segment, and the room that it left.
  private func mendTail(_ report: inout RecoveryReport) throws(SystemCallError) -> (start: Timestamp, end: Int) {
    guard let last = try LogFiles(root: root).segments(of: part).last else { return (Timestamp(microseconds: 0), 0) }
    guard let found = try LogTail.mend(last.path, after: 0, in: root) else { return (last.start, 0) }
    report.tornBytes += found.torn
    return (last.start, found.end)
  }
}
