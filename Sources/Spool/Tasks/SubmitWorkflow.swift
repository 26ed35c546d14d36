import Linux
import SpoolFormat

/// A workflow as tasks: a parent that joins its steps, and a task for each step.
///
/// The parent goes first, and bears the whole workflow and the ids of its steps: with its line in the log the workflow is
/// submitted (before it, nothing is). Then the steps, each before those that it depends on, so that none begins before
/// all that come after it are there. Of a submit that was killed in between the rest is added by whoever looks, once its
/// process is gone: see `finishSubmitting`.
extension Spool {
  /// What the steps of a parent are, and who adds them, as fields of its file.
  private static let workflowField = "workflow"
  private static let submitterField = "submitted_by"
  /// Under which it was submitted, if there is one: recovery makes that again.
  fileprivate static let keyField = "idempotency_key"

  /// What became of a workflow that was submitted.
  public struct SubmittedWorkflow: Sendable {
    public let parent: MessageID
    /// In the order in which they can be done.
    public let steps: [(name: String, id: MessageID)]
    /// False when the key had been used before: these are the tasks of then.
    public let isNew: Bool
  }

  /// Adds the tasks of a workflow.
  /// - Parameter key: a second submit with it, by the same author, adds nothing (but what a killed first one left out).
  /// - Throws: `.noSuchBot`; `.badData`; `.tryAgain`, with nothing submitted or, when it says so, with steps to be
  ///   added later.
  public func submit(
    _ workflow: Workflow, _ origin: Workflow.Origin, key: String? = nil, durability: Durability? = nil
  ) throws -> SubmittedWorkflow {
    try requireBots(of: workflow)
    let durability = durability ?? settings.durability
    let plan = try WorkflowPlan(workflow, origin, key, parent: newIdentifier(), self)
    guard let key else {
      try submit(plan, durability)
      return plan.submitted(isNew: true)
    }
    return try submitOnce(plan, key, durability)
  }

  /// - Parameter onlyOnce: somebody else may be submitting the same.
  /// - Returns: whether the parent was added now.
  @discardableResult
  private func submit(_ plan: WorkflowPlan, _ durability: Durability, onlyOnce: Bool = false) throws -> Bool {
    let author = plan.parent.createdBy
    let (began, time) = (Clock.withSleep(), now())
    let segment = try log.page.segment
    guard try add(plan.parent, as: .blocked, by: author, durability: .relaxed, onlyOnce: onlyOnce) != nil else {
      return false
    }
    // Who was stopped for long may have been taken for dead, and another have added them.
    let isSynced = try addSteps(
      plan, Set(plan.steps.map { $0.id! }), durability,
      onlyOnce: self.mayBeTakenOver(plan.parent.id!, since: began, after: self.awaySeconds))
    // The sync was of the last line's segment. Whoever began that may have died before he synced those before it.
    if durability == .durable, try !isSynced || log.page.segment != segment {
      let end = now()
      do { try assure(min(time, end)...max(time, end)) } catch {
        throw LogWriter.unknownOutcome((error as? SpoolError)?.cause)
      }
    }
    return true
  }

  /// Adds those steps of a plan that are missing, the first one last. One sync at the end is for all of them.
  /// - Returns: whether it was made: not where somebody else had added that step.
  @discardableResult
  private func addSteps(
    _ plan: WorkflowPlan, _ missing: Set<MessageID>, _ durability: Durability,
    onlyOnce: @escaping @autoclosure () -> Bool
  ) throws -> Bool {
    let records = plan.steps.filter { missing.contains($0.id!) }
    var added = 0
    var isSynced = false
    do {
      for (place, record) in records.enumerated().reversed() {
        let entry = try add(
          record, as: record.stateInPlan, by: record.createdBy, durability: place == 0 ? durability : .relaxed,
          onlyOnce: onlyOnce())
        added += 1
        isSynced = place == 0 && entry != nil
        if onlyOnce(), let entry, entry.state == .blocked { try settle(entry) }
      }
    } catch let error as SpoolError {
      let id = plan.parent.id!
      throw SpoolError(
        error.code, "\(id) is submitted, but \(records.count - added) of its steps couldn't be added: \(error.message)",
        hint: "they are added by: spool workflow show \(id)", cause: error.cause)
    }
    // All that was to be submitted is.
    try? cancelSteps(of: plan)
    return isSynced
  }

  /// Who cancels the parent cancels the steps that are there; those that were added since are left to who added them.
  private func cancelSteps(of plan: WorkflowPlan) throws {
    let id = plan.parent.id!
    let blocked = TaskEntry(state: .blocked, name: EntryName(urgency: plan.parent.priority.urgency, id: id))
    guard try root.status(blocked.path) == nil, let parent = try findTask(id), parent.state == .cancelled else {
      return
    }
    for step in try findTasks(Set(plan.steps.map { $0.id! })).values where !step.state.isFinal {
      _ = try cancel(step, reason: "its workflow was cancelled", by: plan.parent.createdBy)
    }
  }

  // MARK: Plans

  /// - Throws: for a step that is for a bot that isn't there, or takes no tasks (`requireTaker`).
  public func requireBots(of workflow: Workflow) throws {
    for step in workflow.steps {
      guard let bot = step.assignTo else { continue }
      do { try requireTaker(bot) } catch let error as SpoolError {
        throw SpoolError(error.code, "step \(step.name): \(error.message)", hint: error.hint)
      }
    }
  }

  /// - Throws: `.badData` for tasks that are too long for their files.
  public static func requireRoom(for records: [TaskRecord]) throws {
    for record in records { _ = try file(of: record) }
  }

  /// Adds a task of a plan that was checked as a whole, unless the log has it already. One that has to wait is blocked,
  /// whatever it waits for: `settle` looks at that.
  /// - Parameter record: with the id that it has whoever adds it.
  /// - Returns: nil when it was added before.
  public func addOnce(_ record: TaskRecord, by: String? = nil) throws -> TaskEntry? {
    var record = record
    record.createdAt = record.createdAt ?? now()
    return try add(
      record, as: record.stateInPlan, by: by ?? record.createdBy, durability: settings.durability, onlyOnce: true)
  }

  // MARK: Once

  private func submitOnce(_ plan: WorkflowPlan, _ text: String, _ durability: Durability) throws -> SubmittedWorkflow {
    let key = IdempotencyKey(ofWorkflow: text, by: plan.parent.createdBy, user: sharing?.user)
    return try withKey(
      key, for: plan.parent.id!, logged: { try History(self).lastOfTask($0) },
      isAway: { owner in try owner.holder.map { try isAway($0, key.path) } ?? true },
      act: { id in
        let isTakenOver = id != plan.parent.id
        let plan = isTakenOver ? try WorkflowPlan(plan.workflow, plan.origin, text, parent: id, self) : plan
        return try submit(plan, durability, onlyOnce: true) ? plan.submitted(isNew: true) : nil
      },
      answer: { id, event in
        let submitted = try submitted(before: id)
        if durability == .durable, let event { try assure(min(id.time, event.time)...event.time) }
        return submitted
      })
  }

  private func submitted(before id: MessageID) throws -> SubmittedWorkflow {
    // It may have died between the parent's line and its place.
    if try findTask(id) == nil { try settleWhatDiedAdding() }
    guard let parent = try task(id) else {
      throw SpoolError(.notFound, "\(id), which was submitted with this key, is gone", hint: "see: spool trace \(id)")
    }
    try finishSubmitting(parent)
    let names = try workflow(of: parent.record)?.steps.map(\.name) ?? []
    return SubmittedWorkflow(
      parent: id, steps: zip(names, parent.record.children).map { ($0, $1) }, isNew: false)
  }

  /// A process that will not go on with what it began in a file; one that can't be seen from here has had long enough.
  private func isAway(_ holder: Holder, _ path: String) throws -> Bool {
    try holder == self.holder || isAway(holder, path, after: awaySeconds)
  }

  private var awaySeconds: Double { max(settings.leaseSeconds, 60) }

  // MARK: Finishing

  /// How many steps a submit which was killed left out; 0 while it is at it still.
  func stepsMissing(of parent: StoredTask) throws -> Int {
    guard parent.state == .blocked, try workflow(of: parent.record) != nil else { return 0 }
    let submitter = parent.record.text(of: Self.submitterField).flatMap { Holder($0) }
    if let submitter, try !isAway(submitter, parent.entry.path) { return 0 }
    let children = Set(parent.record.children)
    return children.count - (try findTasks(children).count)
  }

  /// Adds the steps that a submit which was killed left out. Nothing happens when all are there, or it is at it still.
  /// - Returns: how many were added.
  @discardableResult
  public func finishSubmitting(_ parent: StoredTask) throws -> Int {
    guard try stepsMissing(of: parent) > 0, let workflow = try workflow(of: parent.record) else { return 0 }
    let children = Set(parent.record.children)
    let submitter = parent.record.text(of: Self.submitterField).flatMap { Holder($0) }
    // Of two who finish it, one changes the parent.
    if submitter != holder, try !takeUp(parent) { return 0 }
    try settleWhatDiedAdding()
    let missing = children.subtracting(try findTasks(children).keys)
    let plan = WorkflowPlan(workflow, parent.record)
    try addSteps(plan, missing, settings.durability, onlyOnce: true)
    // The parent was nowhere for a moment, and a step that was added late may have ended at once.
    try settleDependents(of: Array(children))
    return missing.count
  }

  /// Says in the parent that this process finishes its submitting.
  /// - Returns: whether it does; somebody else may have begun since the parent was read.
  private func takeUp(_ parent: StoredTask) throws -> Bool {
    struct TakenUp: Error {}
    let (before, me) = (parent.record.text(of: Self.submitterField), holder.description)
    do {
      let changed = try change(
        parent.entry, .block, by: parent.record.createdBy, reason: "its submitting is finished"
      ) { record in
        guard record.text(of: Self.submitterField) == before else { throw TakenUp() }
        record.setExtra(Self.submitterField, JSONText(string: me))
      }
      return changed != nil
    } catch is TakenUp { return false }
  }

  /// What the log has and a dead process left in `tmp/` gets to its place; added once more it would be there twice.
  private func settleWhatDiedAdding() throws {
    var observations = TaskObservations()
    try settleMoves(&observations)
  }

  /// The workflow that a task is the parent of; nil for any other task.
  /// - Throws: `.badData` when somebody spoiled it.
  public func workflow(of record: TaskRecord) throws -> Workflow? {
    guard record.isJoin, let text = record.extra(Self.workflowField) else { return nil }
    let workflow: Workflow
    do { workflow = try Workflow(parsing: text.bytes) } catch {
      throw SpoolError(.badData, "the workflow in \(record.id?.description ?? "a task") can't be read: \(error)")
    }
    return workflow.steps.count == record.children.count ? workflow : nil
  }

  /// A workflow with the ids of its tasks.
  fileprivate struct WorkflowPlan {
    let workflow: Workflow
    let origin: Workflow.Origin
    let parent: TaskRecord
    let steps: [TaskRecord]

    init(
      _ workflow: Workflow, _ origin: Workflow.Origin, _ key: String?, parent id: MessageID, _ spool: Spool
    ) throws {
      let workflow = workflow.sorted
      var origin = origin
      origin.createdAt = origin.createdAt ?? id.time
      self.workflow = workflow
      self.origin = origin
      // Younger than the parent, and in the order of the steps.
      let ids = workflow.steps.indices.map { place in
        MessageID(
          time: Timestamp(microseconds: id.time.microseconds + 1 + place), random: UInt64.random(in: .min ... .max))
      }
      var parent = workflow.parentRecord(id: id, stepIDs: ids, origin: origin)
      parent.setExtra(Spool.workflowField, JSONText(trusted: workflow.encoded))
      parent.setExtra(Spool.submitterField, JSONText(string: spool.holder.description))
      if let key { parent.setExtra(Spool.keyField, JSONText(string: key)) }
      self.parent = parent
      steps = workflow.records(ids: ids, parent: id, origin: origin)
      // All that can be wrong is found before there is anything.
      try Spool.requireRoom(for: steps)
    }

    /// As it was submitted.
    init(_ workflow: Workflow, _ parent: TaskRecord) {
      self.workflow = workflow
      origin = Workflow.Origin(
        createdBy: parent.createdBy, createdAt: parent.createdAt, conversation: parent.conversation,
        priority: parent.priority)
      self.parent = parent
      steps = workflow.records(ids: parent.children, parent: parent.id, origin: origin)
    }

    func submitted(isNew: Bool) -> SubmittedWorkflow {
      SubmittedWorkflow(
        parent: parent.id!, steps: steps.map { ($0.step ?? "", $0.id!) }, isNew: isNew)
    }
  }
}

extension TaskRecord {
  /// Where it begins when nothing of its plan is done.
  fileprivate var stateInPlan: TaskState {
    !dependsOn.isEmpty || awaitsChildren ? .blocked : assignTo == nil ? .pending : .assigned
  }

  fileprivate func extra(_ name: String) -> JSONText? { extra.first { $0.name == name }?.value }

  fileprivate func text(of name: String) -> String? { extra(name)?.value.string }

  fileprivate mutating func setExtra(_ name: String, _ value: JSONText) {
    extra.removeAll { $0.name == name }
    extra.append(Message.Field(name: name, value: value))
  }
}
