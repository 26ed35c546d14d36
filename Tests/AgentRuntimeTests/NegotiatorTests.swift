import Foundation
import Glibc
import Linux
import Spool
import SpoolFormat
import TestThreads
import Testing

@testable import AgentRuntime

/// How a bot answers, in turns that the test makes; the hub is played.
@Suite(.waiting) struct NegotiatorTests {
  private struct Play {
    let team: Team
    var spool: Spool { team.spool }

    init(capacity: Int = 1, lease: Double? = nil) throws {
      team = try Team(lease: lease)
      var card = try team.spool.card(of: team.coder)
      card.skills = [Card.Skill(name: "ml", level: .expert)]
      card.capacity = capacity
      try team.spool.register(card)
      try team.spool.registerHub()
    }

    /// One of the bot's workers.
    func negotiator(
      bidder: [String] = [], at path: String? = nil, report: @escaping (WorkerEvent) -> Void = { _ in }
    ) throws -> Negotiator {
      var options = NegotiationOptions()
      options.bidder = bidder
      // A spool of its own, as another process has.
      let negotiator = try Negotiator(Spool(at: path ?? spool.path), team.coder, options, report: report)
      try negotiator.inbox.watch()
      return negotiator
    }

    /// Says something as the hub.
    @discardableResult
    func say(_ type: MessageType, _ performative: Performative, conversation: String, data: String? = nil) throws
      -> MessageID
    {
      var message = Message(content: "x")
      message.from = "hub"
      message.to = ["coder"]
      message.type = type
      message.conversation = conversation
      message.data = try data.map { try JSONText(validating: Array($0.utf8)) }
      message.perform(performative, replyBy: nil)
      return try spool.send(message, durability: .relaxed)
    }

    func group() -> MessageID {
      MessageID(time: Timestamp(microseconds: Clock.wall()), random: .random(in: 0 ... .max))
    }

    func invite(_ group: MessageID) throws {
      try say(.groupInvite, .acceptProposal, conversation: "\(group)", data: "{}")
    }

    func ask() throws {
      try say(
        .skillQuery, .queryIf, conversation: "\(group())",
        data: #"{"skills":["ml"],"deadline":"2099-01-01T00:00:00Z"}"#)
    }

    /// What the hub was answered, oldest first.
    func answers() throws -> [MessageType?] {
      try spool.entries(of: Spool.hub).compactMap(\.message).sorted { $0.id! < $1.id! }.map(\.type)
    }

    func reserved() -> [String] {
      ((try? Directory(spool.path).names("bots/coder/reserved")) ?? []).sorted()
    }
  }

  @Test func `a conversation that is no group's is nobody's to agree to, and no path`() throws {
    let play = try Play()
    try play.team.write("kept", to: "victim")
    let negotiator = try play.negotiator()
    for conversation in ["../../../../victim", "../../../../made", "a/b", String(repeating: "x", count: 300)] {
      try play.say(.groupInvite, .acceptProposal, conversation: conversation, data: "{}")
      try play.say(.groupReject, .cancel, conversation: conversation)
    }
    negotiator.turn()
    #expect(try play.team.hasNothingLeft())
    #expect(play.team.text(of: "victim") == "kept")
    #expect(play.team.text(of: "made") == nil)
    #expect(try play.answers().isEmpty && play.reserved().isEmpty)
    let group = play.group()
    try play.invite(group)
    negotiator.turn()
    #expect(try play.answers() == [.groupAccept])
    #expect(play.reserved() == [group.description])
  }

  @Test func `what nobody looks at wakes nobody, while as many programs run as may`() throws {
    let play = try Play(lease: 0.4)
    let negotiator = try play.negotiator(bidder: ["sleep", "60"])
    for _ in 0..<20 { try play.ask() }
    negotiator.turn()
    #expect(try play.team.counts().claimed == 16)
    // A round of leases falls due, and something stirs in the inbox.
    try require("the round is due") { negotiator.inbox.nextWake() <= Clock.sinceBoot() }
    let due = negotiator.inbox.nextWake()
    try play.ask()
    negotiator.turn()
    var poll = PollSet()
    negotiator.watch(&poll)
    #expect(negotiator.nextDue > due)
    let now = Clock.sinceBoot()
    try poll.wait(until: now + 50_000_000)
    #expect(Clock.sinceBoot() >= now + 50_000_000)
    negotiator.abandon()
  }

  @Test func `what one turn leaves is due at once`() throws {
    let play = try Play()
    let negotiator = try play.negotiator()
    for _ in 0..<40 { try play.say(.groupReject, .cancel, conversation: "\(play.group())") }
    negotiator.turn()
    #expect(try play.team.counts().waiting == 8)
    #expect(negotiator.nextDue <= Clock.sinceBoot())
    negotiator.turn()
    #expect(try play.team.hasNothingLeft())
    #expect(negotiator.nextDue > Clock.sinceBoot())
  }

  @Test func `who claims no more agrees to nothing`() throws {
    let play = try Play(capacity: 2)
    let team = play.team
    var options = team.script("touch $DIR/begun; while [ ! -e $DIR/go ]; do sleep 0.02; done")
    options.work = .tasks(takesPending: false)
    options.negotiation = NegotiationOptions()
    options.messagesMax = 1
    let worker = try RunningWorker(team, options)
    _ = try team.give("build")
    try require("it has begun") { team.text(of: "begun") != nil }
    try play.invite(play.group())
    try require("it answers") { try !play.answers().isEmpty }
    #expect(try play.answers() == [.groupReject])
    #expect(play.reserved().isEmpty)
    try team.write("", to: "go")
    #expect(try worker.finish() == WorkerSummary(claimed: 1, acked: 1))
  }

  @Test func `a bidder is told the spool's path from the root, however it was given`() throws {
    let play = try Play()
    let here = FileManager.default.currentDirectoryPath
    let up = String(repeating: "../", count: here.split(separator: "/").count)
    let negotiator = try play.negotiator(
      bidder: ["/bin/sh", "-c", "echo $SPOOL_DIR >\(play.team.file("told"))"], at: up + play.spool.path.dropFirst())
    try play.ask()
    negotiator.turn()
    try require("it is told") { play.team.text(of: "told")?.hasSuffix("\n") == true }
    #expect(play.team.text(of: "told") == (try Executable.absolutePath(of: play.spool.path)) + "\n")
    negotiator.abandon()
  }

  @Test func `after a trouble there is a pause, whatever happens meanwhile`() throws {
    let play = try Play()
    var problems = 0
    let negotiator = try play.negotiator { if case .problem = $0 { problems += 1 } }
    // Where the directory should be is a file.
    try play.team.write("", to: "spool/bots/coder/reserved")
    try play.invite(play.group())
    negotiator.turn()
    #expect(problems == 1)
    try play.ask()
    var poll = PollSet()
    negotiator.watch(&poll)
    let now = Clock.sinceBoot()
    #expect(negotiator.nextDue > now)
    try poll.wait(until: now + 50_000_000)
    #expect(Clock.sinceBoot() >= now + 50_000_000)
  }

  @Test func `a worker that is stopped twice leaves no program of a bid, and puts back what it was asked`() throws {
    let play = try Play()
    let team = play.team
    var options = team.script("true")
    options.work = .tasks(takesPending: false)
    options.negotiation = NegotiationOptions()
    options.negotiation?.bidder = ["/bin/sh", "-c", "sleep 300 & echo $! > \(team.file("pid")); wait"]
    let worker = try RunningWorker(team, options)
    try play.ask()
    try require("the bid is at it") { team.text(of: "pid")?.hasSuffix("\n") == true }
    let pid = try #require(team.text(of: "pid").flatMap { Int($0.dropLast()) })
    try worker.requestStop()
    try worker.requestStop()
    try worker.finish()
    try require("its processes are gone") { !isRunning(pid) }
    let counts = try team.counts()
    #expect(counts.waiting == 1 && counts.claimed == 0)
  }

  @Test func `workers of one bot that are invited at the same moment agree to no more than it may have`() throws {
    let play = try Play(capacity: 2)
    for _ in 0..<20 {
      let groups = (0..<4).map { _ in play.group() }
      for group in groups { try play.invite(group) }
      try Linux.Thread.run(
        groups.map { _ in
          { @Sendable in
            guard let negotiator = try? play.negotiator() else { return }
            negotiator.turn()
          }
        })
      #expect(play.reserved().count <= 2)
      for group in groups { try play.spool.unreserve(play.team.coder, for: group) }
    }
    #expect(try play.answers().contains(.groupAccept))
  }
}
