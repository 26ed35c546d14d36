import Glibc
import Linux
import Spool
import SpoolFormat
import TestSupport
import Testing

@testable import Coordinator

/// How groups form and end though an inbox is full, a file can't be read, or several members leave together.
@Suite(.waiting) struct HubTroubleTests {
  /// With one message there is room for no more in what `limit` has limited.
  private func fill(_ bot: BotName, _ play: Play) throws {
    var message = Message(content: "wait")
    message.to = [bot.description]
    try play.spool.send(message)
  }

  private func limit(_ bot: BotName, _ play: Play) throws {
    var card = try play.spool.card(of: bot)
    card.inboxLimits.messages = 1
    try play.spool.register(card)
  }

  private func offers(_ bot: String, _ skill: String, _ play: Play) throws {
    let query = try play.hears(bot, .skillQuery)
    try play.says(bot, .skillOffer, .propose, to: query, #"{"skills":["\#(skill):expert"]}"#)
  }

  private func agrees(_ bot: String, _ play: Play) throws {
    try play.says(bot, .groupAccept, .agree, to: try play.hears(bot, .groupInvite))
  }

  @Test func `of two members that leave together both are replaced`() throws {
    let play = try Play(["mia": "ml:expert", "mob": "ml:expert", "sal": "sql:expert", "sue": "sql:expert"])
    let id = try play.announce("ml", "sql")
    for (bot, skill) in [("mia", "ml"), ("mob", "ml"), ("sal", "sql"), ("sue", "sql")] { try offers(bot, skill, play) }
    for bot in ["mia", "sal"] { try agrees(bot, play) }
    try play.require("both have their parts") { try play.spool.tasks(in: [.assigned]).count == 2 }
    try play.stage.work { _ in nil }
    // Whoever is invited first: it depends on whose failure the hub hears of first.
    var others = ["mob", "sue"]
    while !others.isEmpty {
      func isInvited(_ bot: String) throws -> Bool {
        try play.stage.messages(to: bot).contains { $0.type == .groupInvite }
      }
      try play.require("\(others) are invited") { try others.contains(where: isInvited) }
      let next = try #require(try others.firstIndex(where: isInvited))
      try agrees(others.remove(at: next), play)
    }
    try play.require("both are replaced") {
      try Set(play.spool.group(id)?.record.members ?? []) == ["mob", "sue"]
    }
  }

  @Test func `a member is replaced though who announced it doesn't read`() throws {
    let play = try Play(["ada": "ml:expert", "bea": "ml:expert"])
    try play.spool.register(Card(name: Coordinator.human))
    try limit(Coordinator.human, play)
    try fill(Coordinator.human, play)
    let id = try play.announce("ml")
    for bot in ["ada", "bea"] { try offers(bot, "ml", play) }
    try agrees("ada", play)
    try play.require("ada has it") { try play.spool.tasks(in: [.assigned]).contains { $0.bot == "ada" } }
    try play.stage.work { _ in nil }
    try agrees("bea", play)
    try play.require("bea has it") { try play.spool.group(id)?.record.members == ["bea"] }
  }

  @Test func `a bot whose inbox is full keeps no others from being asked, and it is said of it`() throws {
    let play = try Play(["ada": "ml:expert", "bea": "ml:expert", "sal": "sql:expert"])
    for bot in ["ada", "sal"] as [BotName] {
      try limit(bot, play)
      try fill(bot, play)
    }
    let id = try play.announce("ml")
    try play.joins("bea", "ml")
    try play.require("it is formed") { try play.state(id) == .active }
    let uncovered = try play.announce("sql") { $0.ifUncovered = .fail }
    try play.require("nobody is left to be asked") { try play.state(uncovered) == .failed }
    let error = try #require(try play.spool.group(uncovered)?.record.error)
    #expect(error.contains("sal can't be reached: the inbox of sal is full"), "\(error)")
  }

  @Test func `who can't be invited since its inbox is full is passed over, and no other with it`() throws {
    let play = try Play(["ada": "ml:expert", "bea": "sql:expert", "zoe": "ml:expert"])
    try limit("ada", play)
    let id = try play.announce("ml", "sql")
    for (bot, skill) in [("ada", "ml"), ("zoe", "ml")] { try offers(bot, skill, play) }
    try fill("ada", play)
    try offers("bea", "sql", play)
    for bot in ["bea", "zoe"] { try agrees(bot, play) }
    try play.require("it is formed") { try play.state(id) == .active }
    #expect(try Set(play.spool.group(id)?.record.members ?? []) == ["bea", "zoe"])
    #expect(play.stage.coordinator.hub?.groups[id]?.barred.isEmpty == true)
  }

  @Test func `a group's file that can't be read keeps no other group from being taken up again`() throws {
    let play = try Play(["ada": "ml:expert"])
    let now = Timestamp(microseconds: Clock.wall())
    let unreadable = EntryName(urgency: 5, id: MessageID(time: now.advanced(bySeconds: -120), random: 1), attempt: 1)
    try Scratch.write("nonsense", to: "\(play.stage.path)/groups/forming/\(unreadable)")
    let skills = [try Card.Skill(parsing: "ml")]
    let announcement = Announcement("x", skills: skills, deadline: now.advanced(bySeconds: 60))
    let id = MessageID(time: now.advanced(bySeconds: -60), random: 2)
    _ = try play.spool.addGroup(GroupRecord(id: id, announcement), term: 1)
    try play.require("it is taken up") { try play.spool.findGroup(id)?.term == 2 }
    #expect(play.stage.problems.contains { $0.contains("\(unreadable)") })
  }

  @Test(arguments: [
    #""skills": [\#((1...40).map { "\"s\($0)\"" }.joined(separator: ","))]"#,
    #""skills": ["ml"], "min_group": 9, "max_group": 3"#, #""skills": ["ml"], "max_group": 1152921504606846976"#,
    #""skills": ["ml"], "depth": 9"#,
  ])
  func `a group's file past what an announcement may say stops nobody`(members: String) throws {
    let play = try Play(["ada": "ml:expert"])
    let now = Timestamp(microseconds: Clock.wall())
    let id = MessageID(time: now.advanced(bySeconds: -60), random: 1)
    let name = EntryName(urgency: 5, id: id, attempt: 1)
    let text = """
      {"id": "\(id)", "text": "x", \(members), "if_uncovered": "fail", \
      "deadline": "\(now.advanced(bySeconds: 3600).rfc3339)"}
      """
    try Scratch.write(text, to: "\(play.stage.path)/groups/forming/\(name)")
    try play.require("it is told of") { play.stage.problems.contains { $0.contains("\(name)") } }
    let other = try play.announce("ml")
    try play.joins("ada", "ml")
    try play.require("the other is formed") { try play.state(other) == .active }
  }

  @Test func `groups that others have cost no reading, and one that nobody has is announced again`() throws {
    let play = try Play(["ada": "ml:expert"])
    let hub = try #require(play.stage.coordinator.hub)
    let inbox = "\(play.stage.path)/bots/hub/inbox"
    let now = Timestamp(microseconds: Clock.wall())
    func add(_ number: UInt64, isAnnounced: Bool) throws {
      let announcement = Announcement(
        "x", skills: [try Card.Skill(parsing: "ml")], deadline: now.advanced(bySeconds: 60))
      let id = MessageID(time: now.advanced(bySeconds: -60), random: number)
      _ = try play.spool.addGroup(GroupRecord(id: id, announcement), term: 1)
      let name = EntryName(urgency: 5, id: id, attempt: 1)
      if isAnnounced {
        try Scratch.write(String(decoding: announcement.message.encoded, as: UTF8.self), to: "\(inbox)/\(name)")
      }
    }
    for number in 1...40 { try add(UInt64(number), isAnnounced: true) }
    let before = try Self.reads()
    try hub.findOrphans()
    #expect(try Self.reads() - before < 10)
    #expect(Plain.names(inbox).count == 40)
    try add(99, isAnnounced: false)
    try hub.findOrphans()
    #expect(Plain.names(inbox).count == 41)
  }

  /// Calls of read(2) and its like that this thread has made.
  private static func reads() throws -> Int {
    let line = try #require(
      try Plain.text("/proc/thread-self/io").split(separator: "\n").first { $0.hasPrefix("syscr") })
    return try #require(Int(line.split(separator: " ")[1]))
  }

  @Test func `a group whose file has no room for why it failed ends all the same`() throws {
    let play = try Play(["ada": "ml:expert"])
    let id = try play.announce("ml", seconds: 4)
    _ = try play.hears("ada", .skillQuery)
    var record = try #require(try play.spool.group(id)).record
    record.announcement.text = ""
    let room = GroupRecord.bytesMax - record.encoded.count - 16
    record.announcement.text = String(repeating: "x", count: room)
    let entry = try #require(try play.spool.findGroup(id))
    try Scratch.write(String(decoding: record.encoded, as: UTF8.self) + "\n", to: "\(play.stage.path)/\(entry.path)")
    play.comesBack()
    let next = try play.stage.restarted()
    #expect(try play.stage.turns(next) { try play.state(id) == .failed })
    #expect(try play.stage.turns(next) { next.hub?.isIdle == true })
    #expect(try play.stage.events(.groupFailed).first?.text("reason")?.hasPrefix("its deadline has come") == true)
  }

  @Test func `an announcement whose parts would be too large, or too deep, is refused at once`() throws {
    let play = try Play(["ada": "ml:expert"])
    func refusal(_ edit: (inout Announcement) throws -> Void) -> String {
      do { return "\(try play.announce("ml") { try! edit(&$0) })" } catch { return "\(error)" }
    }
    func nested(_ depth: Int) throws -> JSONText {
      try JSONText(validating: String(repeating: "[", count: depth) + String(repeating: "]", count: depth))
    }
    #expect(refusal { $0.text = String(repeating: "x", count: Announcement.bytesMax / 2) }.contains("may have 2097152"))
    // Six bytes each as JSON.
    #expect(refusal { $0.text = String(repeating: "\u{1}", count: 200_000) }.contains("may have 2097152"))
    #expect(
      refusal { $0.context = JSONText(string: String(repeating: "x", count: Announcement.bytesMax)) }
        .contains("may have 2097152"))
    #expect(refusal { $0.context = try nested(127) }.contains("the context can't be handed on"))
    // Whoever drops one into the inbox hears the same.
    try play.says("ada", .taskAnnounce, .cfp, to: nil, #"{"skills":["ml"],"deadline":"2099-01-01T00:00:00Z"}"#) {
      $0.context = try? nested(127)
    }
    #expect(try play.hears("ada", .error).content?.contains("the context can't be handed on") == true)
    // What is just small enough becomes a task.
    let text = String(repeating: "x", count: (Announcement.bytesMax - 252 - 4) / 2)
    let id = try play.announce("ml") {
      $0.text = text
      $0.context = try! nested(126)
    }
    try play.joins("ada", "ml")
    try play.require("its part is a task") { try play.spool.tasks(in: [.assigned]).contains { $0.bot == "ada" } }
    try play.stage.work()
    try play.require("it is over") { try play.state(id) == .dissolved }
  }

  @Test func `a group ends though a hand moved the task that stands for it`() throws {
    let play = try Play(["ada": "ml:expert"])
    let id = try play.announce("ml")
    try play.joins("ada", "ml")
    try play.require("ada has it") { try play.spool.tasks(in: [.assigned]).contains { $0.bot == "ada" } }
    let task = try #require(try play.spool.group(id)?.record.task)
    let whole = try #require(try play.spool.findTask(task))
    #expect(throws: SpoolError.self) { _ = try play.spool.unblockTask(whole) }
    #expect(rename("\(play.stage.path)/\(whole.path)", "\(play.stage.path)/tasks/pending/\(whole.name)") == 0)
    try play.require("the hub is given it") { try play.spool.findTask(task)?.state == .assigned }
    let part = try #require(try play.spool.tasks(in: [.assigned]).first { $0.bot == "ada" })
    let started = try #require(try play.spool.start(part, bot: "ada", worker: nil))
    _ = try play.spool.complete(started, result: JSONText(string: "done"))
    try play.require("it is dissolved") { try play.state(id) == .dissolved }
    #expect(try play.spool.findTask(task)?.state == .completed)
  }

  @Test func `what stands for a failed group isn't brought back, and nobody is advised to`() throws {
    let play = try Play(["ada": "ml:expert"])
    try play.spool.register(Card(name: Coordinator.human))
    let id = try play.announce("ml")
    try play.joins("ada", "ml")
    try play.require("ada has it") { try play.spool.tasks(in: [.assigned]).contains { $0.bot == "ada" } }
    let hub = try #require(play.stage.coordinator.hub)
    hub.fail(try #require(hub.groups[id]), "too late")
    let task = try #require(try play.spool.group(id)?.record.task)
    func told() throws -> [Message] {
      try play.stage.messages(to: "human").filter {
        $0.from == "coordinator" && $0.content?.contains("too late") == true
      }
    }
    try play.require("a person is told") { try !told().isEmpty }
    let text = try #require(try told().first?.content)
    #expect(!text.contains("retry") && !text.contains("attempt") && text.contains("spool announce"))
    let failed = try #require(try play.spool.findTask(task))
    #expect {
      _ = try play.spool.retryWithRelatives(failed)
    } throws: {
      "\($0)".contains("ended with its group")
    }
    #expect(try play.spool.findTask(task) == failed)
    // By hand, it fails again.
    #expect(rename("\(play.stage.path)/\(failed.path)", "\(play.stage.path)/tasks/pending/\(failed.name)") == 0)
    try play.require("it has failed again") {
      try play.spool.findTask(task)?.state == .failed && play.stage.events(.taskFailed).count == 2
    }
  }

  @Test func `nothing is announced as a part of what has ended`() throws {
    let play = try Play(["ada": "ml:expert"])
    let task = try play.stage.add()
    _ = try play.spool.cancel(task)
    #expect(throws: SpoolError.self) { try play.announce("ml") { $0.parent = task.id } }
    #expect(try play.stage.messages(to: "hub").isEmpty)
  }
}
