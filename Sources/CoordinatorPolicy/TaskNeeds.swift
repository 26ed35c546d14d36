import SpoolFormat

/// What a task asks of whoever does it. Tasks with equal needs can be done by the same bots, and are of one class.
public struct TaskNeeds: Sendable, Hashable {
  /// In lower case; nil when any will do.
  public let domain: String?
  /// In lower case, each once, by name.
  public let skills: [Card.Skill]

  public init(domain: String? = nil, skills: [Card.Skill] = []) {
    self.domain = domain.flatMap { $0.isEmpty ? nil : $0.lowercased() }
    if skills.isEmpty {
      self.skills = []
    } else {
      // Of a skill that is asked for twice, the higher level counts.
      let levels = Dictionary(skills.map { ($0.name.lowercased(), $0.level) }, uniquingKeysWith: max)
      self.skills = levels.sorted { $0.key < $1.key }.map { Card.Skill(name: $0.key, level: $0.value) }
    }
  }

  /// ` (development, swift:expert)`, with the space before it; nothing for needs that anybody meets.
  public var remark: String {
    let all = [domain].compactMap { $0 } + skills.map { "\($0.name):\($0.level)" }
    return all.isEmpty ? "" : " (\(all.joined(separator: ", ")))"
  }

  public init(_ task: TaskRecord) { self.init(domain: task.domain, skills: task.requiredSkills) }
}
