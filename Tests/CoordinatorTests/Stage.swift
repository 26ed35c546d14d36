import Glibc
import Linux
import Spool
import SpoolFormat
import TestSupport
import Testing

@testable import Coordinator

/// A spool with a coordinator whose turns the test makes, and bots that the test plays.
struct Stage {
  let home: TemporaryDirectory
  let path: String
  let spool: Spool
  let coordinator: Coordinator
  private let told: Told

  final class Told {
    var events: [CoordinatorEvent] = []
  }

  init(_ options: CoordinatorOptions = CoordinatorOptions()) throws {
    home = try TemporaryDirectory()
    path = home("spool")
    try Spool.create(at: path) { $0.durability = .relaxed }
    spool = try Spool(at: path)
    let told = Told()
    self.told = told
    coordinator = try Coordinator(spool, options) { told.events.append($0) }
    try coordinator.begin()
  }

  var problems: [String] { told.events.compactMap { if case .problem(let text) = $0 { text } else { nil } } }

  /// What was moved by hand, as a person is told of it.
  var movedTitles: [String] {
    told.events.compactMap { if case .movedByHand(_, let title, _, _) = $0 { title } else { nil } }
  }

  /// Another coordinator over the same spool, as after a crash of the first.
  func restarted() throws -> Coordinator {
    let told = told
    let next = try Coordinator(Spool(at: path)) { told.events.append($0) }
    try next.begin()
    return next
  }

  /// Makes turns until the condition holds.
  func turns(_ coordinator: Coordinator? = nil, until condition: () throws -> Bool) throws -> Bool {
    let coordinator = coordinator ?? self.coordinator
    return try eventually {
      coordinator.turn(Clock.sinceBoot())
      try coordinator.sleep(until: Clock.sinceBoot() + 5_000_000)
      return try condition()
    }
  }

  /// A bot with a process that takes tasks, which is this one; or messages.
  @discardableResult
  func bot(
    _ name: String, domain: String? = nil, skills: [String] = [], capacity: Int = 1, takes: Presence.Takes = .tasks,
    negotiates: Bool = false
  ) throws -> BotName {
    var card = Card(name: try BotName(parsing: name))
    card.domain = domain
    card.skills = try skills.map { try Card.Skill(parsing: $0) }
    card.capacity = capacity
    try spool.register(card)
    try spool.announce(card.name, program: "test", takes: takes, negotiates: negotiates).beat()
    return card.name
  }

  func add(_ title: String = "build", _ edit: (inout TaskRecord) -> Void = { _ in }) throws -> TaskEntry {
    var record = TaskRecord(title: title)
    edit(&record)
    return try spool.addTask(record)
  }

  func state(_ entry: TaskEntry) throws -> TaskState? { try spool.findTask(entry.id)?.state }

  /// Does, as their bots would, all tasks that are assigned to others than the coordinator; nil fails one for good.
  func work(
    error: String = "it can't be done", _ result: (TaskRecord) -> String? = { "did \($0.title)" }
  ) throws {
    for entry in try spool.tasks(in: [.assigned]) where entry.bot != Coordinator.bot {
      guard let started = try spool.start(entry, bot: entry.bot!, worker: spool.holder),
        let record = try spool.record(of: started)
      else { continue }
      if let result = result(record) {
        _ = try spool.complete(started, result: JSONText(string: result))
      } else {
        _ = try spool.fail(started, error: error, isRetryable: false)
      }
    }
  }

  /// What waits in a bot's inbox, oldest first.
  func messages(to bot: String) throws -> [Message] {
    try spool.entries(of: try BotName(parsing: bot)).compactMap(\.message)
  }

  @discardableResult
  func ask(_ text: String, from: String = "human", conversation: String? = nil) throws -> MessageID {
    var message = Message(content: text)
    message.conversation = conversation
    message.from = from
    message.to = ["coordinator"]
    return try spool.send(message)
  }

  func events(_ kind: LogEvent.Kind) throws -> [LogEvent] {
    var found: [LogEvent] = []
    try History(spool).forEach(History.Filter()) { event in
      if event.kind == kind { found.append(event) }
      return true
    }
    return found
  }
}
