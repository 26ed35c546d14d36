import Foundation
import Glibc

/// The part of a stranger's view that concerns tasks: what lies below `tasks/`, held against what the log says of it.
extension SpoolReader {
  /// A file in one of the states, or in a directory of `moving/`.
  public struct TaskFile {
    public let state: String
    public let fileName: String
    public let id: String?
    public let attempt: Int
    /// The third part of the name: a time, a bot, or a bot and a process.
    public let third: String?
    public let content: [String: Any]?
    public let path: String
  }

  static let taskStates = ["pending", "assigned", "in_progress", "blocked", "completed", "failed", "cancelled"]

  /// Moves that leave a file as it is may have been made by somebody who died before the log heard of them.
  private static let renames: [String: Set<String>] = [
    "pending": ["assigned", "in_progress", "cancelled"],
    "assigned": ["pending", "in_progress", "cancelled", "assigned"],
    "in_progress": ["pending", "cancelled"],
    "blocked": ["pending", "assigned", "cancelled"],
    "failed": ["pending", "assigned", "cancelled"],
    "cancelled": ["pending", "assigned"],
    "completed": [],
  ]

  /// The bot and the process that may follow the attempt, in each state.
  nonisolated(unsafe) private static let thirdParts: [String: Regex<Substring>] = {
    let holder = #/[a-z0-9][a-z0-9._-]{0,63}(?:@[A-Za-z0-9_-][A-Za-z0-9._-]*\.\d+\.[0-9a-f]{1,16})?/#
    return [
      "pending": #/(?:\d{8}T\d{6}\.\d{6}Z)?/#, "assigned": #/[a-z0-9][a-z0-9._-]{0,63}/#, "in_progress": holder,
      "blocked": #/(?:)/#,
    ]
  }()
  nonisolated(unsafe) private static let botOrNobody = #/(?:[a-z0-9][a-z0-9._-]{0,63})?/#

  private static func isProper(_ third: String?, in state: String) -> Bool {
    (third ?? "").wholeMatch(of: thirdParts[state] ?? botOrNobody) != nil
  }

  public func tasks(_ id: String) -> [TaskFile] { taskFiles.filter { $0.id == id } }
  public func tasks(in state: String) -> [TaskFile] { taskFiles.filter { $0.state == state } }
  public func tasks(titled title: String) -> [TaskFile] {
    taskFiles.filter { $0.content?["title"] as? String == title }
  }
  /// The tasks that the log says were added, with that title.
  public func added(titled title: String) -> [Event] {
    events.filter { $0.type == "task.added" && ($0.data["task"] as? [String: Any])?["title"] as? String == title }
  }
  /// Where the log says that a task stands.
  public func standing(_ id: String) -> String? { taskHistory(id).last?.data["state"] as? String }

  private func taskHistory(_ id: String) -> [Event] {
    (histories[id] ?? []).filter { $0.type.hasPrefix("task.") && $0.data["state"] is String }
  }

  /// Whether a task is somewhere on its way from a state to another, or to its first.
  public func isTaskOnItsWay(_ id: String) -> Bool {
    tasksMoving.contains { $0.id == id && $0.path.contains("~") } || tasksTemporary.contains { $0.contains(id) }
  }

  // MARK: Judging

  func taskViolations(settled: Bool) -> [String] {
    var found: [String] = []
    for file in taskFiles { found += violations(of: file) }
    if settled {
      found += tasksMoving.map { "\($0.path) was left by a process that died" }
      found += tasksTemporary.map { "tasks/tmp/\($0) was left by a process that died" }
    }
    let ids = Set(histories.values.joined().filter { $0.type.hasPrefix("task.") }.map(\.subject))
    for id in ids.union(taskFiles.compactMap(\.id)) { found += violations(ofTask: id, settled: settled) }
    return found
  }

  private func violations(of file: TaskFile) -> [String] {
    guard file.id != nil else { return ["\(file.path) has no proper name"] }
    var found: [String] = []
    if !Self.isProper(file.third, in: file.state) { found.append("\(file.path) has a name of another state") }
    if !(file.content?["title"] is String) { found.append("\(file.path) is no whole task") }
    return found
  }

  private func violations(ofTask id: String, settled: Bool) -> [String] {
    let history = taskHistory(id)
    let files = tasks(id)
    var found: [String] = []
    let added = history.count { $0.type == "task.added" }
    if added != 1 { found.append("task \(id) is logged as added \(added) times") }
    let completed = history.count { $0.type == "task.completed" }
    if completed > 1 { found.append("task \(id) is logged as completed \(completed) times") }
    if files.count > 1 { found.append("task \(id) is in \(files.map(\.path))") }
    guard let file = files.first else {
      if history.last?.type == "task.removed" { return found }
      if settled || !isTaskOnItsWay(id) { found.append("task \(id) is nowhere") }
      return found
    }
    guard files.count == 1, let last = history.last, let state = last.data["state"] as? String else { return found }
    let isByTheLog = file.state == state && file.fileName == last.data["name"] as? String
    let isBehind = isTaskOnItsWay(id) && !settled
    if !isByTheLog, !isBehind, !Self.renames[state]!.contains(file.state) {
      found.append("task \(id) is \(file.path), and by the log \(state) as \(last.data["name"] ?? "")")
    }
    if completed > 0, file.state != "completed", !isBehind {
      found.append("task \(id) is completed in the log, and \(file.path)")
    }
    return isBehind ? found : found + violations(of: file, history)
  }

  /// Its content is the newest that the log has; only progress isn't logged with all of it.
  private func violations(of file: TaskFile, _ history: [Event]) -> [String] {
    guard let place = history.lastIndex(where: { $0.data["task"] != nil }),
      var logged = history[place].data["task"] as? [String: Any], var content = file.content
    else { return [] }
    for name in ["progress", "progress_text"] where history[place...].contains(where: { $0.type == "task.progressed" })
    {
      logged[name] = nil
      content[name] = nil
    }
    return Self.text(logged) == Self.text(content)
      ? [] : ["\(file.path) is not what the log has: \(content), and there \(logged)"]
  }

  /// The same for the same members, in whatever order.
  public static func text(_ object: [String: Any]) -> String {
    let data = try? JSONSerialization.data(withJSONObject: object, options: .sortedKeys)
    return String(decoding: data ?? Data(), as: UTF8.self)
  }

  // MARK: Reading

  static func readTasks(_ path: String) -> (files: [TaskFile], moving: [TaskFile], temporary: [String]) {
    var files: [TaskFile] = []
    var moving: [TaskFile] = []
    for state in taskStates {
      for name in Scratch.names("\(path)/tasks/\(state)") {
        files.append(taskFile(path, "tasks/\(state)/\(name)", state, name))
      }
    }
    for mover in Scratch.names("\(path)/tasks/moving") {
      for name in Scratch.names("\(path)/tasks/moving/\(mover)") {
        let mark = name.firstIndex { $0 == "~" || $0 == "+" } ?? name.startIndex
        let rest = name[mark...].dropFirst()
        moving.append(taskFile(path, "tasks/moving/\(mover)/\(name)", String(name[..<mark]), String(rest)))
      }
    }
    return (files, moving, Scratch.names("\(path)/tasks/tmp"))
  }

  private static func taskFile(_ root: String, _ path: String, _ state: String, _ name: String) -> TaskFile {
    let parts = name.wholeMatch(of: SpoolReader.properName)
    let bytes = FileManager.default.contents(atPath: "\(root)/\(path)")
    return TaskFile(
      state: state, fileName: name, id: parts.map { String($0.output.2) },
      attempt: parts?.output.3.flatMap { Int($0) } ?? 0, third: parts?.output.4.map(String.init),
      content: bytes.flatMap { try? JSONSerialization.jsonObject(with: $0) as? [String: Any] }, path: path)
  }
}
