import Foundation
import Glibc
import Spool
import SpoolFormat
import Synchronization
import TestSupport
import TestThreads
import Testing

/// Many real processes at one spool.
@Suite(.waiting, .serialized) struct ContentionTests {
  @Test func `of 64 processes that wait for one message exactly one gets it`() throws {
    let scratch = try Scratch()
    let path = try scratch.makeSpool(bots: ["a"])
    let spool = try Spool(at: path)
    let waiting = try (0..<64).map { _ in try SpoolCommand.start(["receive", "a", "--wait", "50s", "--json"], in: path)
    }
    let areReady = eventually(30) { waiting.allSatisfy { Self.isWatching($0.pid, "\(path)/bots/a/inbox") } }
    print("64 processes wait, all of them watching: \(areReady)")
    let first = try send("the one", to: "a", spool)
    let isTaken = eventually { SpoolReader(path).entries("a", "claimed").map(\.id) == [first] }
    #expect(isTaken)
    // Whoever got the first has ended; a message for each of the others ends them, too.
    var ids = [first]
    for number in 1..<64 { ids.append(try send("\(number)", to: "a", spool)) }
    let outcomes = try waiting.map { try $0.wait(seconds: SpoolCommand.secondsMax) }
    #expect(!outcomes.contains { !$0.isDone }, "\(outcomes.first { !$0.isDone }!)")
    let received = outcomes.compactMap { $0.output.firstMatch(of: #/"id":"([^"]+)"/#).map { String($0.output.1) } }
    #expect(received.sorted() == ids.sorted())
    let reader = SpoolReader(path)
    #expect(reader.violations(settled: true).isEmpty)
    #expect(reader.events.filter { $0.type == "message.claimed" && $0.subject == first }.count == 1)
    #expect(reader.entries("a", "claimed").allSatisfy { $0.attempt == 1 })
  }

  /// Whether the process has asked to be told of changes: by inotify, or, when there are no more of those, by
  /// keeping the directory open.
  private static func isWatching(_ pid: pid_t, _ inbox: String) -> Bool {
    Scratch.names("/proc/\(pid)/fd").contains { name in
      let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\(name)")
      return target == "anon_inode:inotify" || target == inbox
    }
  }

  @Test func `of 32 processes that send with one key one sends, and all say its id`() throws {
    let scratch = try Scratch()
    let path = try scratch.makeSpool(bots: ["a", "b"])
    let senders = try (0..<32).map { number in
      // Some of them die at it.
      let fault = number % 4 == 0 ? ["SPOOL_FAULT": "kill-before:\(13 + number / 2)"] : [:]
      return try SpoolCommand.start(["send", "a,b", "once", "--key", "k"], in: path, environment: fault)
    }
    let outcomes = try senders.map { try $0.wait(seconds: SpoolCommand.secondsMax) }
    #expect(!outcomes.contains { !$0.isDone && !$0.isKilled }, "\(outcomes)")
    let ids = Set(outcomes.filter { $0.isDone }.map(\.line))
    #expect(try SpoolCommand.run(["doctor", "--repair"], in: path).isDone)
    let reader = SpoolReader(path)
    #expect(ids.count == 1 && reader.sent.map(\.subject) == Array(ids), "\(ids)")
    #expect(reader.entries(saying: "once").map(\.bot) == ["a", "b"])
    #expect(reader.violations(settled: true).isEmpty)
  }

  @Test func `four competing processes empty an inbox of 4000, and handle every message once`() throws {
    let scratch = try Scratch()
    let path = try scratch.makeSpool(bots: ["a"], settings: ["durability": "relaxed"])
    let spool = try Spool(at: path)
    for number in 0..<4000 { try send("\(number)", to: "a", spool) }
    let receivers = try (0..<4).map { _ in try SpoolCommand.start(["inbox", "a", "--clear"], in: path) }
    let outcomes = try receivers.map { try $0.wait(seconds: SpoolCommand.secondsMax) }
    let counts = outcomes.map { Int($0.error.split(separator: " ").dropFirst().first ?? "") ?? 0 }
    #expect(counts.reduce(0, +) == 4000, "\(outcomes)")
    print("four receivers handled \(counts)")
    #expect(counts.filter { $0 > 0 }.count > 1, "one receiver got everything: \(counts)")
    let reader = SpoolReader(path)
    #expect(reader.violations(settled: true).isEmpty)
    for history in reader.histories.values where MessageID(history[0].subject) != nil {
      #expect(history.filter { $0.type == "message.claimed" }.count == 1)
      #expect(history.filter { $0.type == "message.acked" }.count == 1)
    }
  }

  @Test func `8 senders of 2000 messages and receivers killed at random lose nothing and ack nothing twice`() throws {
    var random = SeededGenerator()
    print("seed \(random.seed)")
    let scratch = try Scratch()
    // An unlucky message may be in the hands of many that are killed.
    let path = try scratch.makeSpool(bots: ["a"], settings: ["durability": "relaxed", "attempts_max": 1000])
    let isDone = Atomic<Int>(0)
    let acknowledged = Mutex<[String]>([])
    let failures = Mutex<[String]>([])
    for sender in 0..<8 {
      Thread.detachNewThread {
        // A handle of its own for each, as if it were a process.
        do {
          let spool = try Spool(at: path)
          var ids: [String] = []
          for number in 0..<2000 { ids.append(try send("\(sender).\(number)", to: "a", spool)) }
          acknowledged.withLock { $0 += ids }
        } catch { failures.withLock { $0.append("\(error)") } }
        isDone.add(1, ordering: .sequentiallyConsistent)
      }
    }
    var (killed, started) = (0, 0)
    var isEmpty = false
    let deadline = monotonicSeconds() + 240
    while !isEmpty {
      try #require(monotonicSeconds() < deadline, "the inbox is never empty")
      let sendersAreDone = isDone.load(ordering: .sequentiallyConsistent) == 8
      let receivers = try (0..<2).map { _ in try SpoolCommand.start(["inbox", "a", "--clear"], in: path) }
      started += receivers.count
      if !sendersAreDone || killed < 20 {
        usleep(UInt32.random(in: 20_000...1_000_000, using: &random))
        for receiver in receivers { receiver.kill() }
      }
      let outcomes = try receivers.map { try $0.wait(seconds: 120) }
      killed += outcomes.filter(\.isKilled).count
      #expect(outcomes.allSatisfy { $0.isKilled || $0.status == 0 || $0.status == 1 }, "\(outcomes)")
      let boxes = ["inbox", "claimed"].map { "\(path)/bots/a/\($0)" }
      isEmpty = sendersAreDone && boxes.allSatisfy { Scratch.names($0).isEmpty }
    }
    #expect(failures.withLock { $0 }.isEmpty)
    let ids = acknowledged.withLock { $0 }
    #expect(Set(ids).count == 16_000)
    let reader = SpoolReader(path)
    let violations = reader.violations(settled: true)
    #expect(violations.isEmpty, "\(violations.prefix(5))")
    var again = 0
    for id in ids {
      let history = reader.histories[id] ?? []
      let acked = try #require(reader.ackedAttempt(id, by: "a"), "\(id) was never acked")
      // An ack whose process was killed before it took the file away, and so before it said yes, may be followed by
      // another attempt: an ack that counts is one, and its attempt was handed out before.
      #expect(history.filter { $0.type == "message.acked" && $0.attempt == acked }.count == 1, "\(id) was acked twice")
      if acked > 1 { again += 1 }
    }
    // How many is a question of speed; one of these kills a second is enough to show something.
    #expect(killed >= 5)
    print("16000 messages, \(started) receivers, \(killed) killed, \(again) messages handed out again")
  }
}

@discardableResult
private func send(_ content: String, to bot: String, _ spool: Spool) throws -> String {
  var message = Message(content: content)
  message.to = [bot]
  message.from = "tester"
  return try spool.send(message, durability: .relaxed).description
}
