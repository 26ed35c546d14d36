import Glibc
import Linux
import SpoolFormat
import Synchronization

/// A spool: bots, the messages between them, and their history, in a directory.
/// Any number of processes, and threads of each, may use it at once. Calls block; see `Inbox` for waiting.
public final class Spool: Sendable {
  /// As it was given to `init`.
  public let path: String
  public let settings: Settings
  /// The name of this machine in logs and claims: `SPOOL_HOST` in the environment, else the machine's own, with something
  /// added where another machine that shares the spool has that name.
  public let host: String
  /// What recovery did when the spool was opened; nil when there was no need for any.
  public let recovery: RecoveryReport?
  let root: Directory
  /// Nil where one user has the spool alone.
  let sharing: SharedSpool?
  /// The directory below `log/` that this process appends to: its host's and, where users share the spool, its user's.
  let part: String
  let process: ProcessIdentity
  let logAccess: LogAccess
  /// Whether this process has a directory below `tasks/moving/` or `groups/moving/`.
  let hasMovingDirectory = Atomic(false)
  /// Whether the file system can swap two files, as far as it is known.
  let exchangesFiles = Atomic(true)
  let lastClaim = Mutex<FreshClaim?>(nil)
  /// How much may wait in the inboxes that this process sends to.
  let knownLimits = Mutex(KnownInboxes())
  /// How far the clock of a shared file system is ahead of this host's since boot, and when it was asked; nanoseconds.
  let remoteClock = Mutex<(ahead: Int, asked: Int)?>(nil)
  let rememberedStates = Mutex<RememberedStates?>(nil)
  let hadMessages = Mutex<HadMessages?>(nil)
  /// What was sent and couldn't be delivered yet, a sentence each.
  let problems = Mutex<[String]>([])

  /// A claim that was just made, and until when its lease can't have run out; nanoseconds since boot. With texts that are
  /// made of its name, because it is likely to be acked next.
  /// A class, as is what else few processes need: to let go of none, the runtime looks up no type.
  final class FreshClaim: Sendable {
    let bot: BotName
    let name: EntryName
    let path: String
    /// The message's id, as the log has it.
    let subject: String
    let end: Int

    init(bot: BotName, name: EntryName, path: String, subject: String, end: Int) {
      self.bot = bot
      self.name = name
      self.path = path
      self.subject = subject
      self.end = end
    }
  }

  /// Whether this process can write to the log. No `Result`: to look up a type whose parameters must conform to something
  /// the runtime goes through all conformances, 100,000 instructions, of which all else that a command does to send a
  /// message takes five times as many.
  enum LogAccess {
    case granted(LogWriter)
    case refused(SpoolError)
  }

  /// Opens a spool. After a reboot, or in a copy, the first to open it repairs it before this returns.
  /// A spool on a read-only file system can be opened, and read.
  /// - Throws: `.notASpool`, `.inputOutput`; `.notPermitted` for a shared one of a group that this user isn't in.
  public convenience init(at path: String) throws { try self.init(at: path, machine: Self.currentHost()) }

  /// As a machine of this name.
  init(at path: String, machine: String) throws {
    self.path = path
    let opened = try SharedSpool.openRoot(path)
    settings = try Self.readSettings(opened)
    if settings.sharedWith != nil {
      root = try doing("cannot open \(path)") { try Directory(opened, sharedAs: SharedSpool.tree) }
      sharing = SharedSpool(isOnNetwork: opened.isRemote)
    } else {
      root = opened
      sharing = nil
    }
    let identity = HostIdentity(root: root, wanted: machine, user: sharing?.user)
    host = try doing("cannot tell which host this is") { try identity.name() }
    part = LogPart.name(host: host, user: sharing?.user)
    process = ProcessIdentity.current()
    holder = Holder(host: host, pid: process.pid, start: process.started)
    do {
      let opened = try LogOpening(
        root: root, host: host, part: part, user: sharing?.user, process: process, settings: settings
      ).open()
      logAccess = .granted(opened.writer)
      recovery = opened.report
    } catch let error as SpoolError where error.code == .notPermitted {
      logAccess = .refused(error)
      recovery = nil
    }
  }

  deinit { if hasMovingDirectory.load(ordering: .relaxed) { leaveMoving() } }

  /// Makes a spool in a directory that is empty or not there yet.
  /// A directory that is a spool already is left as it is; returns whether it was made now.
  /// - Parameter group: the name or the number of the group whose members are to share it, each with bots of his own.
  /// - Throws: `.cannotCreate` for a directory with other things in it, for a spool with other settings than `configure`
  ///   gives, and for a group that isn't there; `.notPermitted` for a group that this user isn't in; what `configure` throws.
  @discardableResult
  public static func create(
    at path: String, sharedWith group: String? = nil, configure: (inout Settings) throws -> Void = { _ in }
  ) throws -> Bool {
    let number = try group.map { try SharedSpool.group(named: $0) }
    try makeParents(of: path)
    var root: Directory
    do { root = try Directory(path) } catch {
      throw SpoolError(.cannotCreate, "cannot make a spool at \(path): \(error.reason.lowercased())", cause: error)
    }
    if try root.status(Layout.settings) != nil {
      let settings = try readSettings(root)
      guard (settings.sharedWith == nil) == (group == nil) else {
        throw SpoolError(
          .cannotCreate, "\(path) is a spool already, and \(settings.sharedWith == nil ? "not shared" : "shared")",
          hint: "who shares it is decided when it is made")
      }
      var wanted = settings
      try configure(&wanted)
      guard wanted == settings else {
        throw SpoolError(
          .cannotCreate, "\(path) is a spool already, with other settings, and nothing was changed",
          hint: "edit \(path)/\(Layout.settings)")
      }
      if settings.sharedWith == nil { try makeDirectories(root) }
      return false
    }
    let present = try root.names(".").filter { !Layout.top.contains($0) && $0 != Layout.recordDirectories }
    if let stranger = present.first {
      throw SpoolError(
        .cannotCreate, "\(path) is not empty (it has \(stranger.escapedForTerminal())), and is no spool",
        hint: try wasSpool(root) ? recreation(path) : "give a new directory, such as \(path)/spool")
    }
    var settings = Settings(identity: try newIdentity())
    settings.createdAt = Timestamp(microseconds: Clock.wall())
    settings.sharedWith = group
    try configure(&settings)
    try doing("cannot make a spool at \(path)") {
      if let number {
        try root.give(toGroup: number, mode: Permissions.shownDirectory)
        root = try Directory(root, sharedAs: SharedSpool.tree)
        try root.makeDirectory(Layout.recordDirectories)
      }
      try makeDirectories(root)
      var writer = JSONWriter()
      settings.write(to: &writer)
      let temporary = Layout.temporary("spool.json.\(getpid())")
      let file = try root.open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: root.mode(ofFile: Layout.settings))
      try file.write(Array(writer.text.value.prettyPrinted().utf8) + [UInt8(ascii: "\n")])
      try file.close()
      try root.rename(temporary, to: Layout.settings)  // commit: a spool from here on
      try root.syncFileSystem()
    }
    return true
  }

  private static func makeDirectories(_ root: Directory) throws(SystemCallError) {
    for name in Layout.top { try root.makeDirectory(name) }
  }

  private static func makeParents(of path: String) throws {
    let start = try doing("cannot make \(path)") { try Directory(path.hasPrefix("/") ? "/" : ".") }
    var made = ""
    for part in path.split(separator: "/") {
      made += made.isEmpty ? String(part) : "/" + part
      do { try start.makeDirectory(made) } catch {
        throw SpoolError(.cannotCreate, "cannot make \(path): \(error.reason.lowercased())", cause: error)
      }
    }
  }

  /// Whether an error says that there is nothing of that name; any other says nothing of what is there.
  static func isAbsence(_ code: CInt) -> Bool { [ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG].contains(code) }

  private static func readSettings(_ root: Directory) throws -> Settings {
    let bytes: [UInt8]?
    do { bytes = try root.readFile(Layout.settings, maximum: Settings.bytesMax) } catch {
      guard isAbsence(error.code) || error.code == EFBIG || error.code == EINVAL else {
        throw SpoolError("cannot read \(root.path)/spool.json", error)
      }
      throw SpoolError(.notASpool, "cannot read \(root.path)/spool.json: \(error.reason.lowercased())", cause: error)
    }
    guard let bytes else {
      throw SpoolError(
        .notASpool, "\(root.path) is no spool: it has no spool.json",
        hint: try wasSpool(root) ? recreation(root.path) : "make one with: spool init \(root.path)")
    }
    do { return try Settings(parsing: bytes) } catch {
      let isLost = bytes.isEmpty && wasSpool(root)
      throw SpoolError(
        .notASpool, "\(root.path)/spool.json \(error)", hint: try isLost ? recreation(root.path) : nil)
    }
  }

  /// Whether there is what a spool has besides its `spool.json`, which somebody lost.
  private static func wasSpool(_ root: Directory) -> Bool {
    [Layout.bots, Layout.log].allSatisfy { ((try? root.status($0)) ?? nil)?.isDirectory == true }
  }

  private static func recreation(_ path: String) throws -> String {
    let content = "{\"nanospool\":\(Settings.formatVersion),\"id\":\"\(try newIdentity())\"}"
    return "it was one, as bots/ and log/ say: bring spool.json back from a copy, or make it again: "
      + "echo '\(content)' > \(path)/spool.json; what init was told was in it, and one that was --shared needs "
      + "\"shared_with\":\"GROUP\" there, too"
  }

  private static func newIdentity() throws -> String {
    try Random.bytes(16).map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined()
  }

  /// The name that this machine calls itself. In a shared spool where another machine has that name it goes by another
  /// one, `host`.
  public static func currentHost() -> String {
    Holder.hostName(getenv("SPOOL_HOST").map { String(cString: $0) } ?? hostName())
  }

  /// This process, as the holder of what it claims.
  public let holder: Holder

  /// A holder behind which no process stands: the claim lasts for its lease, whoever made it.
  public func detachedHolder() -> Holder { Holder(host: host, pid: 0, start: UInt64.random(in: 1...0xffff_ffff)) }

  var log: LogWriter {
    get throws {
      switch logAccess {
      case .granted(let log): return log
      case .refused(let error): throw error
      }
    }
  }

  /// Why this process can't write to the spool; nil when it can.
  public var logProblem: String? { if case .refused(let error) = logAccess { error.description } else { nil } }

  /// What the spool lies on.
  public func fileSystem() throws -> FileSystem {
    try doing("cannot look at the file system") { try root.fileSystem() }
  }

  /// Whether other hosts may use it: events don't tell of what they do, which is looked for at intervals.
  public var isRemote: Bool { root.isRemote }

  /// Writes what happened, where nobody's yes depends on it: a full disk must not stop receiving.
  /// - Parameter decide: asked under the lock of the log; when it says true, nothing is written.
  func note(
    _ kind: LogEvent.Kind, _ subject: String, unless decide: (() throws -> Bool)? = nil,
    data: (inout JSONWriter) -> Void
  ) {
    _ = try? log.append(kind, subject, unless: decide, data: data)
  }

  func now() -> Timestamp { Timestamp(microseconds: Clock.wall()) }

  func newIdentifier() -> MessageID { MessageID(time: now(), random: Random.bits()) }

  /// Whether its time is further ahead than clocks may differ: when that has come, the log would be searched for it in
  /// the wrong place.
  public func isAhead(_ id: MessageID) -> Bool { id.time.seconds(since: now()) > LogFiles.clockSecondsMax }

  /// Writes a small file whole: to `tmp/`, then over the old one.
  func replace(_ path: String, with bytes: [UInt8]) throws(SystemCallError) {
    try root.replace(
      path, with: bytes, through: Layout.temporary("\(holder)-\(UInt32.random(in: .min ... .max))"))
  }
}

extension Directory {
  /// Writes a file whole: through another, of a name that nobody else uses, which is not left behind when that fails.
  func replace(
    _ path: String, with bytes: [UInt8], through temporary: String, isSynced: Bool = false, mode: mode_t? = nil
  ) throws(SystemCallError) {
    let file = try open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: mode ?? self.mode(ofFile: path))
    do {
      try file.write(bytes)
      if isSynced { try file.syncData() }
      try file.close()
      try rename(temporary, to: path)
    } catch {
      _ = try? unlink(temporary)
      throw error
    }
  }
}

extension JSONWriter {
  /// What was written, when it is one whole value.
  public var text: JSONText { JSONText(trusted: bytes) }
}
