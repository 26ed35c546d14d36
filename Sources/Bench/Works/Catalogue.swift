/// What the works are made from.
struct Bench {
  let scratch: Scratch
  let scale: Double
  let shared = Shared()

  /// What takes minutes to make, and serves several works.
  final class Shared { var longLog: LongLog? }

  /// A number of messages, by the scale that was asked for.
  func count(_ number: Int) -> Int { max(1, Int(Double(number) * scale)) }

  /// No measurement takes longer, or something hangs.
  var secondsMax: Int { 60 + Int(60 * scale) }
}

/// A work by its name; made only when it is wanted.
struct CatalogueEntry: Sendable {
  let name: String
  let what: String
  let make: @Sendable (Bench, _ name: String) -> Work

  static let all = [
    CatalogueEntry(
      name: "deliver", what: "one sender, one receiver: send, wake, claim, ack; relaxed; floor: bare calls",
      make: Work.deliver),
    CatalogueEntry(
      name: "latency", what: "ping-pong between two processes, one way, p50; relaxed; floor: bare calls",
      make: Work.latency),
    CatalogueEntry(
      name: "state",
      what: "from setting a shared value to a woken watcher that has it, p50; relaxed; floor: bare calls",
      make: Work.state),
    CatalogueEntry(name: "durable-1", what: "durable sends of one process; floor: each file and its directory synced") {
      .durable($0, $1, processes: 1)
    },
    CatalogueEntry(name: "durable-8", what: "durable sends of 8 processes") { .durable($0, $1, processes: 8) },
    CatalogueEntry(name: "durable-32", what: "durable sends of 32 processes") { .durable($0, $1, processes: 32) },
    CatalogueEntry(
      name: "fanout-1000", what: "one send to 1,000 inboxes, until the last is visible; floor: 1,000 linkat",
      make: Work.fanOut),
    CatalogueEntry(
      name: "compete-4", what: "4 competing receivers, every message once; floor: one receiver of ours",
      make: Work.compete),
    CatalogueEntry(
      name: "search", what: "a rare word in a log of 1,000,000 messages; floor: rg -c on the same files",
      make: Work.search),
    CatalogueEntry(
      name: "command", what: "spool send as a whole process, durable; floor: true and one synced append",
      make: Work.command),
    CatalogueEntry(name: "idle-memory", what: "resident memory of an idle spool work", make: Work.idleMemory),
    CatalogueEntry(
      name: "tasks",
      what: "10,000 tasks, 50 workers, 620 bots: add, assign, start, complete; relaxed; floor: bare calls"
    ) { .tasks($0, $1, .relaxed, atLeast: 2000) },
    CatalogueEntry(name: "tasks-durable", what: "the same, durable") { .tasks($0, $1, .durable, atLeast: 1000) },
    CatalogueEntry(
      name: "assignment", what: "from adding a task to its assignment, p99, 10,000 others pending",
      make: Work.assignment),
    CatalogueEntry(
      name: "task-growth", what: "a task's time with 100,000 completed; floor: with 1,000 completed",
      make: Work.taskGrowth),
    CatalogueEntry(
      name: "assign-time", what: "1,000 tasks to 200 bots at once, so that the total score is the greatest",
      make: Work.assignExact),
    CatalogueEntry(name: "assign-annealed", what: "the total that annealing the QUBO comes to; floor: the greatest") {
      .assignQuality($0, $1, .annealed)
    },
    CatalogueEntry(name: "assign-greedy", what: "the total that one by one comes to; floor: the greatest") {
      .assignQuality($0, $1, .greedy)
    },
    CatalogueEntry(
      name: "coordinator-start", what: "until a coordinator assigns, with 100,000 tasks there",
      make: Work.coordinatorStart),
    CatalogueEntry(
      name: "coordinator-memory", what: "its resident memory, 10,000 of them alive", make: Work.coordinatorMemory),
    CatalogueEntry(
      name: "coordinator-idle", what: "its processor time when nothing happens", make: Work.coordinatorIdle),
    CatalogueEntry(
      name: "route",
      what: "who gets a message to any:, of 1,000 bots of 10 skills; floor: six numbers for each added up",
      make: Work.route),
    CatalogueEntry(
      name: "matching", what: "the choice among 1,000 bots of 10 skills each, explained", make: Work.matching),
    CatalogueEntry(
      name: "group-p50", what: "from an announcement to its group of four, 100 bots as processes, p50; durable"
    ) { .groupForming($0, $1, percent: 50, below: 20) },
    CatalogueEntry(name: "group-p99", what: "the same, p99") { .groupForming($0, $1, percent: 99, below: 100) },
    CatalogueEntry(
      name: "groups-50", what: "50 groups of four at once, 100 bots as processes, until all are dissolved",
      make: Work.groupsAtOnce),
    CatalogueEntry(
      name: "announcements", what: "announcements of two skills a minute, done and dissolved, 100 bots as processes",
      make: Work.announcements),
    CatalogueEntry(
      name: "workers-broadcast", what: "a message to 1,000 spool work processes of one user, until the last has it",
      make: Work.workersBroadcast),
    CatalogueEntry(
      name: "workers-idle", what: "their processor time when nothing happens, together", make: Work.workersIdle),
    CatalogueEntry(name: "workers-memory", what: "memory that is each one's own", make: Work.workersMemory),
    CatalogueEntry(
      name: "full-first", what: "the first message out of an inbox with 1,000,000 files", make: Work.fullFirst),
    CatalogueEntry(name: "full-memory", what: "memory of the spool receive that takes it", make: Work.fullMemory),
    CatalogueEntry(name: "full-send", what: "a send to it, limits set; floor: to an empty inbox", make: Work.fullSend),
    CatalogueEntry(
      name: "full-drain", what: "4 receivers that empty it; floor: one with 100,000 files", make: Work.fullDrain),
    CatalogueEntry(name: "full-inbox", what: "spool inbox on it, as a process; floor: ls -f") {
      .fullLook($0, $1, ["inbox", "bot", "--json"], atMost: 1.5)
    },
    CatalogueEntry(name: "full-bots", what: "spool bots, the same") { .fullLook($0, $1, ["bots"], atMost: 1.5) },
    CatalogueEntry(name: "full-status", what: "spool status, the same") { .fullLook($0, $1, ["status"], atMost: 1.5) },
    CatalogueEntry(name: "full-doctor", what: "spool doctor, the same") { .fullLook($0, $1, ["doctor"], atMost: 4) },
    CatalogueEntry(name: "long-log-tail", what: "the last 20 lines of a log of 10,000,000 messages") {
      .longLog($0, $1, .tail, below: 10)
    },
    CatalogueEntry(name: "long-log-thread", what: "a thread that has just begun in it") {
      .longLog($0, $1, .thread, below: 20)
    },
    CatalogueEntry(name: "long-log-trace", what: "all about a recent message in it") {
      .longLog($0, $1, .trace, below: 20)
    },
    CatalogueEntry(name: "long-log-message", what: "a recent message in it") {
      .longLog($0, $1, .message, below: 20)
    },
    CatalogueEntry(name: "long-log-command", what: "spool trace with part of its id, as a process") {
      .longLog($0, $1, .command, below: 100)
    },
    CatalogueEntry(
      name: "long-log-search", what: "every message with a rare phrase in it; floor: rg -c", make: Work.longLogSearch),
    CatalogueEntry(name: "long-log-open", what: "the first to open it after a reboot, from the checkpoint") {
      .longLog($0, $1, .open, below: 5000)
    },
  ]
}
