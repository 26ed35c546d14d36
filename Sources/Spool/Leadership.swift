import Glibc
import Linux
import SpoolFormat

/// Which of several coordinators acts: the one named by the file in `coordinator/leader/`, `TERM~HOLDER`. Its modification
/// time is the heartbeat. To take over is to rename it from its exact old name, which one can win; a leader that slept
/// finds that its name is gone.
public final class Leadership {
  private let spool: Spool
  private var observations = LeaseObservations()
  /// The name that makes this process the leader; nil while it isn't.
  private var token: String?
  private var renewedAt = 0

  public init(_ spool: Spool) { self.spool = spool }

  public var isLeader: Bool { token != nil }

  /// Whether this process was seen to be the leader so lately that nobody can have taken over.
  public var isWithinLease: Bool { token != nil && Clock.withSleep() - renewedAt < spool.leaseNanoseconds }

  /// Seconds between two renewals at most.
  public var renewalSeconds: Double { min(spool.settings.leaseSeconds / 4, 15) }

  private struct Term: Comparable {
    let number: Int
    let holder: Holder?

    init(number: Int, holder: Holder?) {
      self.number = number
      self.holder = holder
    }

    init?(_ name: String) {
      let parts = name.split(separator: "~", maxSplits: 1)
      guard let first = parts.first, let number = WholeNumber.parse(first) else { return nil }
      self.number = number
      if parts.count == 1 {
        holder = nil
      } else {
        guard let holder = Holder(parts[1]) else { return nil }
        self.holder = holder
      }
    }

    var name: String { holder.map { "\(number)~\($0)" } ?? "\(number)" }

    static func < (left: Term, right: Term) -> Bool {
      // Of two that were made at once, the one that sorts first.
      left.number != right.number ? left.number < right.number : left.name > right.name
    }
  }

  /// Becomes the leader if nobody else is, or renews that this process is.
  /// - Returns: whether it is the leader now. When it was, and no longer is, somebody took over: it must stop acting.
  public func hold() throws -> Bool {
    let now = Clock.withSleep()
    if token != nil, now - renewedAt < Int(renewalSeconds * 1e9 / 2) { return true }
    return try doing("cannot see who coordinates") {
      if let token {
        if try spool.root.touch(Layout.leader(token)), try terms().max()?.name == token {
          renewedAt = now
          return true
        }
        self.token = nil
        return false
      }
      return try takeOver(now)
    }
  }

  private func takeOver(_ now: Int) throws -> Bool {
    guard let current = try current() else { return false }
    if let holder = current.holder, holder != spool.holder {
      let modified = try spool.root.status(Layout.leader(current.name))?.modified ?? 0
      let limit = spool.leaseNanoseconds
      let stood = observations.observe(current.name, modified: modified, now: Clock.sinceBoot(), limit: limit)
      observations.endRound()
      guard spool.isGone(holder) || stood >= limit else { return false }
    }
    let own = Term(number: current.number + 1, holder: spool.holder)
    guard try spool.root.renameIfPresent(Layout.leader(current.name), to: Layout.leader(own.name)) else { return false }
    _ = try spool.root.touch(Layout.leader(own.name))
    token = own.name
    renewedAt = now
    // Two may have begun at once where there was no file at all.
    for other in try terms() where other < own { try spool.root.unlinkIfPresent(Layout.leader(other.name)) }
    if try terms().max()?.name != own.name { token = nil }
    return token != nil
  }

  private func terms() throws(SystemCallError) -> [Term] { try spool.root.names(Layout.leader).compactMap { Term($0) } }

  private func current() throws(SystemCallError) -> Term? {
    if let current = try terms().max() { return current }
    try spool.root.makeDirectory(Layout.coordinator)
    try spool.root.makeDirectory(Layout.leader)
    do { try spool.root.open(Layout.leader("0"), O_WRONLY | O_CREAT | O_EXCL).close() } catch {
      if error.code != EEXIST { throw error }
    }
    return try terms().max()
  }

  /// Steps down, so that another can take over at once.
  public func end() {
    guard let token, let term = Term(token) else { return }
    self.token = nil
    _ = try? spool.root.renameIfPresent(Layout.leader(token), to: Layout.leader("\(term.number)"))
  }

  /// Who is the leader by the name of the file: nil when nobody is, or it is known to be dead.
  fileprivate static func holder(in spool: Spool) throws -> Holder? {
    let term = try spool.root.names(Layout.leader).compactMap { Term($0) }.max()
    guard let term, let holder = term.holder, !spool.isGone(holder) else { return nil }
    if spool.canSee(holder) { return holder }
    // Only a hint: who takes over has watched it for a lease.
    guard let status = try spool.root.status(Layout.leader(term.name)) else { return nil }
    return Double(try spool.ageByRemoteClock(status)) < spool.settings.leaseSeconds * 2e9 ? holder : nil
  }
}

extension Spool {
  /// The process that coordinates, as far as can be told from here.
  public func coordinator() throws -> Holder? {
    try doing("cannot see who coordinates") { try Leadership.holder(in: self) }
  }

  /// Whether some process looks after dependents, dead workers and what else follows from a task's end. Without one, whoever
  /// ends a task does it.
  public var coordinatorIsUp: Bool { ((try? coordinator()) ?? nil) != nil }
}
