/// The verbs, in the order in which help lists them. One is made when it is asked for: to make all of them was a sixth of
/// the time of a send. So are names looked for one by one: a switch over texts makes a table first.
enum Command: String, CaseIterable {
  case
    initialize = "init", register, unregister, bots, skills, reputation, send, publish, subscribe, unsubscribe,
    topics, inbox, receive, ack, nack, extend, dead, reply, request, work, task, workflow, announce, group,
    coordinate, ask, analyze, status, learnings, state, log, thread, search, show, trace, stats, mesh, doctor,
    collect = "gc", demo

  var verb: Verb {
    switch self {
    case .initialize: .initialize
    case .register: .register
    case .unregister: .unregister
    case .bots: .bots
    case .skills: .skills
    case .reputation: .reputation
    case .send: .send
    case .publish: .publish
    case .subscribe: .subscribe
    case .unsubscribe: .unsubscribe
    case .topics: .topics
    case .inbox: .inbox
    case .receive: .receive
    case .ack: .ack
    case .nack: .nack
    case .extend: .extend
    case .dead: .dead
    case .reply: .reply
    case .request: .request
    case .work: .work
    case .task: .task
    case .workflow: .workflow
    case .announce: .announce
    case .group: .group
    case .coordinate: .coordinate
    case .ask: .ask
    case .analyze: .analyze
    case .status: .status
    case .learnings: .learnings
    case .state: .state
    case .log: .log
    case .thread: .thread
    case .search: .search
    case .show: .show
    case .trace: .trace
    case .stats: .stats
    case .mesh: .mesh
    case .doctor: .doctor
    case .collect: .collect
    case .demo: .demo
    }
  }
}
