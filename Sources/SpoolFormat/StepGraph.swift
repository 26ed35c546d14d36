/// Which step of a workflow depends on which, by their places.
struct StepGraph {
  /// For each step those that it depends on; names that are no step's are left out.
  let dependencies: [[Int]]

  init(_ workflow: Workflow) {
    let places = Dictionary(workflow.steps.enumerated().map { ($1.name, $0) }) { first, _ in first }
    dependencies = workflow.steps.map { $0.dependsOn.compactMap { places[$0] } }
  }

  /// Every step after those that it depends on, otherwise in their order; those on a cycle, and what depends on them,
  /// are missing.
  var topologicalOrder: [Int] {
    var order: [Int] = []
    var isDone = [Bool](repeating: false, count: dependencies.count)
    var found = true
    while found {
      found = false
      for step in dependencies.indices where !isDone[step] && dependencies[step].allSatisfy({ isDone[$0] }) {
        isDone[step] = true
        order.append(step)
        found = true
      }
    }
    return order
  }

  /// Those that depend on each other in a circle: each depends on the next, and the last on the first. One circle of
  /// those that there are; nil when there is none.
  var cycle: [Int]? {
    let sorted = Set(topologicalOrder)
    guard var step = dependencies.indices.first(where: { !sorted.contains($0) }) else { return nil }
    // Each step that couldn't be sorted depends on another such, so that going on from any comes back somewhere.
    var path: [Int] = []
    while !path.contains(step) {
      path.append(step)
      guard let next = dependencies[step].first(where: { !sorted.contains($0) }) else { return nil }
      step = next
    }
    return Array(path[path.firstIndex(of: step)!...])
  }

  /// All that have to be completed before a step begins.
  func ancestors(of step: Int) -> [Int] {
    var isFound = [Bool](repeating: false, count: dependencies.count)
    var rest = dependencies[step]
    while let next = rest.popLast() {
      if isFound[next] { continue }
      isFound[next] = true
      rest += dependencies[next]
    }
    return isFound.indices.filter { isFound[$0] }
  }
}
