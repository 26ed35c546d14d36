/// Where a task stands. The state is the directory that its file lies in.
public enum TaskState: String, Sendable, CaseIterable, Comparable {
  /// Ready to be worked on, and nobody's.
  case pending
  /// Given to a bot that hasn't begun.
  case assigned
  case inProgress = "in_progress"
  /// Waits: for other tasks, for its children, or for what its reason says.
  case blocked
  case completed, failed, cancelled

  public init(parsing text: String) throws(FormatError) {
    guard let state = TaskState(rawValue: String(text.lowercased().map { $0 == "-" ? "_" : $0 })) else {
      let all = Self.allCases.map(\.rawValue).joined(separator: ", ")
      throw FormatError("state \"\(String(text.prefix(20)).escapedForTerminal())\" is none of \(all)")
    }
    self = state
  }

  /// Nothing more happens to it by itself.
  public var isFinal: Bool { self == .completed || self == .failed || self == .cancelled }

  public static var live: [TaskState] { allCases.filter { !$0.isFinal } }

  /// In the order of a task's life.
  public static func < (left: TaskState, right: TaskState) -> Bool {
    allCases.firstIndex(of: left)! < allCases.firstIndex(of: right)!
  }

  /// The state after an event; nil when it can't happen here. Total: no case is left to a default.
  public func after(_ event: TaskEvent) -> TaskState? {
    switch (self, event) {
    case (.pending, .assign): .assigned
    case (.pending, .start): .inProgress
    case (.pending, .block): .blocked
    case (.pending, .fail): .failed
    case (.pending, .cancel): .cancelled
    case (.pending, .progress), (.pending, .complete), (.pending, .unblock), (.pending, .retry), (.pending, .release),
      (.pending, .expire):
      nil
    case (.assigned, .assign): .assigned
    case (.assigned, .start): .inProgress
    case (.assigned, .release): .pending
    case (.assigned, .block): .blocked
    case (.assigned, .fail): .failed
    case (.assigned, .cancel): .cancelled
    case (.assigned, .progress), (.assigned, .complete), (.assigned, .unblock), (.assigned, .retry),
      (.assigned, .expire):
      nil
    case (.inProgress, .progress): .inProgress
    case (.inProgress, .complete): .completed
    case (.inProgress, .fail): .failed
    case (.inProgress, .retry): .pending
    case (.inProgress, .release): .pending
    case (.inProgress, .expire): .pending
    case (.inProgress, .block): .blocked
    case (.inProgress, .cancel): .cancelled
    case (.inProgress, .assign), (.inProgress, .start), (.inProgress, .unblock): nil
    case (.blocked, .unblock): .pending
    case (.blocked, .block): .blocked
    case (.blocked, .complete): .completed
    case (.blocked, .fail): .failed
    case (.blocked, .cancel): .cancelled
    case (.blocked, .assign), (.blocked, .start), (.blocked, .progress), (.blocked, .retry), (.blocked, .release),
      (.blocked, .expire):
      nil
    case (.failed, .retry): .pending
    case (.failed, .cancel): .cancelled
    // Once more, but not before what it waits for is there.
    case (.failed, .block): .blocked
    case (.failed, .assign), (.failed, .start), (.failed, .progress), (.failed, .unblock), (.failed, .complete),
      (.failed, .fail), (.failed, .release), (.failed, .expire):
      nil
    case (.cancelled, .retry): .pending
    case (.cancelled, .block): .blocked
    case (.cancelled, .assign), (.cancelled, .start), (.cancelled, .progress), (.cancelled, .unblock),
      (.cancelled, .complete), (.cancelled, .fail), (.cancelled, .cancel), (.cancelled, .release),
      (.cancelled, .expire):
      nil
    case (.completed, .assign), (.completed, .start), (.completed, .progress), (.completed, .block),
      (.completed, .unblock), (.completed, .complete), (.completed, .fail), (.completed, .retry),
      (.completed, .cancel), (.completed, .release), (.completed, .expire):
      nil
    }
  }

  /// What may happen here.
  public var allowed: [TaskEvent] { TaskEvent.allCases.filter { after($0) != nil } }

  /// The event that a move from this directory to another amounts to; nil when there is none.
  public func event(movingTo other: TaskState) -> TaskEvent? { allowed.first { after($0) == other } }
}

/// What can happen to a task.
public enum TaskEvent: String, Sendable, CaseIterable {
  /// Given to a bot.
  case assign
  /// Somebody begins: an attempt.
  case start
  case progress
  case complete
  /// For good. An attempt that failed and may be made again is a `retry`.
  case fail
  case block
  /// What it waited for is there.
  case unblock
  case cancel
  /// Once more: after an attempt that failed, or when somebody asks for it.
  case retry
  /// Its holder gives it back.
  case release
  /// It is taken from a holder that died, or took too long.
  case expire
}
