import Foundation
import Glibc
import TestSupport
import TestThreads
import Testing

/// Messages from people's hands, as one who waits with the real command sees them.
@Suite(.waiting, .serialized) struct DroppedFileTests {
  /// Each ends with the inbox having one more message, which says `dropped`.
  static let ways = [
    "echo > inbox": #"echo '{"content":"dropped"}' > inbox/x.json"#,
    "cp": #"echo '{"content":"dropped"}' > x; cp x inbox/x.json"#,
    "mv": #"echo '{"content":"dropped"}' > x; mv x inbox/x.json"#,
    "ln": #"echo '{"content":"dropped"}' > x; ln x inbox/x.json"#,
    "an editor's save": #"echo '{"content":"dropped"}' > inbox/.x.json.swp; mv inbox/.x.json.swp inbox/x.json"#,
    "a slow writer":
      #"exec 3> inbox/x.json; printf '{"content":' >&3; sleep 1.2; printf '"drop' >&3; sleep 0.3; printf 'ped"}' >&3"#,
    "many fields, in lines":
      #"printf '{\n  "content": "dropped",\n  "x": [1.0, 2e3]\n}\n' > inbox/'a name with spaces.json'"#,
    "beside rubbish": #"echo '{' > inbox/bad.json; echo > inbox/note.txt; echo '{"content":"dropped"}' > inbox/x.json"#,
  ]

  @Test(arguments: ways.keys.sorted())
  func `a waiting receiver gets a dropped file, whole and once, within a second`(way: String) throws {
    let scratch = try Scratch()
    let spool = try scratch.makeSpool(bots: ["a"])
    let bot = "\(spool)/bots/a"
    let waiting = try SpoolCommand.start(["receive", "a", "--wait", "50s", "--json"], in: spool)
    let isAsleep = eventually {
      Scratch.names("/proc/\(waiting.pid)/fd").contains { name in
        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(waiting.pid)/fd/\(name)")
        return target == "anon_inode:inotify" || target == "\(bot)/inbox"
      }
    }
    #expect(isAsleep)
    let drop = try SpoolCommand.start(program: "/bin/sh", ["-ec", Self.ways[way]!], directory: bot).wait(seconds: 20)
    #expect(drop.isDone, "\(drop)")
    let dropped = monotonicSeconds()
    let outcome = try waiting.wait(seconds: SpoolCommand.secondsMax)
    let latency = monotonicSeconds() - dropped
    #expect(outcome.isDone && outcome.output.contains(#""content":"dropped""#), "\(outcome)")
    print("\(way): received \(Int(latency * 1000)) ms after the shell had ended")
    // A second is the promise; a busy machine gets five.
    #expect(latency < 5)
    let reader = SpoolReader(spool)
    #expect(reader.entries(saying: "dropped").map(\.box) == ["claimed"])
    #expect(reader.sent.count == 1 && reader.sent[0].data["dropped_as"] != nil)
    #expect(reader.violations(settled: true).filter { !$0.contains("bad.json") && !$0.contains("note.txt") }.isEmpty)
    if way == "beside rubbish" {
      _ = try SpoolCommand.run(["receive", "a", "--wait", "2s"], in: spool)
      #expect(eventually { Scratch.names("\(spool)/quarantine").count == 2 }, "the bad file is not set aside")
      #expect(Scratch.names("\(bot)/inbox") == ["note.txt"])
    }
  }
}
