import CoordinatorPolicy
import Glibc
import Routing
import Spool
import SpoolFormat
import TestSupport
import Testing

@Suite struct RecordBookTests {
  private let home: TemporaryDirectory
  private let path: String
  private let spool: Spool
  private let planner: BotName

  init() throws {
    home = try TemporaryDirectory()
    path = home("spool")
    try Spool.create(at: path) { $0.durability = .relaxed }
    spool = try Spool(at: path)
    planner = try BotName(parsing: "planner")
    for name in ["planner", "coder", "tester"] { try spool.register(Card(name: try BotName(parsing: name))) }
  }

  /// A message that a bot takes and acks, or refuses for good.
  private func talk(_ from: String, _ to: String, refuses: Bool = false) throws {
    var message = Message(content: "hi")
    message.from = from
    message.to = [to]
    try spool.send(message)
    let claim = try #require(try Inbox(spool, try BotName(parsing: to)).claim())
    if refuses { try spool.bury(claim.bot, claim.name, reason: "no") } else { try spool.ack(claim.bot, claim.name) }
  }

  private func work(_ bot: String, skill: String, succeeds: Bool) throws {
    var record = TaskRecord(title: "work")
    record.requiredSkills = [try Card.Skill(parsing: skill)]
    record.createdBy = "planner"
    let bot = try BotName(parsing: bot)
    let started = try #require(try spool.start(try spool.addTask(record), bot: bot, worker: spool.holder))
    if succeeds {
      _ = try spool.complete(started, result: nil, startedAt: started.id.time)
    } else {
      _ = try spool.fail(started, error: "no", isRetryable: false)
    }
  }

  private func something(_ random: inout SeededGenerator) throws {
    let (from, to) = (
      ["planner", "user"].randomElement(using: &random)!, ["coder", "tester"].randomElement(using: &random)!
    )
    switch Int.random(in: 0..<3, using: &random) {
    case 0: try talk(from, to, refuses: Bool.random(using: &random))
    default:
      let skill = ["swift:expert", "sql"].randomElement(using: &random)!
      try work(to, skill: skill, succeeds: Bool.random(using: &random))
    }
  }

  /// The last few lines of this host's log, as if the same had happened on another.
  private func happenElsewhere() throws {
    let lines = try Plain.text(log()).split(separator: "\n").suffix(5).map { "\($0)\n" }.joined()
    let segment = "20261121T000000.000000Z.jsonl"
    if Plain.names("\(path)/log/other").isEmpty { try shell("mkdir '\(path)/log/other'", in: "/tmp") }
    try Plain.write("\(path)/log/other/\(segment)", lines, append: true)
  }

  private func log() throws -> String {
    let segment = try #require(Plain.names("\(path)/log/\(spool.host)").first { $0.hasSuffix(".jsonl") })
    return "\(path)/log/\(spool.host)/\(segment)"
  }

  private func caughtUp() throws -> TeamRecord {
    var book = try RecordBook(spool)
    try book.catchUp()
    return book.team
  }

  private func anew() throws -> TeamRecord {
    var book = try RecordBook(spool, anew: true)
    while try book.readOn({ _, _, _, _ in }) {}
    return book.team
  }

  private func file(_ bot: String) -> String { "\(path)/bots/\(bot)/record.json" }

  @Test func `a record tells what a bot did, from the log alone`() throws {
    try talk("planner", "coder")
    try talk("user", "coder", refuses: true)
    try work("coder", skill: "swift:advanced", succeeds: true)
    try work("coder", skill: "swift:advanced", succeeds: false)
    let record = try #require(try caughtUp().bots[try BotName(parsing: "coder")])
    #expect(record.skills["swift"]?.tried == 2 && record.skills["swift"]?.succeeded == 1)
    #expect(record.skills["swift"]?.meanSeconds ?? 0 > 0 && record.deliveries == 2 && record.actions == 5)
    #expect(Set(record.paths.keys) == ["planner", "user"] && record.paths["user"]?.count == 2)
    #expect(record.firstSeen! < record.lastSeen!)
    let kept = try JSONValue(parsing: Array(try Plain.text(file("coder")).utf8))
    #expect(kept["bot"]?.string == "coder" && kept["skills"]?["swift"]?["success_rate"]?.double == 0.5)
    #expect(kept["memory"]?.array?.count == 5 && kept["mean_reward"]?.double ?? 0 > 0.3)
  }

  @Test func `caught up in steps by many, over several hosts, it is what all of the log gives`() throws {
    var random = SeededGenerator()
    for _ in 0..<12 {
      for _ in 0..<Int.random(in: 0...8, using: &random) {
        try something(&random)
      }
      if Bool.random(using: &random) { try happenElsewhere() }
      #expect(try caughtUp() == anew(), "seed \(random.seed)")
    }
    // Whatever is lost or damaged of what was kept is made again; so is what nobody finished.
    for damage in ["coder", "tester"].map(file) + ["\(path)/records.json"] {
      #expect(unlink(damage) == 0)
      #expect(try caughtUp() == anew(), "seed \(random.seed)")
      try Plain.write(damage, "{\"half\":")
      try something(&random)
      #expect(try caughtUp() == anew(), "seed \(random.seed)")
    }
  }

  @Test func `what is kept while there is more of the log to read counts nothing twice`() throws {
    try talk("user", "coder")
    var book = try RecordBook(spool)
    while try book.readOn({ _, _, _, _ in }) {}
    for _ in 0..<5 { try talk("user", "coder") }
    #expect(try book.readOn(limit: 6) { _, _, _, _ in })
    try book.save()
    #expect(try caughtUp() == anew())
  }

  @Test func `the slower of two that catch up at once may write last, and whatever it overwrites`() throws {
    var random = SeededGenerator()
    for _ in 0..<10 {
      for _ in 0..<3 { try something(&random) }
      // One has read this far, and writes only after the other has read further and written.
      var slow = try RecordBook(spool)
      while try slow.readOn({ _, _, _, _ in }) {}
      for _ in 0..<3 { try something(&random) }
      let files = ["coder", "tester"].map(file) + ["\(path)/records.json"]
      _ = try caughtUp()
      let quick = try files.map { try Plain.text($0) }
      try slow.save()
      // Any mixture of what the two wrote.
      for (file, text) in zip(files, quick) where Bool.random(using: &random) { try Plain.write(file, text) }
      #expect(try caughtUp() == anew(), "seed \(random.seed)")
    }
  }

  @Test func `a log that was cut since, as by a power cut, is read anew`() throws {
    try talk("planner", "coder")
    let log = try log()
    let before = try Plain.text(log)
    try work("coder", skill: "sql", succeeds: true)
    #expect(try caughtUp().bots[try BotName(parsing: "coder")]?.all.tried == 1)
    try Plain.write(log, before)
    let copy = home("copy")
    try shell("cp -a '\(path)' '\(copy)'", in: "/tmp")
    let healed = try Spool(at: copy)
    var book = try RecordBook(healed)
    try book.catchUp()
    #expect(book.team.bots[try BotName(parsing: "coder")]?.all.tried == 0)
    #expect(book.team.bots[try BotName(parsing: "coder")]?.deliveries == 1)
  }

  @Test func `a bot that was removed and comes back has all that the log says of it`() throws {
    try talk("planner", "coder")
    _ = try caughtUp()
    try shell("mv '\(path)/bots/coder' '\(home("kept"))'", in: "/tmp")
    try talk("planner", "tester")
    _ = try caughtUp()
    try spool.register(Card(name: try BotName(parsing: "coder")))
    try talk("planner", "coder")
    #expect(try caughtUp() == anew())
    #expect(try caughtUp().bots[try BotName(parsing: "coder")]?.deliveries == 2)
  }
}
