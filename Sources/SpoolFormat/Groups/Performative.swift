/// What a message of a negotiation does, in the words of the FIPA ACL (Communicative Act Library, SC00037): a field
/// `performative` of the message, beside `reply_by`, the moment until which an answer counts.
public enum Performative: String, Sendable, CaseIterable {
  /// Calls for proposals.
  case cfp
  case queryIf = "query-if"
  case propose
  case acceptProposal = "accept-proposal"
  case agree, refuse, inform, request, failure, cancel

  static let field = "performative"
  static let replyByField = "reply_by"
}

extension Message {
  /// Of a message of a negotiation what it does; nil for any other.
  public var performative: Performative? {
    extra.first { $0.name == Performative.field }?.value.value.string.flatMap(Performative.init(rawValue:))
  }

  /// Until when an answer counts.
  public var replyBy: Timestamp? {
    extra.first { $0.name == Performative.replyByField }?.value.value.string.flatMap(Timestamp.init(rfc3339:))
  }

  /// Makes it one of a negotiation.
  public mutating func perform(_ performative: Performative, replyBy: Timestamp?) {
    extra.removeAll { $0.name == Performative.field || $0.name == Performative.replyByField }
    extra.append(Field(name: Performative.field, value: JSONText(string: performative.rawValue)))
    if let replyBy { extra.append(Field(name: Performative.replyByField, value: JSONText(string: replyBy.rfc3339))) }
  }
}

/// The messages by which groups form, work and end, all in the conversation of their announcement.
extension MessageType {
  /// To the hub: what is to be done, and which skills it takes.
  public static let taskAnnounce = MessageType(known: "task_announce")
  /// To bots: can you do some of it?
  public static let skillQuery = MessageType(known: "skill_query")
  /// A bot's answer: what it can do of it, and for how much.
  public static let skillOffer = MessageType(known: "skill_offer")
  /// To those that were chosen.
  public static let groupInvite = MessageType(known: "group_invite")
  public static let groupAccept = MessageType(known: "group_accept")
  /// A bot that won't, or a hub for which an answer came too late.
  public static let groupReject = MessageType(known: "group_reject")
  /// To the members, and to who announced it: who does what.
  public static let groupFormed = MessageType(known: "group_formed")
  /// To the members: their parts are tasks now.
  public static let taskStart = MessageType(known: "task_start")
  /// How the others' parts go.
  public static let taskUpdate = MessageType(known: "task_update")
  /// How it ended.
  public static let taskComplete = MessageType(known: "task_complete")

  /// From a hub to a bot; the others go to a hub.
  public var isForMembers: Bool {
    switch self {
    case .skillQuery, .groupInvite, .groupReject, .groupFormed, .taskStart, .taskUpdate, .taskComplete: true
    default: false
    }
  }
}
