import Spool
import SpoolFormat

extension Verb {
  static let subscribe = Verb(
    name: "subscribe", summary: "have a bot get what is published on a topic", usage: "BOT TOPIC",
    example: "spool subscribe coder builds", exits: "0 done, 65 a name that won't do, 67 no such bot, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 2)
    let (spool, bot, topic) = try names(invocation)
    try spool.subscribe(bot, to: topic)
    return .done
  }

  static let unsubscribe = Verb(
    name: "unsubscribe", summary: "end a subscription", usage: "BOT TOPIC",
    example: "spool unsubscribe coder builds", exits: "0 done, 1 there was none, 67 no such bot, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 2)
    let (spool, bot, topic) = try names(invocation)
    if try spool.unsubscribe(bot, from: topic) { return .done }
    Output.talk("spool: \(bot) had not subscribed to \(topic)")
    return .nothing
  }

  private static func names(_ invocation: Invocation) throws -> (Spool, BotName, BotName) {
    let bot = try invocation.operand(0, "BOT")
    let topic = try invocation.operand(1, "TOPIC")
    let spool = try invocation.spool()
    return (
      spool, try spool.bot(named: bot), try BotName(parsing: topic.hasPrefix("#") ? String(topic.dropFirst()) : topic)
    )
  }

  static let topics = Verb(
    name: "topics", summary: "list the topics, and who subscribes to each", usage: "",
    example: "spool topics", exits: "0 done, 1 there are none, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 0)
    let spool = try invocation.spool()
    let topics = try spool.topics()
    var rows: [[String]] = []
    for topic in topics {
      let bots = try spool.subscribers(of: topic).map(\.description)
      rows.append([topic.description, bots.joined(separator: " ")])
      if invocation.isJSON {
        invocation.output.object { writer in
          writer.member("topic", topic.description)
          writer.member("subscribers", bots)
        }
      }
    }
    if !invocation.isJSON, !rows.isEmpty { invocation.output.table(["TOPIC", "SUBSCRIBERS"], rows) }
    if rows.isEmpty { Output.talk("no topics yet; begin one with: spool subscribe BOT TOPIC") }
    return rows.isEmpty ? .nothing : .done
  }
}
