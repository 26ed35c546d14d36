import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

/// A spool of its own for a test.
struct Fixture {
  let home: TemporaryDirectory
  let path: String
  let spool: Spool

  /// Relaxed, unless `configure` says otherwise: what the disk does is not what most tests are about.
  init(_ bots: String..., sharedWith group: String? = nil, configure: (inout Settings) -> Void = { _ in }) throws {
    home = try TemporaryDirectory()
    path = home("spool")
    try Spool.create(at: path, sharedWith: group) { settings in
      settings.durability = .relaxed
      configure(&settings)
    }
    spool = try Spool(at: path)
    for bot in bots { try spool.register(Card(name: BotName(parsing: bot))) }
  }

  /// Another process's view of it, as far as one process can have it.
  func reopened() throws -> Spool { try Spool(at: path) }

  func bot(_ name: String = "coder") throws -> BotName { try BotName(parsing: name) }

  func inbox(_ name: String = "coder", detached: Bool = false) throws -> Inbox {
    try Inbox(spool, bot(name), detached: detached)
  }

  @discardableResult
  func send(_ content: String, to: String..., from: String? = nil, _ change: (inout Message) -> Void = { _ in }) throws
    -> MessageID
  {
    var message = Message(content: content)
    message.to = to.isEmpty ? ["coder"] : to
    message.from = from
    change(&message)
    return try spool.send(message)
  }

  func box(_ box: String, of bot: String = "coder") -> String { "\(path)/bots/\(bot)/\(box)" }

  func names(_ box: String, of bot: String = "coder") -> [String] { Plain.names(self.box(box, of: bot)) }

  /// What the log says, oldest first.
  func events(_ kind: LogEvent.Kind? = nil) throws -> [LogEvent] {
    var events: [LogEvent] = []
    try History(spool).forEach(History.Filter()) { event in
      if kind == nil || event.kind == kind { events.append(event) }
      return true
    }
    return events
  }

  func kinds(of id: MessageID) throws -> [LogEvent.Kind] { try History(spool).trace(id).map(\.kind) }

  /// Takes and acks until there is nothing left; returns what they said.
  func drain(_ name: String = "coder") throws -> [String] {
    let inbox = try inbox(name)
    var contents: [String] = []
    while let claim = try inbox.claim() {
      contents.append(claim.message.content ?? "")
      try spool.ack(claim.bot, claim.name)
    }
    return contents
  }
}

/// The code of the error that `body` throws.
func code(of body: () throws -> Void) -> SpoolError.Code? {
  do {
    try body()
    return nil
  } catch { return (error as? SpoolError)?.code }
}

func error(of body: () throws -> Void) -> String {
  do {
    try body()
    return "nothing thrown"
  } catch { return "\(error)" }
}
