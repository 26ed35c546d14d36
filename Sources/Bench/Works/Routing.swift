import CoordinatorPolicy
import Spool
import SpoolFormat

extension Work {
  /// One choice among 1,000 bots of 10 skills each, all of which fit; in memory, as whoever keeps a `Router` makes it. The
  /// floor adds up the same six numbers for each bot and takes the largest sum: no names, no skills, no rules.
  static func route(_ bench: Bench, _ name: String) -> Work {
    let bots = 1000
    let rounds = bench.count(2000)
    let ours = Contender(SpoolService.name) {
      let team = RouteTeam(try (0..<bots).map { try candidate($0) })
      let needs = TaskNeeds(domain: "development", skills: [Card.Skill(name: "skill7", level: .novice)])
      var random = SystemRandomNumberGenerator()
      return Session(
        measure: {
          let began = nanoseconds()
          for _ in 0..<rounds {
            guard team.choose(needs, from: "planner", random: &random) != nil else {
              throw BenchError("nobody was chosen")
            }
          }
          return Double(nanoseconds() - began) / 1000 / Double(rounds)
        }, stop: {})
    }
    let floor = Contender("sums") {
      let parts = (0..<bots).map { bot in (0..<6).map { Double((bot * 7 + $0) % 100) / 100 } }
      return Session(
        measure: {
          let began = nanoseconds()
          var chosen = 0
          for round in 0..<rounds {
            var best = -1.0
            for bot in parts.indices {
              let sum = parts[bot].reduce(Double(round % 2) / 1e9) { $0 + $1 / 6 }
              if sum > best { (best, chosen) = (sum, chosen &+ bot) }
            }
          }
          let took = Double(nanoseconds() - began) / 1000 / Double(rounds)
          guard chosen > 0 else { throw BenchError("nothing was chosen") }
          return took
        }, stop: {})
    }
    return Work(name: name, unit: "us", targets: [.below(200)], ours: ours, floor: floor)
  }

  private static func candidate(_ number: Int) throws -> RouteCandidate {
    var card = Card(name: try BotName(parsing: "bot-\(number)"))
    card.domain = "development"
    card.capacity = 4
    card.skills = (0..<10).map { Card.Skill(name: "skill\($0)", level: Card.Level.allCases[(number + $0) % 4]) }
    var record = BotRecord()
    let start = Timestamp(microseconds: 1_795_218_312_345_678)
    for action in 0..<(number % 20) {
      let line = LogEvent.line(
        kind: .messageClaimed, subject: "x", source: "/h/1.1", number: 1,
        time: start.advanced(bySeconds: Double(action))
      ) { writer in
        writer.beginObject()
        writer.member("bot", card.name.description)
        writer.member("attempt", 1)
        writer.member("waited_us", number * 300)
        writer.member("from", "planner")
        writer.endObject()
      }
      if let event = line.withUnsafeBufferPointer({ LogEvent(line: $0) }), let lesson = Lesson(event, now: event.time) {
        record.count(lesson)
      }
    }
    var standing = BotStanding()
    standing.takesMessages = true
    standing.waiting = number % 3
    return RouteCandidate(card: card, record: record, standing: standing, now: start.advanced(bySeconds: 60))
  }
}
