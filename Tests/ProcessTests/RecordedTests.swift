import Foundation
import Glibc
import TestSupport
import TestThreads
import Testing

/// Texts compared with recorded copies in `Recorded/`. After a change that was meant, record them anew, and look at
/// the difference before it is committed: `SPOOL_RECORD=1 swift test --filter RecordedTests; git diff Tests`.
private func compare(_ text: String, _ name: String) throws {
  let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Recorded/\(name).txt")
    .path
  if getenv("SPOOL_RECORD") != nil { try Scratch.write(text, to: file) }
  let recorded = FileManager.default.contents(atPath: file).map { String(decoding: $0, as: UTF8.self) }
  let hint = "record it with SPOOL_RECORD=1 swift test --filter RecordedTests"
  let known = try #require(recorded, "\(name) has no recorded copy; \(hint)")
  #expect(known == text, "\(name) is not as recorded; if it should be, \(hint)")
}

@Suite(.waiting) struct RecordedTests {
  @Test func `what init says next works from anywhere`() throws {
    let scratch = try Scratch(inMemory: true)
    for (given, wanted) in [([], ""), (["one"], "/one"), (["two/three"], "/two/three")] {
      let here = given.isEmpty ? "\(scratch.path)/here" : scratch.path
      try Scratch.makeDirectory(here)
      let made = try SpoolCommand.run(["init"] + given, directory: here)
      #expect(made.error.hasSuffix("; next: export SPOOL_DIR=\(here)\(wanted)\n"), "\(made)")
      #expect(try SpoolCommand.run(["register", "coder"], in: here + wanted).isDone)
    }
  }

  @Test func `the help of the program and of every verb is as recorded`() throws {
    let overview = try SpoolCommand.run(["--help"])
    #expect(overview.isDone && overview.error.isEmpty)
    try compare(overview.output, "help")
    func listed(_ help: String) -> [String] {
      help.split(separator: "\n").compactMap { $0.firstMatch(of: #/^  ([a-z]+)   /#).map { String($0.output.1) } }
    }
    var verbs = listed(overview.output).map { [$0] }
    #expect(verbs.count > 20)
    var recorded: Set<String> = []
    while let verb = verbs.popLast() {
      let name = verb.joined(separator: " ")
      let help = try SpoolCommand.run(verb + ["--help"])
      #expect(help.isDone && help.error.isEmpty, "\(name): \(help)")
      for part in ["spool \(name): ", "\nUsage:    spool \(name)", "\nOptions:  ", "\nExample:  ", "\nExit:     "] {
        #expect(help.output.contains(part), "the help of \(name) has no \(part.debugDescription)")
      }
      #expect(help.output.split(separator: "\n").allSatisfy { $0.count <= 140 }, "the help of \(name) is too wide")
      let file = "help-\(verb.joined(separator: "-"))"
      try compare(help.output, file)
      recorded.insert("\(file).txt")
      // A noun's help lists its actions.
      if verb.count == 1 { verbs += listed(help.output).map { verb + [$0] } }
    }
    let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Recorded").path
    let stale = Scratch.names(directory).filter { $0.hasPrefix("help-") && !recorded.contains($0) }
    #expect(stale.isEmpty, "no verb has this help any more: \(stale)")
  }

  /// One small story, told by every verb that shows something.
  @Test func `what the verbs print is as recorded`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = "\(scratch.path)/spool"
    var story = Story(spool: spool)
    story.tell(["bots"])
    story.tell(["init", spool])
    story.tell(["init", spool, "--json"])
    story.tell(["topics"])
    story.tell(["register", "coder", "--domain", "development", "--skill", "swift:expert", "--capacity", "2"])
    story.tell(["register", "planner", "--about", "thinks first"])
    story.tell(["register", "tester", "--json"])
    story.tell(["subscribe", "tester", "builds"])
    story.tell(["topics"], json: true)
    story.tell(["inbox", "coder"])
    story.tell(["receive", "coder"])
    story.tell(["log", "--type", "message.sent"])
    story.tell([
      "send", "coder", "write a \u{1b}[2Jparser", "--from", "planner", "--priority", "8", "--conversation", "parsing",
    ])
    let request = story.lastLine
    story.tell(["send", "team", "lunch", "--from", "coder", "--json"])
    story.tell(["publish", "builds", "main is green", "--from", "coder", "--data", #"{"commit":"f00"}"#])
    story.tell(["send", "coder", "later", "--from", "tester", "--not-before", "2099-01-01T00:00:00Z"])
    story.tell(["inbox", "coder"], json: true)
    story.tell(["receive", "coder", "--json"])
    let claim = story.claim
    story.tell(["reply", claim, "done", "--ack"])
    story.tell(["receive", "planner"])
    story.tell(["ack", claim])
    story.tell(["receive", "tester", "--json"])
    story.tell(["nack", story.claim, "--dead", "--reason", "not hungry"])
    story.tell(["receive", "tester", "--ack"])
    story.tell(["dead", "tester"], json: true)
    story.tell(["dead", "coder"])
    story.tell(["log"], json: true)
    story.tell(["thread"], json: true)
    story.tell(["thread", "parsing"], json: true)
    story.tell(["search", "parser"], json: true)
    story.tell(["trace", request], json: true)
    story.tell(["show", request], json: true)
    story.tell(["bots"], json: true)
    story.tell(["stats"], json: true)
    story.tell(["doctor"], json: true)
    try compare(story.text, "story")
  }

  @Test func `what the verbs of tasks print is as recorded`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = "\(scratch.path)/spool"
    var story = Story(spool: spool)
    story.tell(["init", spool])
    story.tell(["task", "list"])
    story.tell(["register", "coder", "--domain", "development", "--skill", "swift:expert"])
    let options = ["--domain", "development", "--skill", "swift:advanced", "--requirement", "fast", "--by", "planner"]
    story.tell(["task", "add", "write a \u{1b}[2Jparser", "--priority", "high"] + options)
    let parser = story.lastLine
    story.tell(["task", "add", "test it", "--depends-on", parser, "--due", "2099-01-01T00:00:00Z", "--json"])
    story.tell(["task", "list"], json: true)
    story.tell(["task", "claim", "--next", "--as", "coder"])
    let claim = story.lastLine
    story.tell(["task", "progress", claim, "40", "the scanner is done"])
    story.tell(["task", "show", parser], json: true)
    story.tell(["task", "tree"])
    story.tell(["task", "fail", claim, "no network", "--suggestion", "try the mirror", "--delay", "0s"])
    story.tell(["task", "claim", parser, "--as", "coder", "--json"])
    story.tell(["task", "complete", claim, "too late"])
    story.tell(["task", "complete", parser, "in parser.swift", "--confidence", "0.9", "--learning", "use rename"])
    story.tell(["task", "cancel", parser])
    story.tell(["task", "wait", parser], json: true)
    story.tell(["task", "list", "--all"])
    story.tell(["task", "show", parser])
    story.tell(["trace", parser])
    story.tell(["search", "rename"])
    let file = "\(spool)/tmp/flow.json"
    try Scratch.write(#"{"steps":[{"name":"a"},{"name":"b","depends_on":["c"]}]}"#, to: file)
    story.tell(["workflow", "check", file])
    try Scratch.write(
      #"{"title":"both","steps":[{"name":"b","depends_on":["a"],"title":"{{a.result}}"},{"name":"a"}]}"#, to: file)
    story.tell(["workflow", "check", file], json: true)
    story.tell(["workflow", "submit", file, "--key", "k"])
    let workflow = story.lastLine
    story.tell(["workflow", "submit", file, "--key", "k", "--json"])
    story.tell(["workflow", "show", workflow], json: true)
    story.tell(["workflow", "wait", workflow, "--timeout", "1ms"])
    story.tell(["task", "cancel", workflow, "--reason", "enough"])
    story.tell(["workflow", "wait", workflow])
    story.tell(["log", "--type", "task.cancelled"])
    story.tell(["stats"], json: true)
    try compare(story.text, "story-tasks")
  }

  @Test func `what the verbs of groups print, before any hub is there, is as recorded`() throws {
    let scratch = try Scratch(inMemory: true)
    let spool = "\(scratch.path)/spool"
    var story = Story(spool: spool)
    story.tell(["init", spool])
    story.tell(["register", "ada", "--skill", "ml:expert"])
    story.tell(["announce", "predict"])
    story.tell(["announce", "predict", "--skill", "ml:wizard"])
    story.tell(["announce", "predict", "--skill", "ml", "--min-group", "3", "--max-group", "2"])
    story.tell(["announce", "predict", "--skill", "ml", "--min-group", "2"])
    story.tell(["announce", "predict", "--skill", "ml:advanced", "--deadline", "10m", "--from", "ada"])
    let id = story.lastLine
    story.tell(["thread", id])
    story.tell(["group", "list"])
    story.tell(["group", "show", id])
    story.tell(["group", "cancel", id])
    story.tell(["group", "cancel", id])
    story.tell(["group", "list", "lost"])
    try compare(story.text, "story-groups")
  }

  /// Commands and what they print, with what differs from run to run given names.
  private struct Story {
    let spool: String
    private(set) var text = ""
    private(set) var lastLine = ""
    private(set) var claim = ""
    private var identifiers: [String] = []

    init(spool: String) { self.spool = spool }

    mutating func tell(_ arguments: [String], json: Bool) {
      tell(arguments)
      if json { tell(arguments + ["--json"]) }
    }

    mutating func tell(_ arguments: [String]) {
      guard let outcome = try? SpoolCommand.run(arguments, in: spool, environment: ["SPOOL_HOST": "pi"]) else {
        Issue.record("\(arguments) could not be run")
        return
      }
      lastLine = outcome.line
      if let found = outcome.output.firstMatch(of: #/"claim":"([^"]+)"/#) { claim = String(found.output.1) }
      let shown = arguments.map { $0.wholeMatch(of: #/[\w.,~\/#=:-]+/#) == nil ? "'\($0)'" : $0 }.joined(separator: " ")
      let errors = outcome.error.split(separator: "\n").map { "! \($0)\n" }.joined()
      text += normalised("$ spool \(shown)\n\(outcome.output)\(errors)= \(outcome.status ?? -1)\n\n")
    }

    /// Ids become ID1, ID2, … in the order in which they come up; times, durations and process ids lose their digits.
    private mutating func normalised(_ text: String) -> String {
      var text = text.replacing(spool, with: "SPOOL").replacing("\u{1b}", with: "ESC")
      for match in text.matches(of: #/\d{8}T\d{6}\.\d{6}Z-([0-9a-f]{16})/#) {
        let random = String(match.output.1)
        if !identifiers.contains(random) { identifiers.append(random) }
      }
      for (index, random) in identifiers.enumerated() {
        text = text.replacing(try! Regex("\\d{8}T\\d{6}\\.\\d{6}Z-\(random)"), with: "ID\(index + 1)")
        text = text.replacing(random.prefix(8), with: "id\(index + 1)")
      }
      text = text.replacing(#/2099-[0-9:.TZ-]+|20990101T[0-9.]+Z/#, with: "LATER")
      text = text.replacing(#/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?/#, with: "TIME")
      text = text.replacing(#/\b\d\d:\d\d:\d\d(\.\d+)?/#, with: "TIME")
      text = text.replacing(#/pi\.0\.[0-9a-f]+/#, with: "pi.0.RANDOM")
      text = text.replacing(#/pi[.\/]\d+\.[0-9a-f]+/#, with: "PROCESS")
      text = text.replacing(#/\b\d+(\.\d+)? ?(µs|ms|s|min|h)\b/#, with: "DURATION")
      text = text.replacing(#/due in \d+ d/#, with: "due in DURATION")
      text = text.replacing(#/"(waited_us|p50|p90|p99|log_bytes|pid)":\d+/#) { "\"\($0.output.1)\":N" }
      text = text.replacing(#/"elapsed_seconds":[0-9.e-]+/#, with: "\"elapsed_seconds\":N")
      // How fast this machine was decides these.
      text = text.replacing(#/"mean_latency_us":[\d.]+/#, with: "\"mean_latency_us\":N")
      text = text.replacing(#/mean reward [\d.]+/#, with: "mean reward R")
      text = text.replacing(#/"mean_reward":[\d.]+/#, with: "\"mean_reward\":R")
      text = text.replacing(#/mesh: \w+/#, with: "mesh: GRADE")
      text = text.replacing(#/"mesh_health":"\w+"/#, with: "\"mesh_health\":\"GRADE\"")
      text = text.replacing(#/"id":"[0-9a-f]{32}"/#, with: "\"id\":\"IDENTITY\"")
      text = text.replacing(#/file system: .*/#, with: "file system: KIND")
      // Widths of columns follow what stands in them.
      return text.replacing(#/ {2,}/#, with: "  ")
    }
  }
}
