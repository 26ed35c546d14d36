extension Card {
  /// Whether its bot can do a task: it is of its domain (a bot without one takes all), and has the skills that the task
  /// requires, at their levels at least.
  public func suits(_ task: TaskRecord) -> Bool {
    if let wanted = task.domain, let domain, wanted.lowercased() != domain.lowercased() { return false }
    return task.requiredSkills.allSatisfy { required in
      skills.contains { $0.name.lowercased() == required.name.lowercased() && $0.level >= required.level }
    }
  }
}
