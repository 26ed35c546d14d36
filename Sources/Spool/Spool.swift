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
  /// The name of this machine in logs and claims: `SPOOL_HOST` in the environment, else the machine's own.
  public let host: String
  /// What recovery did when the spool was opened; nil when there was no need for any.
  public let recovery: RecoveryReport?
  let root: Directory
  let process: ProcessIdentity
  let writer: Result<LogWriter, SpoolError>
  /// Whether this process has a directory below `tasks/moving/`.
  let hasMovingDirectory = Atomic(false)
  let lastClaim = Mutex<FreshClaim?>(nil)
  /// How much may wait in the inboxes that this process sends to.
  let knownLimits = Mutex<[BotName: KnownLimits]>([:])
  let rememberedStates = Mutex<[StateKey: RememberedState]>([:])

  /// A claim that was just made, and until when its lease can't have run out; nanoseconds since boot.
  struct FreshClaim {
    let bot: BotName
    let name: EntryName
    let end: Int
  }

  /// Opens a spool. After a reboot, or in a copy, the first to open it repairs it before this returns.
  /// A spool on a read-only file system can be opened, and read.
  /// - Throws: `.notASpool`, `.inputOutput`.
  public init(at path: String) throws {
    self.path = path
    let root: Directory
    do { root = try Directory(path) } catch {
      let why = error.code == ENOTDIR ? "is not a directory" : error.reason.lowercased()
      throw SpoolError(
        .notASpool, "no spool at \(path): \(why)", hint: "make one with: spool init \(path)", cause: error)
    }
    self.root = root
    settings = try Self.readSettings(root)
    host = Self.currentHost()
    process = ProcessIdentity.current()
    holder = Holder(host: host, pid: process.pid, start: process.started)
    do {
      let opened = try LogOpening(root: root, host: host, process: process, settings: settings).open()
      writer = .success(opened.writer)
      recovery = opened.report
    } catch let error as SpoolError where error.code == .notPermitted {
      writer = .failure(error)
      recovery = nil
    }
  }

  deinit { if hasMovingDirectory.load(ordering: .relaxed) { leaveMoving() } }

  /// Makes a spool in a directory that is empty or not there yet.
  /// A directory that is a spool already is left as it is, and its settings stay; returns whether it was made now.
  /// - Throws: `.cannotCreate` for a directory with other things in it.
  @discardableResult
  public static func create(at path: String, configure: (inout Settings) -> Void = { _ in }) throws -> Bool {
    try makeParents(of: path)
    let root: Directory
    do { root = try Directory(path) } catch {
      throw SpoolError(.cannotCreate, "cannot make a spool at \(path): \(error.reason.lowercased())", cause: error)
    }
    if try root.status(Layout.settings) != nil {
      _ = try readSettings(root)
      try makeDirectories(root)
      return false
    }
    let present = try root.names(".").filter { !Layout.top.contains($0) }
    if let stranger = present.first {
      throw SpoolError(
        .cannotCreate, "\(path) is not empty (it has \(stranger.escapedForTerminal())), and is no spool",
        hint: "give a new directory, such as \(path)/spool")
    }
    let random = try Random.bytes(16).map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }
    var settings = Settings(identity: random.joined())
    settings.createdAt = Timestamp(microseconds: Clock.wall())
    configure(&settings)
    try doing("cannot make a spool at \(path)") {
      try makeDirectories(root)
      var writer = JSONWriter()
      settings.write(to: &writer)
      let temporary = Layout.temporary("spool.json.\(getpid())")
      let file = try root.open(temporary, O_WRONLY | O_CREAT | O_TRUNC)
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

  private static func readSettings(_ root: Directory) throws -> Settings {
    let bytes: [UInt8]?
    do { bytes = try root.readFile(Layout.settings, maximum: Settings.bytesMax) } catch {
      throw SpoolError(.notASpool, "cannot read \(root.path)/spool.json: \(error.reason.lowercased())", cause: error)
    }
    guard let bytes else {
      throw SpoolError(
        .notASpool, "\(root.path) is no spool: it has no spool.json", hint: "make one with: spool init \(root.path)")
    }
    do { return try Settings(parsing: bytes) } catch {
      throw SpoolError(.notASpool, "\(root.path)/spool.json \(error)")
    }
  }

  /// The name that this process goes by in logs and claims.
  public static func currentHost() -> String {
    Holder.hostName(getenv("SPOOL_HOST").map { String(cString: $0) } ?? hostName())
  }

  /// This process, as the holder of what it claims.
  public let holder: Holder

  /// A holder behind which no process stands: the claim lasts for its lease, whoever made it.
  public func detachedHolder() -> Holder { Holder(host: host, pid: 0, start: UInt64.random(in: 1...0xffff_ffff)) }

  var log: LogWriter { get throws { try writer.get() } }

  /// Why this process can't write to the spool; nil when it can.
  public var logProblem: String? { if case .failure(let error) = writer { error.description } else { nil } }

  /// What the spool lies on.
  public func fileSystem() throws -> FileSystem {
    try doing("cannot look at the file system") { try root.fileSystem() }
  }

  /// Writes what happened, where nobody's yes depends on it: a full disk must not stop receiving.
  func note(_ kind: LogEvent.Kind, _ subject: String, data: (inout JSONWriter) -> Void) {
    _ = try? log.append(kind, subject, data: data)
  }

  func now() -> Timestamp { Timestamp(microseconds: Clock.wall()) }

  func newIdentifier() -> MessageID { MessageID(time: now(), random: Random.bits()) }

  /// Writes a small file whole: to `tmp/`, then over the old one.
  func replace(_ path: String, with bytes: [UInt8]) throws(SystemCallError) {
    try root.replace(
      path, with: bytes, through: Layout.temporary("\(holder)-\(UInt32.random(in: .min ... .max))"))
  }
}

extension Directory {
  /// Writes a file whole: through another, of a name that nobody else uses, which is not left behind when that fails.
  func replace(
    _ path: String, with bytes: [UInt8], through temporary: String, isSynced: Bool = false
  ) throws(SystemCallError) {
    let file = try open(temporary, O_WRONLY | O_CREAT | O_TRUNC)
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
