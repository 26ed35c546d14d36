/// Named steps that depend on each other, and together answer one thing: what `spool workflow submit` takes, and what
/// a planner prints.
public struct Workflow: Sendable, Hashable {
  /// What the whole is for.
  public var title: String
  public var description: String?
  public var steps: [Step]

  public struct Step: Sendable, Hashable {
    /// By which others mean it. See `Template.isStepName`.
    public var name: String
    public var title: String
    public var description: String?
    public var domain: String?
    public var requirements: [String] = []
    public var constraints: [String] = []
    public var requiredSkills: [Card.Skill] = []
    public var priority: Priority?
    public var dependsOn: [String] = []
    public var onDependencyFailure = TaskRecord.DependencyFailure.block
    public var dueAt: Timestamp?
    /// The only bot that is to do it.
    public var assignTo: BotName?
    public var attemptsMax: Int?
    public var timeoutSeconds: Double?
    public var retryBackoffSeconds: Double?
    public var context: JSONText?

    public init(name: String, title: String) {
      self.name = name
      self.title = title
    }
  }

  public init(title: String, description: String? = nil, steps: [Step]) {
    self.title = title
    self.description = description
    self.steps = steps
  }

  /// As many as a parent can name as its children.
  public static let stepsMax = TaskRecord.dependenciesMax
  public static let bytesMax = TaskRecord.bytesMax

  /// What holds for all of its tasks.
  public struct Origin: Sendable {
    public var createdBy: String?
    public var createdAt: Timestamp?
    public var conversation: String?
    /// For the parent, and for steps that don't say.
    public var priority: Priority

    public init(
      createdBy: String? = nil, createdAt: Timestamp? = nil, conversation: String? = nil, priority: Priority = .normal
    ) {
      self.createdBy = createdBy
      self.createdAt = createdAt
      self.conversation = conversation
      self.priority = priority
    }
  }

  /// The task that stands for the whole: it joins its children, which is to say that it ends by itself, with their
  /// results together, when they have ended.
  public func parentRecord(id: MessageID, stepIDs: [MessageID], origin: Origin) -> TaskRecord {
    var task = TaskRecord(title: title)
    task.id = id
    task.description = description
    task.isJoin = true
    task.waitsForChildren = true
    task.children = stepIDs
    task.priority = origin.priority
    task.createdBy = origin.createdBy
    task.createdAt = origin.createdAt
    task.conversation = origin.conversation
    return task
  }

  /// The steps as tasks, each after those that it depends on when `steps` are in that order (`sorted` puts them so).
  /// A task's `stepNames` has the steps that it depends on, and those that its templates ask for.
  /// - Parameter ids: one for each step, in order.
  public func records(ids: [MessageID], parent: MessageID?, origin: Origin) -> [TaskRecord] {
    precondition(ids.count == steps.count, "one id for each step")
    let byName = Dictionary(zip(steps.map(\.name), ids)) { first, _ in first }
    return zip(steps, ids).map { step, id in
      var task = TaskRecord(title: step.title)
      task.id = id
      task.parent = parent
      task.description = step.description
      task.domain = step.domain
      task.requirements = step.requirements
      task.constraints = step.constraints
      task.requiredSkills = step.requiredSkills
      task.priority = step.priority ?? origin.priority
      task.dueAt = step.dueAt
      task.assignTo = step.assignTo
      task.dependsOn = step.dependsOn.compactMap { byName[$0] }
      task.onDependencyFailure = step.onDependencyFailure
      task.createdBy = origin.createdBy
      task.createdAt = origin.createdAt
      task.conversation = origin.conversation
      task.step = step.name
      for name in step.dependsOn + step.references.map(\.step) { task.stepNames[name] = byName[name] }
      if let attempts = step.attemptsMax { task.attemptsMax = attempts }
      task.timeoutSeconds = step.timeoutSeconds
      if let seconds = step.retryBackoffSeconds { task.retryBackoffSeconds = seconds }
      task.context = step.context
      return task
    }
  }

  /// With every step after those that it depends on, otherwise in the order that they had.
  public var sorted: Workflow {
    var result = self
    let order = StepGraph(self).topologicalOrder
    if order.count == steps.count { result.steps = order.map { steps[$0] } }
    return result
  }

  /// As a file that `spool workflow submit` takes.
  public var prettyPrinted: String { JSONText(trusted: encoded).value.prettyPrinted() }

  /// On one line.
  public var encoded: [UInt8] {
    var writer = JSONWriter(reserving: 1024)
    writer.beginObject()
    writer.member("title", title)
    writer.member("description", ifPresent: description)
    writer.key("steps")
    writer.beginArray()
    for step in steps { step.write(to: &writer) }
    writer.endArray()
    writer.endObject()
    return writer.bytes
  }
}

extension Workflow.Step {
  /// What its templates ask for.
  public var references: [Template.Reference] {
    let texts = [title, description ?? ""] + requirements + constraints
    return texts.flatMap { Template.references(in: $0) }
      + (context.map { Template.contents(of: $0.value).references } ?? [])
  }

  func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("name", name)
    writer.member("title", title)
    writer.member("description", ifPresent: description)
    writer.member("domain", ifPresent: domain)
    if !requirements.isEmpty { writer.member("requirements", requirements) }
    if !constraints.isEmpty { writer.member("constraints", constraints) }
    if !requiredSkills.isEmpty {
      writer.member("required_skills", requiredSkills.map { "\($0.name):\($0.level.rawValue)" })
    }
    writer.member("priority", ifPresent: priority?.value)
    if !dependsOn.isEmpty { writer.member("depends_on", dependsOn) }
    if onDependencyFailure != .block { writer.member("on_dependency_failure", onDependencyFailure.rawValue) }
    writer.member("due_at", moment: dueAt)
    writer.member("assign_to", ifPresent: assignTo?.description)
    writer.member("max_attempts", ifPresent: attemptsMax)
    writer.member("timeout", ifPresent: timeoutSeconds)
    writer.member("retry_backoff", ifPresent: retryBackoffSeconds)
    writer.member("context", ifPresent: context)
    writer.endObject()
  }
}
