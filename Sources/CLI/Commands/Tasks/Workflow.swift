import Spool
import SpoolFormat

extension Verb {
  static let workflow = Verb.noun(
    "workflow", summary: "tasks that depend on each other, from one file: submit, show, wait, check",
    example: """
      spool workflow check release.json
      id=$(spool workflow submit release.json); spool workflow wait $id
      """,
    exits: "0 done, 1 no such task, 2 it failed, 65 the file won't do, 67 no such bot, 69 no spool",
    notes: """
      The file is JSON: {"title": "…", "steps": [{"name": "design", "title": "…", "domain": "design"},
      {"name": "build", "title": "build it", "description": "as in {{design.result}}", "depends_on": ["design"]}]}
      A step has the fields of a task: description, domain, requirements, constraints, required_skills, priority,
      depends_on (names of steps), on_dependency_failure, due_at, assign_to, max_attempts, timeout, retry_backoff,
      context. {{STEP.result}} and {{STEP.result.FIELD}} stand for the result of a step that it depends on.
      The workflow is a task itself, which ends with its steps; its result is theirs, by name.
      """,
    [.workflowSubmit, .workflowShow, .workflowWait, .workflowCheck],
    otherWords: ["run": "submit", "start": "submit", "add": "submit", "validate": "check", "status": "show"])

  static let workflowSubmit = Verb(
    name: "workflow submit", summary: "check a file and add its steps as tasks", usage: "FILE|- [--key KEY]",
    options: [
      .value("--key", "KEY", "a second submit with it adds nothing, and prints the first's id"),
      .value("--priority", "N", "of steps that don't say: \(Priority.choices) (5)"),
      .value("--conversation", "NAME", "what it belongs to"),
      .value("--by", "NAME", "who submits it (else $SPOOL_BOT, else your user name, or human)"),
      .flag("--relaxed", "answer before the disk has it: quicker, and lost in a power cut"),
      .flag("--durable", "answer when the disk has it"),
    ],
    example: "spool workflow submit release.json --key release-1.0",
    exits: "0 kept (prints its id), 65 the file won't do: nothing was added, 67 no such bot, 69 no spool, 75 no room",
    notes: "With --json it prints {\"id\": ID, \"steps\": {NAME: ID, …}}."
  ) { invocation in
    try invocation.expect(atMost: 1)
    let file = try invocation.operand(0, "FILE")
    let durability = try durability(invocation)
    let priority = try invocation.value("--priority").map { try Priority(parsing: $0) } ?? .normal
    guard let workflow = try read(file) else { return .badData }
    let spool = try invocation.taskSpool()
    let origin = Workflow.Origin(
      createdBy: try invocation.author(), conversation: invocation.value("--conversation"), priority: priority)
    let submitted = try spool.submit(workflow, origin, key: invocation.value("--key"), durability: durability)
    if !submitted.isNew { Output.talk("submitted before with this key; nothing was added") }
    if invocation.isJSON {
      invocation.output.object { writer in
        writer.member("id", submitted.parent.description)
        writer.key("steps")
        writer.beginObject()
        for (name, id) in submitted.steps {
          writer.key(name)
          writer.string(id.description)
        }
        writer.endObject()
      }
    } else {
      invocation.output.line("\(submitted.parent)")
    }
    return invocation.output.finish(kept: submitted.parent)
  }

  static let workflowCheck = Verb(
    name: "workflow check", summary: "say what is wrong in a workflow's file, and add nothing", usage: "FILE|-",
    example: "spool workflow check release.json", exits: "0 it will do, 65 it won't: each mistake on a line",
    notes: "It needs no spool: whether the bots in assign_to are there is looked at by submit."
  ) { invocation in
    try invocation.expect(atMost: 1)
    let file = try invocation.operand(0, "FILE")
    guard let workflow = try read(file) else { return .badData }
    let refusals = workflow.steps.compactMap { step in
      step.assignTo.flatMap { Spool.refusal(ofTasksBy: $0) }.map { "step \(step.name): \($0)" }
    }
    for refusal in refusals { Output.talk("spool: \(refusal)") }
    if !refusals.isEmpty { return .badData }
    let sorted = workflow.sorted
    if invocation.isJSON {
      invocation.output.object { writer in
        writer.member("title", sorted.title)
        writer.member("steps", sorted.steps.map(\.name))
      }
    } else {
      Output.talk("it will do: \(sorted.steps.count) step\(sorted.steps.count == 1 ? "" : "s")")
      for step in sorted.steps {
        let after = step.dependsOn.isEmpty ? "" : " after \(step.dependsOn.joined(separator: ", "))"
        invocation.output.line("\(step.name)\(after)")
      }
    }
    return .done
  }

  /// Nil when it won't do, which has been said then, a line for each mistake.
  private static func read(_ file: String) throws -> Workflow? {
    let text = try Invocation.read(file)
    do { return try Workflow(parsing: Array(text.utf8)) } catch {
      let name = file == "-" ? "standard input" : Output.excerpt(file, 80)
      for problem in error.problems { Output.talk("spool: \(name): \(problem)") }
      return nil
    }
  }

  static let workflowShow = Verb(
    name: "workflow show", summary: "show how far each step of a workflow is", usage: "ID",
    example: "spool workflow show 8f3a", exits: "0 done, \(notThere), 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let part = try invocation.operand(0, "ID")
    let spool = try invocation.taskSpool()
    let parent = try parent(part, spool)
    var unreadable = 0
    let steps = try spool.children(of: parent.record) { _, error in
      unreadable += 1
      Output.talk("\(error)")
    }
    if invocation.isJSON {
      invocation.output.object { writer in
        TaskView.write(parent, to: &writer)
        writer.key("tasks")
        writer.beginArray()
        for step in steps {
          writer.beginObject()
          TaskView.write(step, to: &writer)
          writer.endObject()
        }
        writer.endArray()
      }
      return .done
    }
    let output = invocation.output
    let done = steps.filter { $0.state == .completed }.count
    let missing = max(0, parent.record.children.count - steps.count - unreadable)
    output.line(
      output.styled(Output.excerpt(parent.record.title, 60), .bold)
        + "  \(output.styled(TaskView.name(parent.state), TaskView.style(parent.state)))"
        + "  \(done) of \(steps.count + unreadable + missing) completed")
    let width = steps.map { name($0).count }.max() ?? 0
    for step in steps {
      let percent = step.state == .completed ? 100 : step.record.progress ?? 0
      let padded = name(step) + String(repeating: " ", count: width - name(step).count)
      let number = String(repeating: " ", count: percent < 10 ? 2 : percent < 100 ? 1 : 0) + "\(percent)%"
      let bar = output.styled(TaskView.bar(percent), TaskView.style(step.state))
      output.line("\(padded)  \(bar) \(number)  \(TaskView.short(step.id))  \(standing(step))")
    }
    if missing > 0 { Output.talk("\(missing) of its steps are being added") }
    if let result = parent.record.result, parent.state == .completed {
      output.line("\n\(TaskView.text(result).escapedForTerminal(keepingLines: true))")
    }
    return .done
  }

  private static func name(_ step: StoredTask) -> String { Output.excerpt(step.record.step ?? step.record.title, 32) }

  private static func standing(_ step: StoredTask) -> String {
    let by = step.entry.bot.map { " \(step.state == .assigned ? "to" : "by") \($0)" } ?? ""
    let remark =
      step.state == .blocked && step.record.blockedReason == nil
      ? "after "
        + step.record.stepNames.filter { step.record.dependsOn.contains($0.value) }.keys.sorted()
        .map { Output.excerpt($0, 32) }.joined(separator: ", ")
      : TaskView.remark(step)
    return TaskView.name(step.state) + by + (remark.isEmpty ? "" : ": " + remark)
  }

  static let workflowWait = Verb(
    name: "workflow wait", summary: "wait until a workflow has ended, showing its steps, and print its result",
    usage: "ID [--timeout DURATION]",
    options: [.value("--timeout", "DURATION", "wait so long at most (default: for ever)")],
    example: "spool workflow wait 8f3a --timeout 1h", exits: waitExits + ", 69 no spool"
  ) { invocation in
    try invocation.expect(atMost: 1)
    let part = try invocation.operand(0, "ID")
    let timeout = try invocation.duration("--timeout")
    let spool = try invocation.taskSpool()
    let parent = try parent(part, spool)
    if !parent.state.isFinal { tellIfNobodyWorks(spool) }
    let bars = ProgressBars()
    // Reading them costs more than all else.
    let steps =
      try !bars.isShown
      ? [] : parent.record.children.isEmpty ? spool.children(of: parent.record).map(\.id) : parent.record.children
    let tasks = try spool.waitForTasks([parent.id], watching: steps, seconds: timeout) {
      bars.show(Array($0.dropFirst()))
    }
    bars.finish()
    if invocation.isJSON {
      for task in tasks { invocation.output.object { TaskView.write(task, to: &$0) } }
    } else {
      tell(tasks, spool, invocation.output)
    }
    return exit(tasks)
  }

  /// The task that stands for a workflow, with all its steps there.
  private static func parent(_ part: String, _ spool: Spool) throws -> StoredTask {
    let entry = try spool.task(named: part)
    guard let task = try spool.task(entry.id) else {
      throw SpoolError(.notFound, "\(entry.id) is gone", hint: "see: spool trace \(entry.id)")
    }
    let short = TaskView.short(task.id)
    if task.record.children.isEmpty, try spool.children(of: task.record).isEmpty {
      let hint =
        task.record.parent.map { "it is a step of \(TaskView.short($0))" } ?? "see: spool task show \(short)"
      throw SpoolError(.badData, "\(task.id) is no workflow: it has no steps", hint: hint)
    }
    // One that can't be written is shown all the same.
    do {
      let count = try spool.finishSubmitting(task)
      if count > 0 { Output.talk("added what a submit that was killed had left out: \(count) of its steps") }
    } catch let error as SpoolError where error.code == .notPermitted {}
    return try spool.task(entry.id) ?? task
  }
}
