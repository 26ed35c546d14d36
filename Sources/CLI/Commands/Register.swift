import Spool
import SpoolFormat

extension Verb {
  static let register = Verb(
    name: "register", summary: "make a bot, or change its card", usage: "BOT [--domain WORD] [--skill NAME:LEVEL]…",
    options: [
      .value("--domain", "WORD", "its field, such as development"),
      .value("--skill", "NAME:LEVEL", "novice, intermediate, advanced or expert; may be given several times"),
      .value("--capacity", "N", "messages it takes on at once (1)"),
      .value("--about", "TEXT", "what it is for"),
      .value("--lease", "DURATION", "how long its claims stand without being renewed"),
      .value("--attempts", "N", "claims of one of its messages before that is dead-lettered"),
    ],
    example: "spool register coder --domain development --skill swift:expert --capacity 4",
    exits: "0 done, 64 a level that there isn't, 65 a name that won't do, 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let name = try BotName(parsing: try invocation.operand(0, "BOT"))
    let skills = try invocation.all("--skill").map { try Card.Skill(parsing: $0) }
    let spool = try invocation.spool()
    // A bot that is there keeps what isn't named now.
    var card = try spool.exists(name) ? spool.card(of: name) : Card(name: name)
    if let domain = invocation.value("--domain") { card.domain = domain }
    if let about = invocation.value("--about") { card.description = about }
    if let capacity = try invocation.number("--capacity", in: 1...1000) { card.capacity = capacity }
    if let lease = try invocation.duration("--lease") { card.leaseSeconds = max(0.1, lease) }
    if let attempts = try invocation.number("--attempts", in: 1...EntryName.attemptMax) { card.attemptsMax = attempts }
    for skill in skills {
      card.skills.removeAll { $0.name == skill.name }
      card.skills.append(skill)
    }
    try spool.register(card)
    if invocation.isJSON { invocation.output.write(encoded(card) + [10]) }
    return .done
  }

  static func encoded(_ card: Card) -> [UInt8] {
    var writer = JSONWriter()
    card.write(to: &writer)
    return writer.bytes
  }
}
