import Coordinator
import CoordinatorPolicy
import Spool
import SpoolFormat

extension Verb {
  static let analyze = Verb(
    name: "analyze", summary: "what a request asks for, and how the coordinator would go about it",
    usage: "TEXT|-|--file F",
    options: [
      .flag("--explain", "rank the bots for each domain, with the parts of their scores"),
      .flag("--vocabulary", "print the built-in words, to be changed in coordinator/vocabulary.json"),
      .value("--file", "F", "take the text from a file"),
    ],
    example: "spool analyze \"Build and test a feature to track user engagement\" --explain",
    exits: "0 done, 69 no spool (with --explain, or where one is named)"
  ) { invocation in
    try invocation.expect(atMost: 1)
    if invocation.has("--vocabulary") {
      let words = Vocabulary.builtIn.prettyPrinted
      invocation.output.line(invocation.isJSON ? "\(try JSONText(validating: words).value.text)" : words)
      return .done
    }
    // Without one the built-in words will do, unless somebody names one.
    let isNamed = invocation.has("--spool") || Invocation.environment("SPOOL_DIR") != nil
    let spool = isNamed || invocation.has("--explain") ? try invocation.spool() : try? invocation.spool()
    let vocabulary = try spool.map { try VocabularyFile.read($0) } ?? .builtIn
    let analysis = RequestAnalysis.analyse(try invocation.text(operand: 0), vocabulary)
    let ranks = invocation.has("--explain") ? try Ranking(spool!).ranks(for: analysis) : []
    if invocation.isJSON {
      writeJSON(analysis, ranks, invocation.output)
    } else {
      show(analysis, ranks, invocation.output)
    }
    return .done
  }

  private static func writeJSON(
    _ analysis: Analysis, _ ranks: [(domain: String?, scores: [BotScore])], _ output: Output
  ) {
    output.object { writer in
      analysis.writeMembers(to: &writer)
      guard !ranks.isEmpty else { return }
      writer.key("bots")
      writer.beginArray()
      for rank in ranks {
        writer.beginObject()
        writer.member("domain", ifPresent: rank.domain)
        writer.key("scores")
        writer.beginArray()
        for score in rank.scores { score.write(to: &writer) }
        writer.endArray()
        writer.endObject()
      }
      writer.endArray()
    }
  }

  private static func show(
    _ analysis: Analysis, _ ranks: [(domain: String?, scores: [BotScore])], _ output: Output
  ) {
    output.line("approach    \(analysis.approach.rawValue)")
    output.line("complexity  \(analysis.complexity.rawValue)")
    output.line("domains     \(analysis.domains.isEmpty ? "none" : analysis.domains.joined(separator: ", "))")
    output.line("team        \(analysis.requiresTeam ? "yes" : "no")")
    for (index, reason) in analysis.reasons.enumerated() {
      output.line("\(index == 0 ? "because     " : "            ")\(reason.escapedForTerminal())")
    }
    for rank in ranks {
      output.line("")
      output.line(output.styled(rank.domain ?? "any domain", .bold))
      for score in rank.scores { output.line("  \(score.explanation.escapedForTerminal())") }
      if rank.scores.isEmpty { output.line("  no bot takes tasks: start one with spool work BOT --tasks -- PROGRAM") }
    }
  }
}
