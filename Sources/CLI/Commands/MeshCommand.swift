import CoordinatorPolicy
import Routing
import Spool
import SpoolFormat

extension Verb {
  static let mesh = Verb(
    name: "mesh", summary: "who talks to whom: how much, how fast, how well",
    usage: "[--bot BOT] [--dot] [--recompute]",
    options: [
      .value("--bot", "BOT", "only what it sends or gets"), .flag("--dot", "as a graph for Graphviz"), recomputing,
    ],
    example: "spool mesh\nspool mesh --dot | dot -Tsvg > mesh.svg",
    exits: "0 done, 1 nobody has talked, 67 no such bot, 69 no spool",
    notes: """
      COUNT is messages that were taken or given up, and attempts at tasks, by whoever wanted them done. WEIGHT is the sum of
      their rewards, each halved for every week since, by as many ones and two: paths that do well grow, others fade; any:
      counts it. REWARD is the plain mean, WAIT that of messages until they were taken.
      """
  ) { invocation in
    try invocation.expect(atMost: 0)
    let spool = try invocation.spool()
    let bot = try invocation.value("--bot").map { try spool.bot(named: $0).description }
    if invocation.has("--dot"), invocation.isJSON { throw UsageError("--dot or --json, not both") }
    var edges = Mesh(try invocation.records(spool).team, now: TimeText.now())
    if let bot { edges = edges.filtered { $0.from == bot || $0.to.description == bot } }
    if invocation.has("--dot") {
      invocation.output.line(edges.dot)
    } else if invocation.isJSON {
      for edge in edges.edges { invocation.output.object { write(edge, to: &$0) } }
    } else if !edges.edges.isEmpty {
      let rows = edges.edges.map { edge in
        [
          Output.excerpt(edge.from, 32), edge.to.description, "\(edge.path.count)", "\(edge.back)",
          edge.path.meanWait.map { TimeText.short(microseconds: Int($0)) } ?? "",
          edge.path.meanReward.map { Output.decimals($0) } ?? "", Output.decimals(edge.weight),
          edge.path.lastAt.map(TimeText.local) ?? "",
        ]
      }
      invocation.output.table(["FROM", "TO", "COUNT", "BACK", "WAIT", "REWARD", "WEIGHT", "LAST"], rows)
    }
    if edges.edges.isEmpty { Output.talk("nobody has talked to anybody yet") }
    return edges.edges.isEmpty ? .nothing : .done
  }

  private static func write(_ edge: Mesh.Edge, to writer: inout JSONWriter) {
    writer.member("from", edge.from)
    writer.member("to", edge.to.description)
    writer.member("count", edge.path.count)
    writer.member("back", edge.back)
    writer.member("messages", edge.path.deliveries)
    writer.member("mean_wait_us", ifPresent: edge.path.meanWait.map { $0.rounded() })
    writer.member("mean_reward", ifPresent: edge.path.meanReward.map(Output.rounded))
    writer.member("weight", Output.rounded(edge.weight))
    writer.member("traffic", Output.rounded(edge.traffic))
    if let lastAt = edge.path.lastAt {
      writer.member("last", moment: lastAt)
    }
  }
}
