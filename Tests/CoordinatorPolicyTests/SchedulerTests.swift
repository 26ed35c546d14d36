import CoordinatorPolicy
import SpoolFormat
import TestSupport
import Testing

@Suite struct SchedulerTests {
  private func bot(_ name: String, _ domain: String?, capacity: Int = 1, skills: [String] = []) throws -> Card {
    var card = Card(name: try BotName(parsing: name))
    card.domain = domain
    card.capacity = capacity
    card.skills = try skills.map { try Card.Skill(parsing: $0) }
    return card
  }

  private let start = Timestamp(microseconds: 1_795_218_312_345_678)

  private func id(_ number: Int, at seconds: Double = 0) -> MessageID {
    MessageID(time: start.advanced(bySeconds: seconds), random: UInt64(number))
  }

  private func priority(_ value: Int) -> Priority { Priority(value: value)! }

  private func names(_ assignments: [Scheduler.Assignment]) -> [String] {
    assignments.map { "\($0.task.random) \($0.bot)" }
  }

  @Test func `a task goes to the bot of its domain, and waits for nobody else's`() throws {
    var scheduler = Scheduler()
    scheduler.setBot(try bot("coder", "development"), load: 0, isAlive: true)
    scheduler.setBot(try bot("tester", "quality"), load: 0, isAlive: true)
    scheduler.add(id(1), TaskNeeds(domain: "Quality"), priority: .normal, since: start)
    scheduler.add(id(2), TaskNeeds(domain: "quality"), priority: .normal, since: start)
    scheduler.add(id(3), TaskNeeds(domain: "development"), priority: .normal, since: start)
    #expect(names(scheduler.decisions(now: start)) == ["1 tester", "3 coder"])
    #expect(scheduler.decisions(now: start).isEmpty)
    scheduler.release(try BotName(parsing: "tester"))
    #expect(names(scheduler.decisions(now: start)) == ["2 tester"])
    #expect(scheduler.pendingCount == 0)
  }

  @Test func `what nobody alive is of the field for is done by whoever has the skills`() throws {
    var scheduler = Scheduler()
    scheduler.setBot(try bot("writer", "writing"), load: 0, isAlive: true)
    scheduler.setBot(try bot("coder", "development"), load: 0, isAlive: true)
    scheduler.add(id(1), TaskNeeds(domain: "development"), priority: .normal, since: start)
    scheduler.setAlive(try BotName(parsing: "coder"), false)
    #expect(names(scheduler.decisions(now: start)) == ["1 writer"])
    scheduler.add(
      id(2), TaskNeeds(domain: "data", skills: [try Card.Skill(parsing: "sql")]), priority: .normal, since: start)
    #expect(scheduler.decisions(now: start).isEmpty)
    #expect(scheduler.stranded == [id(2)])
    scheduler.setBot(try bot("analyst", "data", skills: ["sql"]), load: 0, isAlive: true)
    #expect(scheduler.stranded.isEmpty)
    #expect(names(scheduler.decisions(now: start)) == ["2 analyst"])
  }
}
