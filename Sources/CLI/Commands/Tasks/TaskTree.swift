import Spool
import SpoolFormat

extension Verb {
  static let taskTree = Verb(
    name: "task tree", summary: "a picture of tasks: children, what comes after what, and states",
    usage: "[ID] [--all]",
    options: [.flag("--all", "those of which all has ended, too")],
    example: "spool task tree\nspool task tree 8f3a",
    exits: "0 done, 1 there are none, 65 an id of several, 69 no spool",
    notes: """
      ├─ is a child of the task above; ├→ begins when the task above is completed. Without an ID: every tree in
      which something hasn't ended.
      """
  ) { invocation in
    try invocation.expect(atMost: 1)
    let spool = try invocation.taskSpool()
    let root = try invocation.operands.first.map { try spool.task(named: $0) }
    let forest = try TaskForest(spool, below: root?.id, isWhole: invocation.has("--all"))
    var count = 0
    forest.walk { task, indent, others in
      count += 1
      if invocation.isJSON {
        invocation.output.object { TaskView.write(task, to: &$0) }
      } else {
        invocation.output.line(line(task, indent, others, forest, invocation.output))
      }
    }
    if count == 0 { Output.talk("nothing to do; all there ever was: spool task tree --all") }
    return count == 0 ? .nothing : .done
  }

  private static func line(
    _ task: StoredTask, _ indent: String, _ others: [String], _ forest: TaskForest, _ output: Output
  ) -> String {
    let state = TaskView.name(task.state)
    var parts = [output.styled("\(mark(task.state)) \(state)", TaskView.style(task.state))]
    // Whoever had it in hand when it was cancelled did not do that.
    if let bot = task.entry.bot, task.state != .cancelled { parts.append("by \(bot)") }
    if let percent = task.record.progress, task.state == .inProgress { parts.append("\(percent)%") }
    if let (done, all) = forest.childrenCompleted(task.id) { parts.append("\(done) of \(all)") }
    if !others.isEmpty { parts.append("also after " + others.joined(separator: ", ")) }
    let remark = task.state == .blocked && task.record.blockedReason == nil ? "" : TaskView.remark(task)
    return output.styled(indent, .dim) + Output.excerpt(task.record.title, 60) + "  "
      + output.styled(TaskView.short(task.id), .dim) + "  " + parts.joined(separator: "  ")
      + (remark.isEmpty ? "" : output.styled("  " + remark, .dim))
  }

  private static func mark(_ state: TaskState) -> String {
    switch state {
    case .completed: "✔"
    case .failed: "✘"
    case .cancelled: "–"
    case .inProgress: "▶"
    case .assigned: "▷"
    case .pending: "○"
    case .blocked: "◌"
    }
  }
}

/// Tasks in the order of a picture: each once, below the last of those that it comes after, else below its parent.
struct TaskForest {
  private var tasks: [MessageID: StoredTask] = [:]
  private var roots: [MessageID] = []
  /// By parent, in their order.
  private var children: [MessageID: [MessageID]] = [:]
  /// By the sibling that they are drawn below.
  private var followers: [MessageID: [MessageID]] = [:]
  /// Their dependencies beside that one.
  private var others: [MessageID: [MessageID]] = [:]

  /// - Parameters:
  ///   - root: only that one and what is below it.
  ///   - isWhole: trees of which all has ended, too.
  init(_ spool: Spool, below root: MessageID?, isWhole: Bool) throws {
    // What has ended is read only as far as it may belong to what hasn't.
    let entries = try spool.tasks()
    var oldest = root ?? (isWhole ? nil : entries.filter { !$0.state.isFinal }.map(\.id).min())
    if root == nil, !isWhole, oldest == nil { return }
    while true {
      for entry in entries where oldest.map({ entry.id >= $0 }) ?? true { try read(entry, spool) }
      try readAncestors(spool, root)
      // Children of older ones that came with them.
      guard root == nil, let first = tasks.keys.min(), let before = oldest, first < before else { break }
      oldest = first
    }
    for task in tasks.values.sorted(by: { $0.id < $1.id }) {
      if let parent = task.record.parent, tasks[parent] != nil, task.id != root {
        children[parent, default: []].append(task.id)
      } else if root == nil || task.id == root {
        roots.append(task.id)
      }
    }
    order()
    if root == nil, !isWhole { roots = roots.filter(isLive) }
  }

  private mutating func read(_ entry: TaskEntry, _ spool: Spool) throws {
    guard tasks[entry.id] == nil, let record = try? spool.record(of: entry) else { return }
    tasks[entry.id] = StoredTask(entry: entry, record: record)
  }

  /// Older ones that those that were read belong to, or come after.
  private mutating func readAncestors(_ spool: Spool, _ root: MessageID?) throws {
    guard root == nil else { return }
    var asked: Set<MessageID> = []
    while true {
      let wanted = Set(tasks.values.flatMap { [$0.record.parent].compactMap { $0 } + $0.record.dependsOn })
        .subtracting(tasks.keys).subtracting(asked)
      if wanted.isEmpty { return }
      asked.formUnion(wanted)
      for entry in try spool.findTasks(wanted).values { try read(entry, spool) }
    }
  }

  /// Among siblings, each goes below the last of those that it comes after.
  private mutating func order() {
    for (parent, group) in children { children[parent] = arranged(group, parent) }
    roots = arranged(roots, nil)
  }

  private mutating func arranged(_ group: [MessageID], _ parent: MessageID?) -> [MessageID] {
    let members = Set(group)
    let wished = parent.flatMap { tasks[$0]?.record.children } ?? []
    let place = Dictionary(wished.enumerated().map { ($1, $0) }) { first, _ in first }
    let sorted = group.sorted { (place[$0] ?? .max, $0) < (place[$1] ?? .max, $1) }
    var depths: [MessageID: Int] = [:]
    func depth(_ id: MessageID, _ path: Set<MessageID>) -> Int {
      if let known = depths[id] { return known }
      let before = (tasks[id]?.record.dependsOn ?? []).filter { members.contains($0) && !path.contains($0) }
      let value = before.map { depth($0, path.union([id])) + 1 }.max() ?? 0
      depths[id] = value
      return value
    }
    var first: [MessageID] = []
    for id in sorted {
      let before = (tasks[id]?.record.dependsOn ?? []).filter { members.contains($0) && $0 != id }
      // A cycle that somebody made by hand is broken where it is met first.
      let last = before.filter { depth($0, []) < depth(id, []) }.max { depth($0, []) < depth($1, []) }
      others[id] = (tasks[id]?.record.dependsOn ?? []).filter { $0 != last && tasks[$0]?.state != .completed }
      if let last { followers[last, default: []].append(id) } else { first.append(id) }
    }
    return first
  }

  private func isLive(_ id: MessageID) -> Bool {
    guard let task = tasks[id] else { return false }
    return !task.state.isFinal || ((children[id] ?? []) + (followers[id] ?? [])).contains(where: isLive)
  }

  /// How many of a task's children are completed, and how many there are; nil for one without.
  func childrenCompleted(_ id: MessageID) -> (Int, Int)? {
    let all = allChildren(id)
    return all.isEmpty ? nil : (all.filter { tasks[$0]?.state == .completed }.count, all.count)
  }

  private func allChildren(_ id: MessageID) -> [MessageID] {
    var found: [MessageID] = []
    var open = children[id] ?? []
    while let next = open.popLast() {
      found.append(next)
      open += followers[next] ?? []
    }
    return found
  }

  /// Calls `body` with each task, what stands in front of it, and what else it comes after.
  func walk(_ body: (StoredTask, String, [String]) -> Void) {
    for id in roots { walk(id, "", "", body) }
  }

  private func walk(
    _ id: MessageID, _ lead: String, _ indent: String, _ body: (StoredTask, String, [String]) -> Void
  ) {
    guard let task = tasks[id] else { return }
    body(
      task, lead,
      (others[id] ?? []).map {
        tasks[$0].map { Output.excerpt($0.record.step ?? $0.record.title, 24) } ?? TaskView.short($0)
      })
    let below = (children[id] ?? []).map { ($0, "─ ") } + (followers[id] ?? []).map { ($0, "→ ") }
    for (index, (next, arrow)) in below.enumerated() {
      let isLast = index == below.count - 1
      walk(next, indent + (isLast ? "└" : "├") + arrow, indent + (isLast ? "   " : "│  "), body)
    }
  }
}
