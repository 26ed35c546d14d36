/// Where a group stands. The state is the directory that its file lies in.
public enum GroupState: String, Sendable, CaseIterable {
  /// Members are being looked for.
  case forming
  /// They work.
  case active
  /// All parts are done; the members are being told.
  case completed
  /// It ended without a whole result; what there is of one is kept.
  case failed
  /// Nobody is bound by it any more.
  case dissolved

  public init(parsing text: String) throws(FormatError) {
    guard let state = GroupState(rawValue: text.lowercased()) else {
      let all = Self.allCases.map(\.rawValue).joined(separator: ", ")
      throw FormatError("state \"\(String(text.prefix(20)).escapedForTerminal())\" is none of \(all)")
    }
    self = state
  }

  /// A hub has something to do for it.
  public var isLive: Bool { self == .forming || self == .active }

  /// The state after an event; nil when it can't happen here. Total: no case is left to a default.
  public func after(_ event: GroupEvent) -> GroupState? {
    switch (self, event) {
    case (.forming, .form): .active
    case (.forming, .change): .forming
    case (.forming, .fail): .failed
    case (.forming, .dissolve): .dissolved
    case (.forming, .reform), (.forming, .complete), (.forming, .retry): nil
    case (.active, .change): .active
    case (.active, .reform): .forming
    case (.active, .complete): .completed
    case (.active, .fail): .failed
    case (.active, .dissolve): .dissolved
    case (.active, .form), (.active, .retry): nil
    case (.completed, .dissolve): .dissolved
    case (.completed, .form), (.completed, .change), (.completed, .reform), (.completed, .complete),
      (.completed, .fail), (.completed, .retry):
      nil
    case (.failed, .retry): .forming
    case (.failed, .dissolve): .dissolved
    case (.failed, .form), (.failed, .change), (.failed, .reform), (.failed, .complete), (.failed, .fail): nil
    case (.dissolved, .form), (.dissolved, .change), (.dissolved, .reform), (.dissolved, .complete),
      (.dissolved, .fail), (.dissolved, .dissolve), (.dissolved, .retry):
      nil
    }
  }

  public var allowed: [GroupEvent] { GroupEvent.allCases.filter { after($0) != nil } }

  /// The event that a move from this directory to another amounts to; nil when there is none.
  public func event(movingTo other: GroupState) -> GroupEvent? { allowed.first { after($0) == other } }
}

/// What can happen to a group.
public enum GroupEvent: String, Sendable, CaseIterable {
  /// Every skill has somebody who agreed.
  case form
  /// What its file says is new: a member was replaced, a part is done.
  case change
  /// Too few are left: members are looked for again.
  case reform
  case complete
  case fail
  /// Its members are free. Of a group that isn't completed: somebody cancelled it.
  case dissolve
  /// Once more: somebody put a failed one back.
  case retry

  /// As the log calls it.
  public var kind: LogEvent.Kind {
    switch self {
    case .form: .groupFormed
    case .change: .groupChanged
    case .reform: .groupReformed
    case .complete: .groupCompleted
    case .fail: .groupFailed
    case .dissolve: .groupDissolved
    case .retry: .groupRetried
    }
  }
}
