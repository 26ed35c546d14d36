#if DEBUG
  import Glibc
  import Synchronization

  /// Fails or kills at the n-th system call of this process, as the environment says:
  /// `SPOOL_FAULT=kill-before:N`, `kill-after:N`, `stop-before:N`, `short-write:N`, `CODE:N` with CODE a number of errno,
  /// or `done-CODE:N` for a call that is made, and says all the same, after the time that a repeated request takes, that
  /// it has failed (as a network file system may); several with commas between them. `NAME#N` in place of N is the n-th
  /// call of that name, for what happens before it.
  /// `SPOOL_FAULT_TRACE=FILE` gets a line with the name of each call, so that a test knows how many there are.
  /// Debug builds only: a release build has none of this.
  enum FaultPoint {
    private enum Action: Equatable {
      case killBefore, killAfter, stopBefore, shortWrite
      case fail(CInt), failWhenDone(CInt)
    }
    private struct Plan {
      let action: Action
      let target: Int
      /// Of calls of this name only.
      var name: String?
    }

    private static let plans: [Plan] = {
      let text = getenv("SPOOL_FAULT").map { String(cString: $0) } ?? ""
      return text.split(separator: ",").compactMap { plan($0) }
    }()

    private static func plan(_ text: Substring) -> Plan? {
      let parts = text.split(separator: ":")
      guard parts.count == 2, let number = parts[1].split(separator: "#").last, let target = Int(number) else {
        return nil
      }
      let name = parts[1].contains("#") ? String(parts[1].prefix { $0 != "#" }) : nil
      let action: Action? =
        switch parts[0] {
        case "kill-before": .killBefore
        case "kill-after": .killAfter
        case "stop-before": .stopBefore
        case "short-write": .shortWrite
        default: CInt(parts[0]).map { .fail($0) } ?? doneCode(parts[0]).map { .failWhenDone($0) }
        }
      return action.map { Plan(action: $0, target: target, name: name) }
    }
    private static func plan(at number: Int) -> Plan? { plans.first { $0.name == nil && $0.target == number } }
    private static func plan(named name: String) -> Plan? {
      guard plans.contains(where: { $0.name == name }) else { return nil }
      let number = named.withLock { counts in
        counts[name, default: 0] += 1
        return counts[name]
      }
      return plans.first { $0.name == name && $0.target == number }
    }
    private static let named = Mutex<[String: Int]>([:])
    private static func doneCode(_ text: Substring) -> CInt? {
      text.hasPrefix("done-") ? CInt(text.dropFirst(5)) : nil
    }
    private static let trace: CInt = {
      guard let path = getenv("SPOOL_FAULT_TRACE") else { return -1 }
      return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    }()
    private static let visited = Atomic<Int>(0)

    /// The code to fail with, or nil to go on.
    static func before(_ name: StaticString) -> CInt? {
      let number = visited.add(1, ordering: .relaxed).newValue
      if trace != -1 {
        _ = name.withUTF8Buffer { Glibc.write(trace, $0.baseAddress, $0.count) }
        _ = Glibc.write(trace, "\n", 1)
      }
      guard let plan = plan(named: name.description) ?? plan(at: number) else { return nil }
      switch plan.action {
      case .killBefore: kill(getpid(), SIGKILL)
      // Of the whole process it would stop another thread first, and this one would go on for a moment.
      case .stopBefore: raise(SIGSTOP)
      case .fail(let code): return code
      case .killAfter, .shortWrite, .failWhenDone: break
      }
      return nil
    }

    /// The code to fail with though the call was made, or nil to go on.
    static func after(_ name: StaticString) -> CInt? {
      guard let plan = plan(at: visited.load(ordering: .relaxed)) else { return nil }
      switch plan.action {
      case .killAfter: kill(getpid(), SIGKILL)
      case .failWhenDone(let code):
        usleep(25_000)
        return code
      case .killBefore, .stopBefore, .fail, .shortWrite: break
      }
      return nil
    }

    /// How much of a write of `count` bytes is let through at the call that comes next.
    static func writable(_ count: Int) -> Int {
      guard plan(at: visited.load(ordering: .relaxed) + 1)?.action == .shortWrite else { return count }
      return count / 2
    }
  }
#endif
