import Glibc
import Linux
import Spool
import SpoolFormat

extension Invocation {
  /// The spool that is meant: `--spool`, else `$SPOOL_DIR`, else the nearest directory upward with a `spool.json`.
  func spool() throws -> Spool {
    let spool = try Spool(at: try location())
    if let report = spool.recovery, report.count + report.damagedCount + report.tornBytes > 0 {
      Output.talk(
        "spool: recovered after a reboot, or as a copy: \(Output.count(report.count, "thing")) put right; see: spool doctor"
      )
    }
    return spool
  }

  private func location() throws -> String {
    if let given = value("--spool") {
      guard !given.isEmpty else { throw UsageError("--spool is empty") }
      return given
    }
    if let variable = Self.environment("SPOOL_DIR") { return variable }
    var directory = Self.workingDirectory()
    while true {
      if access(directory + "/spool.json", F_OK) == 0 { return directory }
      guard directory != "/", let slash = directory.lastIndex(of: "/") else { break }
      directory = slash == directory.startIndex ? "/" : String(directory[..<slash])
    }
    throw SpoolError(
      .notASpool, "no spool here, nor in any directory above",
      hint: "make one with: spool init DIR; then: export SPOOL_DIR=DIR, or give --spool DIR")
  }

  static func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  static func workingDirectory() -> String {
    guard let path = getcwd(nil, 0) else { return "/" }
    defer { free(path) }
    return String(cString: path)
  }

  /// A name that a message carries.
  func label(_ option: String) throws -> String? {
    guard let text = value(option) else { return nil }
    guard 1...Message.labelBytesMax ~= text.utf8.count else {
      throw UsageError("\(option) has \(text.utf8.count) bytes, and may have 1 to \(Message.labelBytesMax)")
    }
    return text
  }

  /// Who sends: `--from`, else `$SPOOL_BOT`, else the user's name, as far as a bot can have it.
  func sender() throws -> String {
    if let given = value("--from") { return try BotName(parsing: given).description }
    if let bot = Self.environment("SPOOL_BOT") { return try BotName(parsing: bot).description }
    let user =
      Self.environment("USER") ?? Self.environment("LOGNAME") ?? Accounts.name(ofUser: Accounts.user) ?? "human"
    return (try? BotName(parsing: user.lowercased()))?.description ?? "human"
  }

  /// The text to send: an operand, `-` or nothing for standard input, or `--file`, which may be `-`, too.
  func text(operand index: Int) throws -> String {
    if let file = value("--file") {
      guard index >= operands.count else { throw UsageError("give a text or --file, not both") }
      return try Self.read(file)
    }
    if index < operands.count, !isStandardInput(index) { return operands[index] }
    if index >= operands.count, isatty(0) == 1 {
      throw UsageError("the text is missing; or pipe it in, or give --file F")
    }
    return try Self.read("-")
  }

  /// The same of somebody who has something to say: nothing at all on a standard input that wasn't named, as cron has it, is
  /// a text that was forgotten.
  func spokenText(operand index: Int) throws -> String {
    let text = try text(operand: index)
    guard !text.isEmpty || index < operands.count || value("--file") != nil else {
      throw UsageError("the text is missing, and standard input is empty; for an empty text give \"\"")
    }
    return text
  }

  /// What a message says in words: nil where only its data or its context speak. Standard input isn't touched then: it may be
  /// a loop's.
  func content(operand index: Int) throws -> String? {
    let speaks = index < operands.count || value("--file") != nil
    return !speaks && (has("--data") || has("--context")) ? nil : try spokenText(operand: index)
  }

  /// What a file says; `-` is standard input.
  static func read(_ file: String) throws -> String {
    let path = file == "-" ? "standard input" : file
    var bytes: [UInt8] = []
    do {
      // Not through /dev/stdin: a socket can't be opened, nor another user's pipe, and of a file it is the beginning.
      let file = try file == "-" ? Descriptor.duplicate(0, path) : Descriptor.open(file, O_RDONLY)
      while true {
        guard let part = try file.read(maximum: 1 << 20) else {
          _ = try Poll.wait([file.raw], nanoseconds: nil)
          continue
        }
        if part.isEmpty { break }
        bytes += part
        guard bytes.count <= Message.bytesMax else {
          throw SpoolError(
            .badData, "\(path) has more than the \(Message.bytesMax) bytes that a message may have",
            hint: "send its name instead")
        }
      }
    } catch let error as SystemCallError {
      // A name that is wrong is the caller's mistake; what the disk refuses isn't.
      guard [ENOENT, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG].contains(error.code) else {
        throw SpoolError("cannot read \(path)", error)
      }
      throw SpoolError(.badData, "cannot read \(path): \(error.reason.lowercased())", cause: error)
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw SpoolError(.badData, "\(path) is not UTF-8", hint: "send its name instead, or encode it")
    }
    return text.hasSuffix("\n") || text.hasSuffix("\r\n") ? String(text.dropLast()) : text
  }
}
