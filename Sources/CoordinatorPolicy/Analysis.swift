import SpoolFormat

/// What a request asks for: what `spool analyze` shows, and what a program given as `--analyzer` prints.
public struct Analysis: Sendable, Hashable {
  public var complexity: Complexity
  /// Those that the request touches: in the order of the work when the approach is sequential, else the vocabulary's.
  public var domains: [String]
  /// Whether more than one bot should have a part in it.
  public var requiresTeam: Bool
  public var approach: Approach
  /// Why, for people.
  public var reasons: [String]

  public enum Complexity: String, Sendable, CaseIterable { case low, medium, high }

  public enum Approach: String, Sendable, CaseIterable {
    /// Answered at once by whoever takes it.
    case directResponse = "direct_response"
    /// One task for the bot that is best at it.
    case routeToSpecialist = "route_to_specialist"
    /// Steps that each build on those before.
    case sequentialWorkflow = "sequential_workflow"
    /// Parts that don't wait for each other, and are joined.
    case parallelDelegation = "parallel_delegation"
    /// Parts in the order of their stages, and those of one stage at once.
    case decomposeAndDelegate = "decompose_and_delegate"
    /// A question to the whole team.
    case teamDiscussion = "team_discussion"
  }

  public init(
    complexity: Complexity, domains: [String], requiresTeam: Bool, approach: Approach, reasons: [String] = []
  ) {
    self.complexity = complexity
    self.domains = domains
    self.requiresTeam = requiresTeam
    self.approach = approach
    self.reasons = reasons
  }

  /// A program's answer has at most as many bytes, and as many domains.
  public static let bytesMax = 256 << 10
  public static let domainsMax = 32

  private static let fields = ["complexity", "domains", "requires_team", "recommended_approach", "reasons"]

  /// Reads what `write` writes. `complexity` and `recommended_approach` must be there; unknown fields are let be,
  /// because a language model likes to add some.
  /// - Throws: all that is wrong, each with its line, its field and a cure.
  public init(parsing bytes: [UInt8]) throws(FileProblems) {
    guard bytes.count <= Self.bytesMax else {
      throw FileProblems([FileProblem(line: 1, field: "", "\(bytes.count) bytes", cure: "use at most \(Self.bytesMax)")]
      )
    }
    let node: JSONNode
    do { node = try JSONNode(parsing: bytes) } catch { throw FileProblems(error) }
    guard node.kind == .object else {
      throw FileProblems([
        FileProblem(line: node.line, field: "", "\(node.kindName) where an analysis should be", cure: "write {…}")
      ])
    }
    var check = FileChecker()
    let complexity: Complexity? = Self.choice(node, "complexity", &check)
    let approach: Approach? = Self.choice(node, "recommended_approach", &check)
    var domains: [String] = []
    for entry in check.texts(node, "", "domains") {
      let name = entry.text.lowercased()
      if name.isEmpty || name.utf8.count > 64 {
        check.note(entry.line, "domains", "a name of \(name.utf8.count) bytes", cure: "use 1 to 64")
      } else if !domains.contains(name) {
        domains.append(name)
      }
    }
    if domains.count > Self.domainsMax {
      check.note(node["domains"]!.line, "domains", "\(domains.count) of them", cure: "name at most \(Self.domainsMax)")
    }
    let requiresTeam = check.flag(node, "", "requires_team")
    let reasons = check.texts(node, "", "reasons").map(\.text)
    try check.finish()
    // `finish` has thrown, if one of them is missing.
    let chosen = approach ?? .routeToSpecialist
    self.init(
      complexity: complexity ?? .medium, domains: domains,
      requiresTeam: requiresTeam ?? ![.directResponse, .routeToSpecialist].contains(chosen), approach: chosen,
      reasons: reasons)
  }

  private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ node: JSONNode, _ name: String, _ check: inout FileChecker
  ) -> Choice? {
    let all = Choice.allCases.map(\.rawValue)
    guard let member = check.member(node, name) else {
      let near = node.members.first { !fields.contains($0.key) && !NearMatch.of($0.key, among: [name]).isEmpty }
      let found = near.map { "; did you mean it by \"\($0.key)\"?" } ?? ""
      check.note(node.line, name, "is missing\(found)", cure: "write one of \(all.joined(separator: ", "))")
      return nil
    }
    if let text = member.string, let choice = Choice(rawValue: text.lowercased()) { return choice }
    let shown = String(member.text.description.prefix(64))
    check.note(
      member.line, name, "\(shown) won't do",
      cure: FileChecker.nearest(member.string ?? "", among: all, all: "write one of"))
    return nil
  }

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writeMembers(to: &writer)
    writer.endObject()
  }

  public func writeMembers(to writer: inout JSONWriter) {
    writer.member("complexity", complexity.rawValue)
    writer.member("domains", domains)
    writer.member("requires_team", requiresTeam)
    writer.member("recommended_approach", approach.rawValue)
    writer.member("reasons", reasons)
  }
}
