import Glibc
import Linux
import SpoolFormat

/// A key under which something is sent, or submitted, once: a file in `keys/` that says which id it stands for, and who
/// took it. Whether that was done, the log says.
struct IdempotencyKey {
  let text: String
  let from: String?
  /// As the sender named them: who belongs to a team or a topic, or is the best for something, changes.
  let recipients: [String]
  /// Who uses it, where users share the spool: what one has sent once is nothing to another.
  let user: UInt32?

  /// Named by a digest of what is to be sent once: FNV-1a, twice with different beginnings, 128 bits in all.
  var path: String {
    Layout.key(HostIdentity.digest(Array(([text, from ?? ""] + recipients).joined(separator: "\n").utf8)), of: user)
  }

  /// - Parameter askedFor: the address by which the recipients were chosen.
  init(text: String, from: String?, to recipients: [String], askedFor: String?, user: UInt32?) {
    self.text = text
    self.from = from
    self.recipients = askedFor.map { [$0] } ?? Set(recipients).sorted()
    self.user = user
  }

  /// No recipient of a message has such a name.
  init(ofWorkflow text: String, by author: String?, user: UInt32?) {
    self.init(text: text, from: author, to: ["#workflow"], askedFor: nil, user: user)
  }

  /// Under which a message was sent, or a workflow submitted; nil for one without a key, and for other events.
  init?(of event: LogEvent, user: UInt32?) {
    let isTask = event.kind == .taskAdded
    guard isTask || event.kind == .messageSent else { return nil }
    let key = event.data.withSlice { data -> IdempotencyKey? in
      // Of other tasks such a field is their author's own.
      guard let body = data[isTask ? "task" : "message"], !isTask || body["workflow"] != nil,
        let text = body["idempotency_key"]?.string
      else { return nil }
      if isTask { return IdempotencyKey(ofWorkflow: text, by: body["created_by"]?.string, user: user) }
      return IdempotencyKey(
        text: text, from: body["from"]?.string, to: event.message?.to ?? [], askedFor: body["asked_for"]?.string,
        user: user)
    }
    guard let key else { return nil }
    self = key
  }

  /// Who took the key, for which message or workflow.
  struct Owner {
    let id: MessageID
    let holder: Holder?

    /// Nil when it doesn't say so.
    init?(_ bytes: [UInt8]) {
      let parts = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
      guard let id = parts.first.flatMap({ MessageID(String($0)) }) else { return nil }
      self.id = id
      holder = parts.count > 1 ? Holder(parts[1]) : nil
    }
  }

  /// Nil when nobody has it, or a power cut left an empty file.
  func owner(in root: Directory) throws(SystemCallError) -> Owner? {
    guard let bytes = try root.readFile(path, maximum: 4096) else { return nil }
    if let owner = Owner(bytes) { return owner }
    // Two may find it empty at once: the second must not take away what the first has put there meanwhile. Nobody but who
    // has its lock removes it, so what is there then is the empty file still, or will never be it again.
    guard let file = try root.openIfPresent(path, O_RDWR) else { return nil }
    try file.lock()
    let opened = try file.status()
    guard try root.status(path)?.inode == opened.inode else { return nil }
    if let owner = Owner(try file.read(at: 0, count: 4096)) { return owner }
    try root.unlinkIfPresent(path)
    return nil
  }

  /// Whether it is ours now; false when somebody was first. One link(2) decides.
  func take(for id: MessageID, by holder: Holder, in root: Directory) throws(SystemCallError) -> Bool {
    if let user { try root.makeOwn(Layout.keys(of: user), of: user) }
    let temporary = Layout.temporary("key-\(id)-\(holder)")
    let file = try root.open(temporary, O_WRONLY | O_CREAT | O_TRUNC)
    defer { _ = try? root.unlink(temporary) }
    try file.write(Array("\(id) \(holder)\n".utf8))
    try file.close()
    do { try root.link(temporary, to: path) } catch {
      if error.code == EEXIST { return false }
      throw error
    }
    return true
  }
}

extension Spool {
  /// How long another process with the same key is waited for, which is at it now.
  private static let otherSecondsMax = 5.0

  /// Does what a key stands for, unless somebody has; then the answer is what became of that.
  /// - Parameters:
  ///   - id: of what is to be done, if nobody else does it under another.
  ///   - logged: the event with which something was done; nil when it wasn't.
  ///   - isAway: whether the owner of the key won't do it any more.
  ///   - act: does it under an id; nil when the log turns out to have that. Who takes over, or was stopped and may have
  ///     been taken for dead, must ask under the lock of the log, which lets one be first.
  ///   - answer: to what was done before; without its event where the log has forgotten that.
  func withKey<Result>(
    _ key: IdempotencyKey, for id: MessageID, logged: (MessageID) throws -> LogEvent?,
    isAway: (IdempotencyKey.Owner) throws -> Bool, act: (MessageID) throws -> Result?,
    answer: (MessageID, LogEvent?) throws -> Result
  ) throws -> Result {
    guard 1...Message.labelBytesMax ~= key.text.utf8.count else {
      throw SpoolError(.badData, "an idempotency key has 1 to \(Message.labelBytesMax) bytes")
    }
    let deadline = Clock.sinceBoot() + Int(Self.otherSecondsMax * 1e9)
    while true {
      if try doing("cannot keep the idempotency key", { try key.take(for: id, by: holder, in: root) }) {
        do { if let done = try act(id) { return done } } catch {
          release(key, after: error) { try logged(id) != nil }
          throw error
        }
        continue
      }
      guard let owner = try doing("cannot read the idempotency key", { try key.owner(in: root) }) else { continue }
      if try hasForgotten(owner.id) { return try answer(owner.id, nil) }
      if let event = try logged(owner.id) { return try answer(owner.id, event) }
      // The owner died before the log had it, or is just about to write it.
      if try isAway(owner) {
        if let done = try act(owner.id) { return done }
        continue
      }
      guard Clock.sinceBoot() < deadline else {
        throw SpoolError(
          .tryAgain, "somebody else is using the idempotency key", hint: "try again when \(owner.holder!) has ended")
      }
      _ = try? Poll.wait([], nanoseconds: 5_000_000)
    }
  }

  /// Gives the key back when nothing was done (no room), so that the next try of this process needn't wait for itself.
  /// Where that isn't certain it stays, and the log decides.
  private func release(_ key: IdempotencyKey, after error: any Error, unless isLogged: () throws -> Bool) {
    if error.isUnknownOutcome { return }
    do { if try !isLogged() { try root.unlinkIfPresent(key.path) } } catch {}
  }

  // MARK: Sending

  /// Sends a message whose key nobody has used yet; else returns the first one's id.
  func sendOnce(
    _ message: Message, _ key: String, _ recipients: [BotName], _ durability: Durability, evenIfFull: Bool
  ) throws -> MessageID {
    let askedFor = message.extra.first { $0.name == "asked_for" }?.value.value.string
    let key = IdempotencyKey(
      text: key, from: message.from, to: message.to, askedFor: askedFor, user: sharing?.user)
    let began = Clock.withSleep()
    return try withKey(
      key, for: message.id!, logged: { try History(self).sent($0, by: sharing?.user) },
      isAway: { owner in
        try owner.holder.map { try isAway($0, key.path, after: max(settings.leaseSeconds, 2 * Self.otherSecondsMax)) }
          ?? true
      },
      act: { id in
        let isTakenOver = id != message.id
        var message = message
        message.id = id
        return try send(message, recipients, durability, evenIfFull: evenIfFull) {
          guard isTakenOver else { return try self.mayBeTakenOver(id, since: began) && self.hasSent(id) }
          // Or the key was collected, and stands for nothing any more.
          return try self.hasSent(id) || key.owner(in: self.root)?.id != id
        }
      },
      answer: { id, sent in
        if durability == .durable, let sent { try assure(sent.time...sent.time) }
        return id
      })
  }

  /// Whether somebody won't go on with what he began: he is gone, or can't be seen from here, and the file that he made
  /// then is older than this. Its own file system tells the age, as hosts' clocks may differ.
  func isAway(_ holder: Holder, _ path: String, after seconds: Double) throws -> Bool {
    if canSee(holder) { return isGone(holder) }
    return try doing("cannot look at what \(holder) began") {
      guard let status = try root.status(path) else { return false }
      return Double(try ageByRemoteClock(status)) / 1e9 > seconds
    }
  }

  /// Whether a sender who was stopped may have been taken for dead by those who can't see it: half of the time that this
  /// takes has passed, by one of its own clocks.
  func mayBeTakenOver(_ id: MessageID, since began: Int, after seconds: Double = 2 * otherSecondsMax) -> Bool {
    max(Double(Clock.withSleep() - began) / 1e9, now().seconds(since: id.time)) > seconds / 2
  }

  /// Whether the log has a message of this user's with that id.
  func hasSent(_ id: MessageID) throws -> Bool { try History(self).sent(id, by: sharing?.user) != nil }

  /// Syncs this user's lines of a time, and what came after: who wrote them may have died before the sync, and a yes must
  /// not rest on that.
  /// - Throws: `.outcomeUnknown` when the disk refused that sync: it says so once, and yes to every other that follows.
  func assure(_ time: ClosedRange<Timestamp>) throws {
    if let refused = try log.page.refused,
      refused.lowerBound.advanced(bySeconds: -LogFiles.lateSecondsMax) <= time.upperBound,
      time.lowerBound <= refused.upperBound
    {
      throw LogWriter.unknownOutcome(nil)
    }
    try doing("cannot sync the log") {
      let files = LogFiles(root: root)
      for host in try files.hosts() where sharing == nil || files.user(of: host) == sharing?.user {
        let segments = try files.segments(of: host)
        let first = segments.lastIndex { $0.start <= time.lowerBound } ?? 0
        for segment in segments.dropFirst(first) { try root.openIfPresent(segment.path, O_RDONLY)?.syncData() }
      }
    }
  }
}
