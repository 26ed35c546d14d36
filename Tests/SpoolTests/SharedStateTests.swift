import Glibc
import Linux
import SpoolFormat
import Synchronization
import TestSupport
import TestThreads
import Testing

@testable import Spool

@Suite(.waiting) struct SharedStateTests {
  private func key(_ name: String = "light") throws -> StateKey { try StateKey(parsing: name) }
  private func json(_ text: String) throws -> JSONText { try JSONText(validating: text) }

  /// What lies in a key's directory of tokens, less who decided on it.
  private func tokens(_ fixture: Fixture, _ key: String = "light") -> [String] {
    names(fixture, key).map { StateToken($0).map { "\($0.version)\($0.isDeleted ? " deleted" : "")" } ?? "no token" }
  }

  private func names(_ fixture: Fixture, _ key: String = "light") -> [String] {
    Plain.names("\(fixture.path)/state/versions/\(key)")
  }

  /// Makes another the key's token.
  private func decide(_ fixture: Fixture, _ token: String) throws {
    let directory = "\(fixture.path)/state/versions/light"
    #expect(rename("\(directory)/\(try #require(names(fixture).first))", "\(directory)/\(token)") == 0)
  }

  @Test func `a value is a file that anybody can read, and each change counts its version`() throws {
    let fixture = try Fixture()
    let first = try fixture.spool.setState(key(), to: json(#"{"on":true}"#), by: "coder")
    #expect(first.version == 1)
    let file = String(decoding: try Plain.read("\(fixture.path)/state/light.json"), as: UTF8.self)
    #expect(file.hasPrefix(#"{"value":{"on":true},"version":1,"by":"coder","at":"20"#) && file.hasSuffix("\n"))
    let second = try fixture.spool.setState(key(), to: json("1e999"), by: "tester")
    #expect(try fixture.reopened().state(key()) == second)
    #expect(second.version == 2 && second.value?.description == "1e999")
    #expect(try History(fixture.spool).states(key()) == [first, second])
    #expect(tokens(fixture) == ["2"] && Plain.names("\(fixture.path)/state/tmp").isEmpty)
    #expect(try fixture.spool.stateKeys() == [key()])
  }

  @Test func `a version that none can follow is none`() throws {
    let fixture = try Fixture()
    try fixture.spool.setState(key(), to: json("1"))
    try Plain.write("\(fixture.path)/state/light.json", #"{"value":2,"version":\#(Int.max)}"#)
    #expect(try fixture.reopened().setState(key(), to: json("3")).value?.description == "3")
    try decide(fixture, "\(Int.max)")
    try Plain.write("\(fixture.path)/state/light.json", "4")
    #expect(code { _ = try fixture.reopened().setState(key(), to: json("5")) } == .inputOutput)
    #expect(unlink("\(fixture.path)/state/versions/light/\(Int.max)") == 0)
    #expect(try fixture.reopened().state(key())?.value?.description == "4")
  }

  @Test func `no version that was written by hand makes a key unusable, however high it is`() throws {
    let fixture = try Fixture()
    let file = "\(fixture.path)/state/light.json"
    try fixture.spool.setState(key(), to: json("1"))
    try Plain.write(file, #"{"value":2,"version":\#(WholeNumber.max)}"#)
    #expect(try fixture.reopened().setState(key(), to: json("3")).version == 3)
    #expect(try fixture.reopened().setState(key(), to: json("4")).version == 4)
    try Plain.write(file, #"{"value":5,"version":\#(WholeNumber.max - 1)}"#)
    #expect(try fixture.reopened().state(key())?.value?.description == "5")
    #expect(error { try fixture.reopened().setState(key(), to: json("6")) }.contains("remove state/light.json"))
    #expect(unlink(file) == 0)
    #expect(try fixture.reopened().setState(key(), to: json("7")).version == 6)
    #expect(try fixture.reopened().state(key())?.value?.description == "7")
  }

  @Test func `a change that expects another version is refused, and changes nothing`() throws {
    let fixture = try Fixture()
    #expect(code { try fixture.spool.setState(key(), to: json("1"), expecting: 1) } == .claimLost)
    try fixture.spool.setState(key(), to: json("1"), expecting: 0)
    for expected in [0, 2] {
      #expect(code { try fixture.spool.setState(key(), to: json("2"), expecting: expected) } == .claimLost)
      #expect(code { try fixture.spool.deleteState(key(), expecting: expected) } == .claimLost)
    }
    #expect(try fixture.spool.state(key())?.value?.description == "1")
    try fixture.spool.setState(key(), to: json("2"), expecting: 1)
    #expect(try fixture.spool.state(key())?.version == 2)
    #expect(try History(fixture.spool).states(key()).count == 2)
  }

  @Test func `what is deleted is gone, and its versions go on`() throws {
    let fixture = try Fixture()
    #expect(try fixture.spool.deleteState(key()) == nil)
    try fixture.spool.setState(key(), to: json("1"))
    #expect(try fixture.spool.deleteState(key(), by: "coder")?.version == 2)
    #expect(try fixture.spool.state(key()) == nil && fixture.spool.stateKeys().isEmpty)
    #expect(tokens(fixture) == ["2 deleted"])
    #expect(code { try fixture.spool.setState(key(), to: json("3"), expecting: 1) } == .claimLost)
    #expect(try fixture.spool.setState(key(), to: json("3"), expecting: 0).version == 3)
  }

  @Test func `of many who count at once, none counts for nothing`() throws {
    let fixture = try Fixture()
    let (threads, each) = (6, 40)
    let refused = Mutex(0)
    try Thread.run(
      (0..<threads).map { number in
        {
          // Each as a process of its own, as far as one process can.
          guard let spool = try? Spool(at: fixture.path), let key = try? StateKey(parsing: "count") else { return }
          var done = 0
          while done < each {
            let value = try? spool.state(key)
            let next = JSONText(trusted: Array("\((value?.value?.value.int ?? 0) + 1)".utf8))
            do {
              try spool.setState(key, to: next, by: "thread-\(number)", expecting: value?.version ?? 0)
              done += 1
            } catch { refused.withLock { $0 += 1 } }
          }
        }
      })
    let value = try #require(try fixture.spool.state(key("count")))
    #expect(value.value?.description == "\(threads * each)" && value.version == threads * each)
    let history = try History(fixture.spool).states(key("count"))
    #expect(history.map(\.version) == Array(1...threads * each))
    #expect(refused.withLock { $0 } > 0, "they never met")
    #expect(tokens(fixture, "count") == ["\(threads * each)"])
    #expect(Plain.names("\(fixture.path)/state/tmp").isEmpty)
  }

  @Test func `a reader sees one value or the next, never half and never none`() throws {
    let fixture = try Fixture()
    let texts = try ["a", "b"].map { try json("\"" + String(repeating: $0, count: 5_000) + "\"") }
    let light = try key()
    try fixture.spool.setState(light, to: texts[0])
    let isOver = Mutex(false)
    let seen = Mutex((count: 0, wrong: [String]()))
    try Thread.run([
      {
        // Until it has been read often enough; a bound, should the reader never come.
        for round in 1...20_000 where seen.withLock({ $0.count }) < 50 {
          _ = try? fixture.spool.setState(light, to: texts[round % 2])
        }
        isOver.withLock { $0 = true }
      },
      {
        while !isOver.withLock({ $0 }) {
          let bytes = (try? Plain.read("\(fixture.path)/state/light.json")) ?? []
          let value = (try? JSONText(validating: bytes)).flatMap { StateValue(parsing: $0.bytes, key: light) }
          seen.withLock { seen in
            seen.count += 1
            if !texts.contains(where: { $0 == value?.value }) { seen.wrong.append("\(bytes.count) bytes") }
          }
        }
      },
    ])
    #expect(seen.withLock { $0.wrong }.isEmpty && seen.withLock { $0.count } >= 50)
  }

  @Test func `a value that is put there by hand is a change by unknown, and rm is one too`() throws {
    let fixture = try Fixture()
    try fixture.spool.setState(key(), to: json("1"), by: "coder")
    try Plain.write("\(fixture.path)/state/light.json", " {\"on\" : false}\n")
    let value = try #require(try fixture.spool.state(key()))
    #expect(value.value?.description == #"{"on" : false}"# && value.version == 2 && value.by == "unknown")
    unlink("\(fixture.path)/state/light.json")
    #expect(try fixture.spool.state(key()) == nil)
    try Plain.write("\(fixture.path)/state/new.json", "true")
    #expect(try fixture.spool.setState(key("new"), to: json("false")).version == 2)
    #expect(try History(fixture.spool).states(key()).map(\.by) == ["coder", "unknown", "unknown"])
  }

  @Test func `what is no value is told, is set aside when another is set, and keeps nobody from the others`() throws {
    let fixture = try Fixture()
    try fixture.spool.setState(key("good"), to: json("1"))
    let path = "\(fixture.path)/state/light.json"
    try Plain.write(path, "{\"on\":")
    #expect(error { _ = try fixture.spool.state(key()) }.contains("state/light.json is no value: not JSON"))
    try fixture.spool.setState(key(), to: json("2"))
    #expect(try fixture.spool.state(key())?.value?.description == "2")
    let aside = Plain.names("\(fixture.path)/quarantine")
    #expect(aside.count == 2 && aside[0].hasSuffix("-state-light.json") && aside[1].hasSuffix(".reason"))
    unlink(path)
    #expect(mkfifo(path, 0o644) == 0)
    #expect(code { _ = try fixture.spool.state(key()) } == .badData)
    #expect(try fixture.spool.state(key("good"))?.value?.description == "1")
    let long = try json("\"" + String(repeating: "x", count: StateValue.bytesMax) + "\"")
    #expect(code { try fixture.spool.setState(key("good"), to: long) } == .badData)
  }

  @Test func `what a process that died had decided is finished by the next, and logged once`() throws {
    let fixture = try Fixture()
    try fixture.spool.setState(key(), to: json("1"))
    let token = "2~\(DeadProcess.holder(on: fixture.spool.host))~5"
    let state = "\(fixture.path)/state"
    try decide(fixture, token)
    try Plain.write("\(state)/tmp/light~\(token).json", "{\"value\":2,\"version\":2,\"by\":\"dead\"}\n")
    let third = try fixture.spool.setState(key(), to: json("3"), by: "coder", expecting: 2)
    #expect(third.version == 3)
    #expect(try History(fixture.spool).states(key()).map { $0.value?.description } == ["1", "2", "3"])
    // Dead before its content was there: as though it had never been.
    try decide(fixture, "4~\(DeadProcess.holder(on: fixture.spool.host))~6")
    try Plain.write("\(state)/tmp/light~4~\(DeadProcess.holder(on: fixture.spool.host))~6.json", "")
    #expect(try fixture.spool.setState(key(), to: json("4"), expecting: 3).version == 5)
    #expect(Plain.names("\(state)/tmp").isEmpty)
  }

  @Test func `of somebody who sleeps, the change is finished, and is not made a second time when it wakes`() throws {
    let fixture = try Fixture()
    try fixture.spool.setState(key(), to: json("1"))
    let state = "\(fixture.path)/state"
    // This process is alive, and its change stands still.
    let token = "2~\(fixture.spool.holder)~5"
    try decide(fixture, token)
    try Plain.write("\(state)/tmp/light~\(token).json", "{\"value\":2,\"version\":2}\n")
    #expect(try fixture.spool.setState(key(), to: json("3")).version == 3)
    #expect(rename("\(state)/tmp/light~\(token).json", "\(state)/light.json") == -1)
    #expect(try fixture.spool.state(key())?.value?.description == "3")
  }

  @Test func `a watcher is told of each key's last change, of deletions, and of nothing else`() throws {
    let fixture = try Fixture()
    try fixture.spool.setState(key("old"), to: json("0"))
    let watcher = try StateWatcher(fixture.spool)
    let all = try StateWatcher(fixture.spool, fromNow: false)
    let one = try StateWatcher(fixture.spool, keys: [key("other")])
    #expect(try watcher.next(waiting: 0) == nil)
    let set = try fixture.spool.setState(key(), to: json("1"))
    #expect(try watcher.next(waiting: 10) == set)
    let deleted = try fixture.spool.deleteState(key(), by: "coder")
    #expect(try watcher.next(waiting: 10) == deleted)
    #expect(try all.next(waiting: 0)?.key.description == "old")
    let other = try fixture.spool.setState(key("other"), to: json("2"))
    #expect(try one.next(waiting: 10) == other)
  }

  /// Without an event it is told at the next look, up to five seconds later.
  @Test(arguments: [false, true])
  func `a deletion is an event, too`(byHand: Bool) throws {
    let fixture = try Fixture()
    try fixture.spool.setState(key(), to: json("1"))
    let watcher = try StateWatcher(fixture.spool)
    // A look is just over, so that none is due while the deletion is waited for.
    #expect(try watcher.next(waiting: 0) == nil)
    if byHand {
      #expect(unlink("\(fixture.path)/state/light.json") == 0)
    } else {
      try fixture.spool.deleteState(key())
    }
    let told = try watcher.next(waiting: 4)
    #expect(told?.key == (try key()) && told?.value == nil)
  }

  @Test func `a key that can't be told keeps a watcher from no other`() throws {
    let fixture = try Fixture()
    try fixture.spool.setState(key(), to: json("1"))
    let watcher = try StateWatcher(fixture.spool)
    try Plain.write("\(fixture.path)/state/versions/light/9", "")
    try Plain.write("\(fixture.path)/state/light.json", "\"by hand\"")
    let other = try fixture.spool.setState(key("other"), to: json("2"))
    #expect(try watcher.next(waiting: 20) == other)
  }

  @Test func `of several tokens the doctor leaves the newest, while the spool is used`() throws {
    let fixture = try Fixture()
    try fixture.spool.setState(key(), to: json("1"))
    try Plain.write("\(fixture.path)/state/versions/light/9", "")
    #expect(try Doctor(fixture.spool).examine(repairing: false).findings.map(\.path) == ["state/versions/light"])
    #expect(tokens(fixture).count == 2)
    #expect(try Doctor(fixture.spool).examine(repairing: true).findings.map(\.path) == ["state/versions/light"])
    #expect(tokens(fixture) == ["9"])
    #expect(try fixture.reopened().setState(key(), to: json("2")).version == 10)
    #expect(try Doctor(fixture.spool).examine(repairing: true).count == 0)
  }

  @Test(arguments: [
    "tmp/a/b", "light.json/a", "light.json, which was deleted", "versions/light/a", "tmp/recovery-light",
  ])
  func `a directory that somebody made below state keeps no value from being mended`(odd: String) throws {
    let fixture = try Fixture()
    let state = "\(fixture.path)/state"
    try fixture.spool.setState(key("other"), to: json("1"))
    try fixture.spool.setState(key(), to: json("2"))
    let isDeleted = odd.hasSuffix("deleted")
    if isDeleted { try fixture.spool.deleteState(key()) } else { #expect(unlink("\(state)/light.json") == 0) }
    #expect(unlink("\(state)/versions/light/\(try #require(names(fixture).first))") == 0)
    try shell("mkdir -p state/\(odd.split(separator: ",")[0])", in: fixture.path)
    #expect(unlink("\(state)/other.json") == 0)
    let spool = try fixture.rebooted()
    #expect(try spool.state(key("other"))?.value?.description == "1")
    #expect(try spool.state(key())?.value?.description == (isDeleted ? nil : "2"))
    #expect(try spool.setState(key(), to: json("3")).version == (isDeleted ? 3 : 2))
    #expect(try fixture.rebooted().recovery?.findings.map(\.path) == [])
    #expect(Plain.names("\(state)/tmp").isEmpty)
  }

  @Test func `a key whose versions can't be mended is told of, and the others are`() throws {
    let fixture = try Fixture()
    for name in ["light", "other", "a"] { try fixture.spool.setState(key(name), to: json("1")) }
    try shell("rm -r versions/light; echo > versions/light; rm other.json a.json", in: "\(fixture.path)/state")
    let spool = try fixture.rebooted()
    let left = spool.recovery?.findings.filter(\.isLeft).map(\.path)
    #expect(left == ["state/versions/light"])
    for name in ["light", "other", "a"] { #expect(try spool.state(key(name))?.value?.description == "1") }
  }

  @Test(arguments: ["removed", "emptied", "old", "gone"])
  func `after a power cut each value is what the log says`(damage: String) throws {
    let fixture = try Fixture()
    try fixture.spool.setState(key("old"), to: json("0"))
    let before = try fixture.spool.setState(key(), to: json("1"))
    let old = try Plain.read("\(fixture.path)/state/light.json")
    let value = try fixture.spool.setState(key(), to: json("2"))
    try fixture.spool.setState(key("dead"), to: json("3"))
    let dead = try Plain.read("\(fixture.path)/state/dead.json")
    try fixture.spool.deleteState(key("dead"))
    let state = "\(fixture.path)/state"
    switch damage {
    case "removed": unlink("\(state)/light.json")
    case "emptied": #expect(truncate("\(state)/light.json", 0) == 0)
    case "old":
      try Plain.write("\(state)/light.json", old)
      try decide(fixture, "1")
      try Plain.write("\(state)/dead.json", dead)
    default:
      unlink("\(state)/light.json")
      unlink("\(state)/versions/light/\(try #require(names(fixture).first))")
      rmdir("\(state)/versions/light")
      try Plain.write("\(state)/tmp/light~3~pi.1.1~5.json", "")
    }
    let spool = try fixture.rebooted()
    #expect(try spool.state(key()) == value && value.version > before.version)
    #expect(try spool.state(key("old"))?.value?.description == "0" && spool.state(key("dead")) == nil)
    #expect(tokens(fixture) == ["2"] && Plain.names("\(state)/tmp").isEmpty)
    #expect(try spool.setState(key(), to: json("4")).version == 3)
    #expect(try fixture.rebooted().recovery?.findings.map(\.path) == [])
  }

  @Test func `doctor brings back a value whose file was damaged, in use`() throws {
    let fixture = try Fixture()
    let value = try fixture.spool.setState(key(), to: json("2"))
    #expect(truncate("\(fixture.path)/state/light.json", 3) == 0)
    #expect(try Doctor(fixture.spool).examine(repairing: true).findings.map(\.path) == ["state/light.json"])
    #expect(try fixture.spool.state(key()) == value)
  }

  @Test func `a deletion finished late takes no newer value away`() throws {
    let fixture = try Fixture()
    try fixture.spool.setState(key(), to: json("1"))
    let token = "2~\(DeadProcess.holder(on: fixture.spool.host))~5~deleted"
    try decide(fixture, token)
    try Plain.write("\(fixture.path)/state/tmp/light~\(token).json", "{\"deleted\":true,\"version\":2}\n")
    #expect(try fixture.spool.setState(key(), to: json("3"), expecting: 0).version == 3)
    // As its maker does that was stopped before it took the file away: it looks at what it has in hand.
    try decide(fixture, token)
    try Plain.write("\(fixture.path)/state/tmp/light~\(token).json", "{\"deleted\":true,\"version\":2}\n")
    #expect(try fixture.reopened().setState(key(), to: json("4")).version == 4)
    #expect(try History(fixture.spool).states(key()).map { $0.value?.description } == ["1", nil, "3", "4"])
  }

  @Test func `a newer value that somebody had in hand who died while deleting is put back`() throws {
    let fixture = try Fixture()
    try fixture.spool.setState(key(), to: json("1"))
    try fixture.spool.deleteState(key())
    let newer = try fixture.spool.setState(key(), to: json("3"))
    // Its maker was stopped before it took the file away, went on when that was another, and was killed.
    let state = "\(fixture.path)/state"
    let taken = "\(state)/tmp/light~2~\(DeadProcess.holder(on: fixture.spool.host))~5~deleted.json.taken"
    #expect(rename("\(state)/light.json", taken) == 0)
    #expect(try fixture.reopened().state(key()) == newer)
    #expect(try History(fixture.spool).states(key()).map(\.version) == [1, 2, 3])
    #expect(Plain.names("\(state)/tmp").isEmpty)
    #expect(unlink("\(state)/light.json") == 0)
    #expect(try fixture.reopened().state(key()) == nil)
  }

  @Test func `what is remembered of a key gives way to what others have done`() throws {
    let fixture = try Fixture()
    let other = try fixture.reopened()
    try fixture.spool.setState(key(), to: json("1"))
    #expect(try other.setState(key(), to: json("2")).version == 2)
    #expect(try fixture.spool.setState(key(), to: json("3")).version == 3)
    try Plain.write("\(fixture.path)/state/light.json", "\"by hand\"")
    #expect(try fixture.spool.setState(key(), to: json("5")).version == 5)
    #expect(try other.deleteState(key())?.version == 6)
    #expect(code { try fixture.spool.setState(key(), to: json("7"), expecting: 5) } == .claimLost)
  }

  @Test func `tokens are read exactly`() throws {
    let holder = try #require(Holder("pi.25237.546fe"))
    for token in [
      StateToken(version: 7), StateToken(version: 0, isDeleted: true),
      StateToken(version: 8, holder: holder, serial: 31),
      StateToken(version: 8, holder: holder, serial: 31, isDeleted: true),
    ] { #expect(StateToken("\(token)") == token) }
    for text in [
      "", "07", "-1", "7~", "7~gone", "7~pi.1~5", "7~pi.25237.546fe~G", "7~pi.25237.546fe~5~6", "a", "~deleted",
      "7~deleted~deleted",
    ] {
      #expect(StateToken(text) == nil, "\(text)")
    }
  }
}
