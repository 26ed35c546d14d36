import SpoolFormat

/// Who talks to whom: the paths of all bots' records, with weights that follow how they do.
public struct Mesh: Sendable {
  public struct Edge: Sendable, Hashable {
    public let from: String
    public let to: BotName
    public let path: BotRecord.Path
    /// As `BotRecord.Path.weight` and `traffic`.
    public let weight: Double
    public let traffic: Double
    /// Messages and tasks the other way, if the sender is a bot.
    public let back: Int
  }

  /// The heaviest first; of equals by names.
  public let edges: [Edge]

  public init(_ team: TeamRecord, now: Timestamp) {
    var edges: [Edge] = []
    for (bot, record) in team.bots {
      for (from, path) in record.paths {
        let sender = (try? BotName(parsing: from)).flatMap { team.bots[$0] }
        edges.append(
          Edge(
            from: from, to: bot, path: path, weight: path.weight(now: now), traffic: path.traffic(now: now),
            back: sender?.paths[bot.description]?.count ?? 0))
      }
    }
    self.edges = edges.sorted { left, right in
      if left.weight != right.weight { return left.weight > right.weight }
      return (left.from, left.to.description) < (right.from, right.to.description)
    }
  }

  private init(_ edges: [Edge]) { self.edges = edges }

  /// Only some of its edges.
  public func filtered(_ isWanted: (Edge) -> Bool) -> Mesh { Mesh(edges.filter(isWanted)) }

  /// The graph in the DOT language: an edge's width follows its weight, and its label has the count and the mean wait. What
  /// has faded below a hundredth is dotted.
  public var dot: String {
    var text = "digraph mesh {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n"
    for edge in edges.sorted(by: { ($0.from, $0.to.description) < ($1.from, $1.to.description) }) {
      let wait = edge.path.meanWait.map { ", \(BotScore.short($0 / 1000)) ms" } ?? ""
      let width = BotScore.short(0.5 + 4 * edge.weight)
      text +=
        "  \(Self.quoted(edge.from)) -> \(Self.quoted(edge.to.description)) [label=\"\(edge.path.count)\(wait)\", "
      text += "penwidth=\(width), weight=\(1 + Int(edge.weight * 99))\(edge.weight < 0.01 ? ", style=dotted" : "")];\n"
    }
    return text + "}"
  }

  /// A name of DOT in quotes; what isn't printable is left out, because a sender may be any text.
  static func quoted(_ text: String) -> String {
    var quoted = "\""
    for character in text.unicodeScalars where character.value >= 32 && character.value != 127 {
      if character == "\"" || character == "\\" { quoted += "\\" }
      quoted.unicodeScalars.append(character)
    }
    return quoted + "\""
  }
}
