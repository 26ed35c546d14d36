import SpoolFormat

/// Understands a request by rules and a vocabulary. Time is linear in the text's length.
///
/// 1. *Domains.* A domain counts when one of its actions stands there, or one of its verbs with an object of its own or
///    of none. What only its things speak for is the object of the others' work (*review* the login **code**), and
///    counts when there is no action at all. What follows `about` counts only when there is nothing else. Then what
///    these imply.
/// 2. *Complexity*, in points: one for each domain, one when something is made, one for words such as `distributed`, one
///    less for words such as `typo`, one for a question to all, one for more than 60 words and another for more than 300.
///    Up to 0 it is low, from 3 on high.
/// 3. *Approach.* A question for opinions is discussed, and so is a bare choice (`Tabs or spaces?`). Without a domain small
///    talk, and what is asked about the coordinator itself, is answered, and anything else goes to any bot. One domain goes
///    to its specialist, or is decomposed if it is complex. Several are a sequence when the text gives an order, or a gate
///    at the end; parallel when it says so, or from three on; else they are decomposed.
public struct RequestAnalysis: Sendable {
  public let vocabulary: Vocabulary
  private let lexicon: Lexicon

  public init(_ vocabulary: Vocabulary = .builtIn) {
    self.vocabulary = vocabulary
    lexicon = Lexicon(vocabulary)
  }

  /// Analyses a text once. Who analyses many keeps a `RequestAnalysis`.
  public static func analyse(_ text: String, _ vocabulary: Vocabulary = .builtIn) -> Analysis {
    RequestAnalysis(vocabulary).analyse(text)
  }

  public func analyse(_ text: String) -> Analysis {
    let tokens = Tokens(text)
    guard !tokens.all.isEmpty else {
      return Analysis(
        complexity: .low, domains: [], requiresTeam: false, approach: .directResponse, reasons: ["there are no words"])
    }
    let reading = RequestReading(tokens, lexicon.matches(in: tokens), vocabulary)
    var reasons: [String] = []
    let found = reading.domains(&reasons)
    let domains = found.indices
    let discussed = reading.discussionCue
    let complexity = reading.complexity(domains.count, isDiscussed: discussed != nil, &reasons)
    let approach = approach(reading, domains.count, complexity, discussed, &reasons)
    let isTeam = approach != .directResponse && approach != .routeToSpecialist
    let ordered =
      approach == .sequentialWorkflow ? reading.inOrderOfWork(found) : domains.map { vocabulary.domains[$0].name }
    return Analysis(
      complexity: complexity, domains: ordered, requiresTeam: isTeam, approach: approach, reasons: reasons)
  }

  private func approach(
    _ reading: RequestReading, _ domainCount: Int, _ complexity: Analysis.Complexity, _ discussed: String?,
    _ reasons: inout [String]
  ) -> Analysis.Approach {
    if let discussed {
      reasons.append("asks for opinions (\"\(discussed)\"): the team is asked")
      return .teamDiscussion
    }
    switch domainCount {
    case 0:
      if let reason = reading.smallTalk {
        reasons.append(reason)
        return .directResponse
      }
      reasons.append("none of its words is of a domain: any bot may take it")
      return .routeToSpecialist
    case 1:
      reasons.append(complexity == .high ? "one domain, but too much for one step" : "one domain: its specialist")
      return complexity == .high ? .decomposeAndDelegate : .routeToSpecialist
    default:
      if let cue = reading.sequenceCue {
        reasons.append("gives an order (\"\(cue)\"): one after the other")
        return .sequentialWorkflow
      }
      if let cue = reading.first(.parallel) {
        reasons.append("asks for it at the same time (\"\(cue)\")")
        return .parallelDelegation
      }
      reasons.append("\(domainCount) domains: a team")
      return domainCount >= 3 ? .parallelDelegation : .decomposeAndDelegate
    }
  }
}
