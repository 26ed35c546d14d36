import Glibc
import Linux
import Spool
import SpoolFormat
import TestSupport
import Testing

@testable import Coordinator

/// A hub whose turns the test makes, and members that the test plays.
struct Play {
  let stage: Stage
  var spool: Spool { stage.spool }
  private let inboxes: [BotName: Inbox]

  init(_ bots: [String: String], edit: (inout HubOptions) -> Void = { _ in }) throws {
    var options = CoordinatorOptions()
    options.hub?.replySeconds = 20
    options.hub?.maintenanceSeconds = 0.05
    if options.hub != nil { edit(&options.hub!) }
    stage = try Stage(options)
    var inboxes: [BotName: Inbox] = [:]
    for (bot, skill) in bots {
      let name = try stage.bot(bot, skills: [skill], capacity: 2, negotiates: true)
      inboxes[name] = try Inbox(stage.spool, name)
    }
    self.inboxes = inboxes
  }

  func announce(
    _ skills: String..., seconds: Double = 60, edit: (inout Announcement) -> Void = { _ in }
  ) throws -> MessageID {
    let deadline = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: seconds)
    var announcement = Announcement("x", skills: try skills.map { try Card.Skill(parsing: $0) }, deadline: deadline)
    announcement.from = "human"
    edit(&announcement)
    return try spool.announce(announcement)
  }

  /// As when the time was over in which a group may form.
  func passTime(for group: MessageID) {
    stage.coordinator.hub?.groups[group]?.search = .init(until: 0, began: 0, end: 0, explained: [])
  }

  /// Turns until the bot has a message of that type, which is taken.
  func hears(_ bot: String, _ type: MessageType) throws -> Message {
    var found: Message?
    let inbox = try #require(inboxes[try BotName(parsing: bot)])
    let came = try stage.turns {
      while let claim = try inbox.claim() {
        try spool.ack(claim.bot, claim.name)
        if claim.message.type == type {
          found = claim.message
          return true
        }
      }
      return false
    }
    try #require(came, "\(bot) never heard \(type)")
    return found!
  }

  func says(
    _ bot: String, _ type: MessageType, _ performative: Performative, to message: Message?, _ data: String? = nil,
    edit: (inout Message) -> Void = { _ in }
  ) throws {
    var answer = Message(content: "so says \(bot)")
    answer.from = bot
    answer.to = ["hub"]
    answer.type = type
    answer.conversation = message?.conversation
    answer.inReplyTo = message?.id?.description
    answer.data = try data.map { try JSONText(validating: Array($0.utf8)) }
    answer.perform(performative, replyBy: nil)
    edit(&answer)
    try spool.send(answer)
  }

  /// Offers, and agrees when invited.
  func joins(_ bot: String, _ skill: String) throws {
    let query = try hears(bot, .skillQuery)
    try says(bot, .skillOffer, .propose, to: query, #"{"skills":["\#(skill):expert"]}"#)
    let invitation = try hears(bot, .groupInvite)
    try says(bot, .groupAccept, .agree, to: invitation)
  }

  /// The hub's claim, as if its process had died.
  func comesBack() {
    for claimed in Scratch.names("\(stage.path)/bots/hub/claimed") {
      let waiting = claimed.prefix { $0 != "~" } + "~1.json"
      rename("\(stage.path)/bots/hub/claimed/\(claimed)", "\(stage.path)/bots/hub/inbox/\(waiting)")
    }
  }

  func state(_ id: MessageID) throws -> GroupState? { try spool.findGroup(id)?.state }

  func require(_ what: String, _ condition: () throws -> Bool) throws {
    try #require(try stage.turns(until: condition), "waited in vain until \(what)")
  }
}

extension BotName: ExpressibleByStringLiteral {
  public init(stringLiteral text: String) { self = try! BotName(parsing: text) }
}
