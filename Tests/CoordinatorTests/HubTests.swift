import Glibc
import Linux
import Spool
import SpoolFormat
import TestSupport
import TestThreads
import Testing

@testable import Coordinator

/// How groups form, work and end.
@Suite(.waiting) struct HubTests {
  @Test func `an agreement that comes too late, or of whom nobody invited, changes nothing and is answered`() throws {
    let play = try Play(["ada": "ml:expert", "bea": "sql:expert"])
    let id = try play.announce("ml")
    let query = try play.hears("ada", .skillQuery)
    try play.says("ada", .skillOffer, .propose, to: query, #"{"skills":["ml:expert"]}"#)
    let invitation = try play.hears("ada", .groupInvite)
    try play.says("bea", .groupAccept, .agree, to: invitation)
    #expect(try play.hears("bea", .groupReject).content == "too late: bea isn't invited any more")
    play.passTime(for: id)
    try play.require("the time is over") { try play.state(id) == .failed }
    try play.says("ada", .groupAccept, .agree, to: invitation)
    #expect(try play.hears("ada", .groupReject).content == "too late, and nothing was changed: it is failed")
    #expect(try play.spool.tasks().isEmpty)
  }

  @Test func `an offer for an announcement that is over, or for none, is answered`() throws {
    let play = try Play(["ada": "ml:expert"])
    let id = try play.announce("sql") { $0.ifUncovered = .fail }
    try play.require("it failed") { try play.state(id) == .failed }
    #expect(try play.spool.group(id)?.record.error == "it isn't covered: nobody for sql:intermediate")
    try play.says("ada", .skillOffer, .propose, to: nil, #"{"skills":["sql"]}"#) { $0.conversation = "\(id)" }
    #expect(try play.hears("ada", .groupReject).content == "too late, and nothing was changed: it is failed")
  }

  @Test func `who came a moment before an announcement that must not wait is asked all the same`() throws {
    let play = try Play(["ada": "ml:expert"])
    let first = try play.announce("sql") { $0.ifUncovered = .fail }
    // With that the hub has just looked who is there.
    try play.require("it failed") { try play.state(first) == .failed }
    let inbox = try Inbox(
      play.spool, try play.stage.bot("bea", skills: ["sql:expert"], capacity: 1, negotiates: true))
    _ = try play.announce("sql") { $0.ifUncovered = .fail }
    try play.require("bea is asked") { try inbox.claim()?.message.type == .skillQuery }
  }

  @Test func `an offer in another's name, or beyond a card, doesn't count`() throws {
    let play = try Play(["ada": "ml:novice", "bea": "ml:expert"])
    let id = try play.announce("ml:advanced")
    let query = try play.hears("bea", .skillQuery)
    // Ada wasn't asked: who wrote this doesn't know the question.
    try play.says("ada", .skillOffer, .propose, to: nil, #"{"skills":["ml:expert"]}"#) { $0.conversation = "\(id)" }
    #expect(try play.hears("ada", .groupReject).content?.contains("answers no question") == true)
    // And if it knows: no more than its card says.
    try play.says("ada", .skillOffer, .propose, to: query, #"{"skills":["ml:expert"],"price":0}"#)
    // Nobody is there who could have written this.
    let ghost = try play.stage.bot("ghost", skills: ["ml:expert"])
    try play.says("ghost", .skillOffer, .propose, to: query, #"{"skills":["ml:expert"],"price":0}"#)
    try play.require("the ghost is told") {
      try play.stage.messages(to: ghost.description).contains { $0.content?.contains("isn't its own") == true }
    }
    try play.says("bea", .skillOffer, .propose, to: query, #"{"skills":["ml:expert"]}"#)
    try play.says("bea", .groupAccept, .agree, to: try play.hears("bea", .groupInvite))
    try play.require("it is formed") { try play.state(id) == .active }
    #expect(try play.spool.group(id)?.record.members.map(\.description) == ["bea"])
  }

  @Test func `an offer that can't be read is answered, and an unreadable announcement too`() throws {
    let play = try Play(["ada": "ml:expert"])
    let id = try play.announce("ml")
    let query = try play.hears("ada", .skillQuery)
    try play.says("ada", .skillOffer, .propose, to: query, #"{"skills":["ml:godlike"]}"#)
    #expect(try play.hears("ada", .groupReject).content?.contains("level \"godlike\"") == true)
    play.passTime(for: id)
    try play.require("it failed") { try play.state(id) == .failed }
    try play.says("ada", .taskAnnounce, .cfp, to: nil, #"{"skills":["ml:godlike"],"deadline":"2099-01-01T00:00:00Z"}"#)
    #expect(try play.hears("ada", .error).content?.contains("level \"godlike\"") == true)
    #expect(Scratch.names("\(play.stage.path)/bots/hub/dead").count == 2)
  }

  @Test func `what nothing can come of is refused when it is announced`() throws {
    let play = try Play(["ada": "ml:expert"])
    func refusal(_ body: () throws -> MessageID) -> String {
      do { return "\(try body())" } catch let error as SpoolError { return error.message } catch { return "\(error)" }
    }
    #expect(refusal { try play.announce("ml", seconds: -1) }.hasSuffix("is past"))
    #expect(
      refusal { try play.announce("ml") { ($0.sizeMin, $0.sizeMax) = (9, 9) } }
        == "a group of 9 at least, and the team has 1")
    #expect(refusal { try play.announce("ml") { ($0.sizeMin, $0.sizeMax) = (3, 2) } }.hasPrefix("a group of 3 to 2"))
    #expect(refusal { try play.announce() }.contains("1 to 16 skills, and this one 0"))
    #expect(
      refusal { try play.announce("ml") { $0.parent = MessageID(time: .init(microseconds: 1), random: 1) } }
        .hasPrefix("no task"))
    #expect(try play.spool.groups().isEmpty)
    #expect(try play.stage.messages(to: "hub").isEmpty)
  }

  @Test func `a member that refuses its invitation is replaced by the next best offer`() throws {
    let play = try Play(["ada": "ml:expert", "bea": "ml:expert"])
    let id = try play.announce("ml")
    for bot in ["ada", "bea"] {
      let query = try play.hears(bot, .skillQuery)
      try play.says(bot, .skillOffer, .propose, to: query, #"{"skills":["ml:expert"]}"#)
    }
    let invitation = try play.hears("ada", .groupInvite)
    try play.says("ada", .groupReject, .refuse, to: invitation)
    try play.says("bea", .groupAccept, .agree, to: try play.hears("bea", .groupInvite))
    try play.require("it is formed") { try play.state(id) == .active }
    #expect(try play.spool.group(id)?.record.members.map(\.description) == ["bea"])
  }

  @Test func `a person's mv ends a group, is logged as unknown, and the members are free`() throws {
    let play = try Play(["ada": "ml:expert"])
    let id = try play.announce("ml")
    try play.joins("ada", "ml")
    try play.require("its part is a task") { try play.spool.tasks(in: [.assigned]).contains { $0.bot == "ada" } }
    let entry = try #require(try play.spool.findGroup(id))
    rename("\(play.stage.path)/\(entry.path)", "\(play.stage.path)/groups/dissolved/\(entry.name)")
    try play.require("the part is cancelled") { try play.spool.tasks(in: [.cancelled]).contains { $0.bot == "ada" } }
    #expect(try play.hears("ada", .taskComplete).performative == .cancel)
    let moved = try play.stage.events(.groupMoved)
    #expect(moved.count == 1 && moved.first?.text("by") == "unknown" && moved.first?.text("state") == "dissolved")
    #expect(play.stage.coordinator.hub?.isIdle == true)
  }

  @Test func `what no group can do is put back`() throws {
    let play = try Play(["ada": "ml:expert"])
    let id = try play.announce("ml") { $0.sizeMax = 1 }
    _ = try play.hears("ada", .skillQuery)
    let entry = try #require(try play.spool.findGroup(id))
    rename("\(play.stage.path)/\(entry.path)", "\(play.stage.path)/groups/completed/\(entry.name)")
    try play.require("it is back") { try play.state(id) == .forming }
    let moved = try play.stage.events(.groupMoved)
    #expect(moved.first?.text("reason")?.hasPrefix("put back: a group that is forming can't become completed") == true)
  }

  @Test func `a group whose deadline comes fails with what it has`() throws {
    let play = try Play(["ada": "ml:expert", "bea": "sql:expert"])
    let id = try play.announce("ml", "sql", seconds: 5)
    for (bot, skill) in [("ada", "ml"), ("bea", "sql")] {
      let query = try play.hears(bot, .skillQuery)
      try play.says(bot, .skillOffer, .propose, to: query, #"{"skills":["\#(skill):expert"]}"#)
    }
    for bot in ["ada", "bea"] { try play.says(bot, .groupAccept, .agree, to: try play.hears(bot, .groupInvite)) }
    try play.require("both have their parts") { try play.spool.tasks(in: [.assigned]).count == 2 }
    let part = try #require(try play.spool.tasks(in: [.assigned]).first { $0.bot == "ada" })
    let started = try #require(try play.spool.start(part, bot: "ada", worker: play.spool.holder))
    _ = try play.spool.complete(started, result: JSONText(string: "a model"))
    try play.require("it failed") { try play.state(id) == .failed }
    let record = try #require(try play.spool.group(id)?.record)
    #expect(record.error == "its deadline has come")
    #expect(record.results.description == #"{"ml":"a model"}"#)
    #expect(try play.spool.tasks(in: [.cancelled]).count == 1)
    let told = try play.hears("bea", .taskComplete)
    #expect(told.performative == .failure && told.data?.value["results"]?["ml"]?.string == "a model")
  }

  @Test func `a group that is done while nothing can be written is ended when something can`() throws {
    let play = try Play(["ada": "ml:expert"])
    let id = try play.announce("ml")
    try play.joins("ada", "ml")
    try play.require("its part is a task") { try play.spool.tasks(in: [.assigned]).contains { $0.bot == "ada" } }
    // Where the hub's directory should be is a file.
    let moving = "\(play.stage.path)/groups/moving/\(play.spool.holder)"
    #expect(rmdir(moving) == 0)
    let file = try Descriptor.open(moving, O_WRONLY | O_CREAT)
    let part = try play.spool.tasks(in: [.assigned])[0]
    let started = try #require(try play.spool.start(part, bot: "ada", worker: play.spool.holder))
    _ = try play.spool.complete(started, result: JSONText(string: "a model"))
    try play.require("there is a trouble") { play.stage.problems.contains { $0.contains("\(id)") } }
    #expect(try play.state(id) == .active)
    try file.close()
    #expect(unlink(moving) == 0)
    try play.require("it is over") { try play.state(id) == .dissolved }
    #expect(try play.spool.group(id)?.record.results.description == #"{"ml":"a model"}"#)
  }

  @Test func `a group ends though one that belongs to it doesn't read`() throws {
    let play = try Play(["ada": "ml:expert"])
    var card = Card(name: Coordinator.human)
    card.inboxLimits.messages = 1
    try play.spool.register(card)
    var message = Message(content: "wait")
    message.to = ["human"]
    try play.spool.send(message)
    let id = try play.announce("ml")
    try play.joins("ada", "ml")
    #expect(try play.hears("ada", .taskStart).conversation == id.description)
    try play.require("its part is a task") { try play.spool.tasks(in: [.assigned]).contains { $0.bot == "ada" } }
    try play.stage.work()
    try play.require("it is over") { try play.state(id) == .dissolved }
    #expect(try play.stage.messages(to: "human").map(\.type).suffix(1) == [.taskComplete])
  }

  @Test func `results that are too long together are left with their tasks, and the group ends`() throws {
    let play = try Play(["ada": "ml:expert", "bea": "sql:expert"])
    let id = try play.announce("ml", "sql")
    for (bot, skill) in [("ada", "ml"), ("bea", "sql")] {
      let query = try play.hears(bot, .skillQuery)
      try play.says(bot, .skillOffer, .propose, to: query, #"{"skills":["\#(skill):expert"]}"#)
    }
    for bot in ["ada", "bea"] { try play.says(bot, .groupAccept, .agree, to: try play.hears(bot, .groupInvite)) }
    try play.require("both have their parts") { try play.spool.tasks(in: [.assigned]).count == 2 }
    // It fits into the group's file, but not twice into what tells of the end.
    let long = String(repeating: "x", count: GroupRecord.bytesMax * 3 / 4)
    for part in try play.spool.tasks(in: [.assigned]) {
      let started = try #require(try play.spool.start(part, bot: part.bot!, worker: play.spool.holder))
      let result = part.bot == "ada" ? "a model" : long
      _ = try play.spool.complete(started, result: JSONText(string: result))
    }
    try play.require("it is over") { try play.state(id) == .dissolved }
    let record = try #require(try play.spool.group(id)?.record)
    let part = try #require(record.parts.first { $0.bot == "bea" })
    #expect(record.results.value["ml"]?.string == "a model")
    #expect(
      record.results.value["sql"]?.string == "left with its task, being too long: spool task show \(part.task) --json")
    #expect(try play.hears("ada", .taskComplete).performative == .inform)
  }

  @Test func `who is late is replaced when somebody else can do it, and the latecomer's result is refused`() throws {
    let play = try Play(["ada": "ml:expert", "bea": "ml:expert"])
    let id = try play.announce("ml", seconds: 4)
    for bot in ["ada", "bea"] {
      let query = try play.hears(bot, .skillQuery)
      try play.says(bot, .skillOffer, .propose, to: query, #"{"skills":["ml:expert"]}"#)
    }
    try play.says("ada", .groupAccept, .agree, to: try play.hears("ada", .groupInvite))
    try play.require("ada has it") { try play.spool.tasks(in: [.assigned]).contains { $0.bot == "ada" } }
    let part = try play.spool.tasks(in: [.assigned])[0]
    let started = try #require(try play.spool.start(part, bot: "ada", worker: play.spool.holder))
    try play.says("bea", .groupAccept, .agree, to: try play.hears("bea", .groupInvite))
    try play.require("bea has it") { try play.spool.tasks(in: [.assigned]).contains { $0.bot == "bea" } }
    #expect(try play.spool.complete(started, result: JSONText(string: "at last")) == nil)
    #expect(try play.spool.group(id)?.record.parts.first?.reason == "is late")
  }

  @Test func `who gets on is given more time, and nobody is replaced by one who has no room`() throws {
    let play = try Play(["ada": "ml:expert", "bea": "ml:expert"])
    let id = try play.announce("ml", seconds: 60)
    for bot in ["ada", "bea"] {
      let query = try play.hears(bot, .skillQuery)
      try play.says(bot, .skillOffer, .propose, to: query, #"{"skills":["ml:expert"]}"#)
    }
    try play.says("ada", .groupAccept, .agree, to: try play.hears("ada", .groupInvite))
    try play.require("ada has it") { try play.spool.tasks(in: [.assigned]).contains { $0.bot == "ada" } }
    let part = try play.spool.tasks(in: [.assigned])[0]
    let started = try #require(try play.spool.start(part, bot: "ada", worker: play.spool.holder))
    let hub = try #require(play.stage.coordinator.hub)
    let group = try #require(hub.groups[id])
    let before = try #require(group.lateAt[part.id])
    _ = try #require(try play.spool.progress(started, percent: 10, text: nil))
    try play.require("it has more time") { group.lateAt[part.id].map { $0 > before } == true }
    hub.inHand["bea"] = 2
    group.lateAt[part.id] = 0
    try play.require("it is looked at again later") { group.lateAt[part.id].map { $0 > Clock.sinceBoot() } == true }
    #expect(try play.spool.group(id)?.record.members == ["ada"])
    hub.inHand["bea"] = 1
    group.lateAt[part.id] = 0
    try play.says("bea", .groupAccept, .agree, to: try play.hears("bea", .groupInvite))
    try play.require("bea has it") { try play.spool.group(id)?.record.members == ["bea"] }
    // Both choices are explained, and both offers are kept.
    let record = try #require(try play.spool.group(id)?.record)
    let heading = try #require(record.explanation.firstIndex(of: "in place of ada (is late):"))
    #expect(heading > 0 && heading < record.explanation.count - 1, "\(record.explanation)")
    #expect(record.explanation.prefix(heading).contains { $0.contains("ada") })
    #expect(record.offers.map(\.bot) == ["ada", "bea"])
  }

  @Test func `a hub takes no more than it may hold, but nothing waits longer than its age allows`() throws {
    let play = try Play(["ada": "ml:expert"]) {
      $0.announcementsMax = 1
      $0.ageingSeconds = 1
    }
    let first = try play.announce("ml")
    let second = try play.announce("ml")
    try play.require("the first is taken") { try play.state(first) == .forming }
    func age() -> Double { Timestamp(microseconds: Clock.wall()).seconds(since: second.time) }
    #expect(try play.state(second) == nil || age() >= 1)
    try play.require("the second is taken, too") { try play.state(second) == .forming }
    #expect(try play.state(first) == .forming)
    #expect(age() >= 1)
  }

  @Test(arguments: [true, false])
  func `a group whose hub died while changing it goes on, and doesn't begin anew`(isHere: Bool) throws {
    let play = try Play(["ada": "ml:expert"])
    let id = try play.announce("ml")
    try play.joins("ada", "ml")
    try play.require("its part is a task") { try play.spool.tasks(in: [.assigned]).contains { $0.bot == "ada" } }
    let path = play.stage.path
    // Between the two renames; on another host nobody can tell that yet.
    let entry = try #require(try play.spool.findGroup(id))
    let dead = Holder(
      host: isHere ? play.spool.holder.host : "elsewhere", pid: DeadProcess.pid, start: DeadProcess.start)
    #expect(mkdir("\(path)/groups/moving/\(dead)", 0o777) == 0)
    #expect(rename("\(path)/\(entry.path)", "\(path)/groups/moving/\(dead)/active~\(entry.name)") == 0)
    play.comesBack()
    let next = try play.stage.restarted()
    if isHere {
      #expect(try play.stage.turns(next) { try play.spool.findGroup(id)?.term == 2 })
      #expect(try play.spool.group(id)?.record.members.map(\.description) == ["ada"])
    } else {
      #expect(try play.stage.turns(next) { try !play.stage.events(.messageRequeued).isEmpty })
      #expect(try play.spool.groups().isEmpty)
    }
    #expect(try play.stage.events(.groupAnnounced).count == 1)
  }

  @Test func `a hub that comes after another goes on with what that had formed`() throws {
    let play = try Play(["ada": "ml:expert"])
    let id = try play.announce("ml")
    try play.joins("ada", "ml")
    try play.require("its part is a task") { try play.spool.tasks(in: [.assigned]).contains { $0.bot == "ada" } }
    play.comesBack()
    let next = try play.stage.restarted()
    #expect(try play.stage.turns(next) { try play.spool.findGroup(id)?.term == 2 })
    let part = try play.spool.tasks(in: [.assigned])[0]
    let started = try #require(try play.spool.start(part, bot: "ada", worker: play.spool.holder))
    _ = try play.spool.complete(started, result: JSONText(string: "a model"))
    #expect(try play.stage.turns(next) { try play.state(id) == .dissolved })
    #expect(try play.spool.group(id)?.record.results.description == #"{"ml":"a model"}"#)
    // The one before finds its claim gone, and lets it be.
    #expect(try play.stage.turns { play.stage.coordinator.hub?.isIdle == true })
  }
}
