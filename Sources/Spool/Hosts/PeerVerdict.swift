import Linux

/// What follows from what two doctors measured: pure functions.
enum PeerVerdict {
  // MARK: Names

  static func names(own: PeerSearch.Peer, peer: PeerSearch.Peer) -> StorageCheck {
    let name = "names"
    let isOneMachine = own.machine == peer.machine && own.boot == peer.boot
    if own.host == peer.host {
      return StorageCheck(
        name: name, found: "both hosts are \(own.host) here, and one \(isOneMachine ? "machine" : "/etc/machine-id")",
        cure:
          "give each host its own name and its own /etc/machine-id (systemd-machine-id-setup), before one takes the "
          + "other's processes for dead")
    }
    if own.wanted == peer.wanted {
      return StorageCheck(
        name: name, found: "both hosts are called \(own.wanted), and go by \(own.host) and \(peer.host)",
        cure: "give each host its own name, or each its own SPOOL_HOST")
    }
    return StorageCheck(name: name, found: "\(own.host) and \(peer.host)", cure: nil)
  }

  // MARK: Visibility

  struct RoundTrips {
    /// From before a change here until the peer's answer, a change of the same kind, was seen.
    let nanoseconds: [Int]
    /// How often a host didn't see what had long been there before it changed the directory itself.
    let overlookedHere: Int
    let overlookedThere: Int

    var median: Int { at(0.5) }
    func at(_ part: Double) -> Int {
      let sorted = nanoseconds.sorted()
      return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))]
    }
  }

  /// Nine of ten changes (three of four where files are replaced) must be seen within this, so that with looks every tenth
  /// of a second what others do is noticed within a second. Nanoseconds, one way.
  static let visibilityNanosecondsMax = 900_000_000

  /// The part of the rounds that may go wrong: none, but for replaced files. Of these a sound NFSv4 mount, too, may show the
  /// old one now and then until it is asked anew, which the spool does wherever it matters.
  private static func partTolerated(_ change: PeerExamination.Change) -> Double { change == .replaced ? 0.25 : 0 }

  static func visibility(_ change: PeerExamination.Change, _ trips: RoundTrips, peer: String) -> StorageCheck {
    let name = "\(change)-file"
    let rounds = trips.nanoseconds.count
    let tolerated = partTolerated(change)
    func isOverlooking(_ count: Int) -> Bool { Double(count) > tolerated * Double(rounds) }
    let overlooking =
      (isOverlooking(trips.overlookedHere) ? ["this host"] : []) + (isOverlooking(trips.overlookedThere) ? [peer] : [])
    let found =
      "seen after \(milliseconds(trips.median / 2)) (p50), \(milliseconds(trips.at(1) / 2)) at most, "
      + "of \(rounds) there and back"
    if !overlooking.isEmpty {
      let (who, verb) = (overlooking.joined(separator: " and "), overlooking.count == 1 ? "doesn't" : "don't")
      return StorageCheck(
        name: name, found: "\(found); \(who) \(verb) see it before it changes something itself",
        cure:
          "mount it on \(who) by NFSv4 and without nocto (SMB and 9p: not with cache=loose, fscache or mmap): opening a "
          + "file or a directory must show what others wrote")
    }
    guard trips.at(min(0.9, 1 - tolerated)) / 2 <= visibilityNanosecondsMax else {
      return StorageCheck(
        name: name, found: found,
        cure: "see what makes the server or the network slow: others' changes must be seen within 0.9 s")
    }
    return StorageCheck(name: name, found: found, cure: nil)
  }

  // MARK: Clocks

  /// How far the peer's wall clock is ahead, by the quickest of some round trips.
  struct ClockSample {
    private(set) var aheadMicroseconds = 0
    private(set) var roundTripMicroseconds: Int?

    /// - Parameters:
    ///   - mine: microseconds since 1970 by this clock, when the change was made that the peer answered.
    ///   - theirs: the same by the peer's clock, when it answered.
    ///   - nanoseconds: from then until the answer was seen.
    mutating func add(mine: Int, theirs: Int, nanoseconds: Int) {
      let took = nanoseconds / 1000
      if let roundTripMicroseconds, roundTripMicroseconds <= took { return }
      aheadMicroseconds = theirs - (mine + took / 2)
      roundTripMicroseconds = took
    }
  }

  static func clocks(_ sample: ClockSample, peer: String) -> StorageCheck {
    let name = "clocks"
    guard let took = sample.roundTripMicroseconds else {
      return StorageCheck(name: name, found: "not measured", cure: "run it again")
    }
    let ahead = Double(sample.aheadMicroseconds) / 1e6
    let error = Double(took) / 2e6
    let found =
      "\(peer)'s is \(StorageExamination.short(abs(ahead), digits: 3)) s \(ahead < 0 ? "behind" : "ahead") "
      + "(give or take \(StorageExamination.short(error, digits: 3)) s)"
    return StorageCheck(
      name: name, found: found,
      cure: abs(ahead) - error > StorageExamination.clockSecondsMax
        ? "set the clocks of all hosts by NTP, such as chrony" : nil)
  }

  // MARK: Races

  /// Which of the races each won, as each was told.
  struct Race {
    let count: Int
    let own: Set<Int>
    let peer: Set<Int>

    var both: Int { own.intersection(peer).count }
    var neither: Int { count - own.union(peer).count }
  }

  static func renames(_ race: Race, isAsSaid: Bool, peer: String) -> StorageCheck {
    verdict(
      "renames", race, isAsSaid: isAsSaid, peer: peer,
      cure: "use another file system: of two hosts that rename one file, one must win")
  }

  static func links(_ race: Race, isAsSaid: Bool, peer: String) -> StorageCheck {
    verdict(
      "links", race, isAsSaid: isAsSaid, peer: peer,
      cure: "use another file system: of two hosts that link to one name, one must win, or updates are lost")
  }

  private static func verdict(
    _ name: String, _ race: Race, isAsSaid: Bool, peer: String, cure: String
  ) -> StorageCheck {
    var wrong: [String] = []
    if race.both > 0 { wrong.append("\(race.both) were won by both hosts") }
    if race.neither > 0 { wrong.append("\(race.neither) by none") }
    if wrong.isEmpty, !isAsSaid { wrong.append("what is there isn't what the hosts were told") }
    guard wrong.isEmpty else {
      return StorageCheck(name: name, found: "of \(race.count) races \(wrong.joined(separator: ", "))", cure: cure)
    }
    return StorageCheck(
      name: name, found: "one winner in each of \(race.count) races: \(race.own.count) here, \(race.peer.count) there",
      cure: nil)
  }

  // MARK: Locks

  /// What came of an attempt to get a lock.
  enum LockAnswer: Equatable {
    case taken, refused
    case failed(String)

    init(_ attempt: () throws(SystemCallError) -> Bool) {
      do throws(SystemCallError) { self = try attempt() ? .taken : .refused } catch { self = .failed(error.reason) }
    }

    /// As the peer sent it.
    init(_ text: String) { self = text == "taken" ? .taken : text == "refused" ? .refused : .failed(text) }

    var text: String {
      switch self {
      case .taken: "taken"
      case .refused: "refused"
      case .failed(let why): why
      }
    }
  }

  /// One host holds a lock, and the other tries to get it: while it is held, and after.
  struct LockTrial {
    let holding: LockAnswer
    let whileHeld: LockAnswer
    let whenFree: LockAnswer
  }

  static func locks(_ trials: [LockTrial]) -> StorageCheck {
    let name = "locks"
    for trial in trials {
      for answer in [trial.holding, trial.whileHeld, trial.whenFree] {
        guard case .failed(let why) = answer else { continue }
        return StorageCheck(name: name, found: why, cure: "use NFSv4, or run rpc.statd on server and clients")
      }
    }
    if trials.contains(where: { $0.whileHeld == .taken }) {
      return StorageCheck(
        name: name, found: "both hosts have one lock",
        cure: "mount it with locks on both hosts: without nolock, nobrl or local_lock")
    }
    if trials.contains(where: { $0.holding == .refused || $0.whenFree == .refused }) {
      return StorageCheck(
        name: name, found: "a lock that nobody has is refused", cure: "see what is wrong with the server's locks")
    }
    return StorageCheck(name: name, found: "what one host has is refused to the other, \(trials.count) ways", cure: nil)
  }

  private static func milliseconds(_ nanoseconds: Int) -> String {
    "\(StorageExamination.short(Double(nanoseconds) / 1e6)) ms"
  }
}
