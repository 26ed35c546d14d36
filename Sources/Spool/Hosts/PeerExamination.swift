import Glibc
import Linux
import SpoolFormat

/// What two doctors on two hosts measure between them, in step. Each reports what it saw.
struct PeerExamination {
  var channel: PeerChannel
  let own: PeerSearch.Peer
  let peer: PeerSearch.Peer
  /// The one that begins what one must begin.
  let isFirst: Bool
  private var root: Directory { channel.root }
  private var clock = PeerVerdict.ClockSample()

  init(channel: PeerChannel, own: PeerSearch.Peer, peer: PeerSearch.Peer, isFirst: Bool) {
    self.channel = channel
    self.own = own
    self.peer = peer
    self.isFirst = isFirst
  }

  /// Cost: some 80 changes and 120 renames and links, and looks every 5 ms; seconds where all is well, and a minute where
  /// the hosts don't see each other's changes.
  mutating func run() -> [StorageCheck] {
    var checks = [PeerVerdict.names(own: own, peer: peer)]
    var isPeerGone = false
    do {
      for change in Change.allCases { checks.append(try visibility(change)) }
      checks.append(PeerVerdict.clocks(clock, peer: peer.host))
      checks.append(try renames())
      checks.append(try links())
      checks.append(try locks())
    } catch let error as PeerChannel.NoAnswer {
      isPeerGone = true
      checks.append(
        StorageCheck(
          name: "meeting", found: "\(peer.host) stopped answering (\(error.step))",
          cure: "run it again on both hosts; if it stops again, the hosts don't see each other's changes"))
    } catch {
      isPeerGone = true
      checks.append(
        StorageCheck(name: "meeting", found: "\(error)", cure: "use a file system that can do this"))
    }
    channel.close(isPeerGone: isPeerGone)
    return checks.map { $0.with(peer.host) }
  }

  // MARK: What the other does is seen

  /// A way in which something changes in a spool, and by which look others find it.
  enum Change: String, CaseIterable {
    /// A name that wasn't there, as of a message by hand; found by listing.
    case new
    /// A file that gets another name, as a message that is sent; found by listing.
    case renamed
    /// A line more in a file, as in the log; found by opening and reading it.
    case grown
    /// Another file in the place of one, as of a card; found likewise.
    case replaced

    var hasContent: Bool { self == .grown || self == .replaced }
  }

  private static let rounds = 20
  /// No new round after so long, nanoseconds.
  private static let roundsNanosecondsMax = 3_000_000_000

  /// There and back again, some rounds. The last one is called `end`.
  private mutating func visibility(_ change: Change) throws -> StorageCheck {
    try prepare(change)
    var sawOverlooked = 0
    var roundTrips: [Int] = []
    let began = Clock.sinceBoot()
    var (madeAt, madeWall) = (0, 0)
    var label = ""
    var round = 0
    while label != "end" {
      round += 1
      if isFirst {
        let isOver = round == Self.rounds || Clock.sinceBoot() - began > Self.roundsNanosecondsMax
        let next = isOver ? "end" : "\(round)"
        (madeAt, madeWall) = (Clock.sinceBoot(), Clock.wall())
        try make(change, label: next, after: label)
        label = next
      }
      let wanted = isFirst ? [label] : ["\(round)", "end"]
      let seen = try see(change, wanted)
      if seen.isOverlooked { sawOverlooked += 1 }
      if madeAt > 0 {
        let took = Clock.sinceBoot() - madeAt
        roundTrips.append(took)
        if let wall = seen.wall { clock.add(mine: madeWall, theirs: wall, nanoseconds: took) }
      }
      if !isFirst {
        (madeAt, madeWall) = (Clock.sinceBoot(), Clock.wall())
        try make(change, label: seen.label, after: label)
        label = seen.label
      }
    }
    try channel.send("\(change)-overlooked", "\(sawOverlooked)")
    let theirs = Int(try channel.receive("\(change)-overlooked")) ?? 0
    if theirs > 0 { channel.looksAnew = true }
    let trips = PeerVerdict.RoundTrips(nanoseconds: roundTrips, overlookedHere: sawOverlooked, overlookedThere: theirs)
    return PeerVerdict.visibility(change, trips, peer: peer.host)
  }

  private func prepare(_ change: Change) throws(SystemCallError) {
    guard change == .renamed else { return }
    try channel.send("renamed-")
  }

  private func make(_ change: Change, label: String, after last: String) throws(SystemCallError) {
    switch change {
    case .new:
      let file = try root.open(Layout.temporary(channel.ownName("new-\(label)")), O_WRONLY | O_CREAT | O_EXCL)
      try file.close()
    case .renamed:
      try root.rename(
        Layout.temporary(channel.ownName("renamed-\(last)")), to: Layout.temporary(channel.ownName("renamed-\(label)")))
    case .grown:
      let file = try root.open(Layout.temporary(channel.ownName("grown")), O_WRONLY | O_CREAT | O_APPEND)
      try file.write(Array("\(label) \(Clock.wall())\n".utf8))
      try file.writeOut()
      try file.close()
    case .replaced:
      try channel.send("replaced", "\(label) \(Clock.wall())\n")
    }
  }

  private mutating func see(
    _ change: Change, _ wanted: [String]
  ) throws -> (label: String, wall: Int?, isOverlooked: Bool) {
    let (root, channel) = (root, channel)
    let name = channel.peerName("\(change)")
    let (found, isOverlooked) = try self.channel.wait(
      for: "\(change)", at: change.hasContent ? name : channel.peerName("\(change)-\(wanted[0])"), isMeasured: true
    ) { () throws(SystemCallError) -> (String, Int?)? in
      guard change.hasContent else {
        for label in wanted where try channel.isThere(channel.peerName("\(change)-\(label)")) { return (label, nil) }
        return nil
      }
      guard let bytes = try root.readFile(Layout.temporary(name), maximum: 64 << 10) else { return nil }
      guard let (label, wall) = Self.lastChange(bytes) else { return nil }
      return wanted.contains(label) ? (label, wall) : nil
    }
    return (found.0, found.1, isOverlooked)
  }

  /// What the last line says: the label of a change, and when it was made, in microseconds since 1970.
  static func lastChange(_ bytes: [UInt8]) -> (label: String, wall: Int?)? {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    // What follows the last line feed isn't whole yet.
    guard let words = lines.dropLast().last?.split(separator: " "), words.count == 2 else { return nil }
    return (String(words[0]), WholeNumber.parse(words[1]))
  }

  // MARK: One winner

  private static let racesCount = 40

  /// Both rename the same files, each to a name of its own.
  private mutating func renames() throws -> StorageCheck {
    let first = isFirst ? channel.ownName : channel.peerName
    func won(_ number: Int, _ tag: String) -> String { first("won-\(number)-\(tag)") }
    if isFirst {
      for number in 0..<Self.racesCount {
        let file = try root.open(Layout.temporary(first("race-\(number)")), O_WRONLY | O_CREAT | O_EXCL)
        try file.close()
      }
    }
    let root = root
    let own = own.tag
    let race = try race("renames") { number throws(SystemCallError) in
      try root.renameIfPresent(
        Layout.temporary(first("race-\(number)")), to: Layout.temporary(won(number, own)))
    }
    try channel.askAnew()
    let names = Set(try root.names(Layout.tmp))
    let isAsSaid = (0..<Self.racesCount).allSatisfy {
      names.contains(won($0, own)) == race.own.contains($0)
        && names.contains(won($0, peer.tag)) == race.peer.contains($0)
    }
    return PeerVerdict.renames(race, isAsSaid: isAsSaid, peer: peer.host)
  }

  /// Both give the same names to files of their own.
  private mutating func links() throws -> StorageCheck {
    let first = isFirst ? channel.ownName : channel.peerName
    let (root, own) = (root, own.tag)
    let file = Layout.temporary(channel.ownName("file"))
    try channel.send("file", own)
    let race = try race("links") { number throws(SystemCallError) in
      do throws(SystemCallError) { try root.link(file, to: Layout.temporary(first("link-\(number)"))) } catch {
        if error.code == EEXIST { return false }
        throw error
      }
      return true
    }
    try channel.askAnew()
    let isAsSaid = try (0..<Self.racesCount).allSatisfy {
      let content = try root.readFile(Layout.temporary(first("link-\($0)")), maximum: 64) ?? []
      let winner = String(decoding: content, as: UTF8.self)
      return (winner == own) == race.own.contains($0) && (winner == peer.tag) == race.peer.contains($0)
    }
    return PeerVerdict.links(race, isAsSaid: isAsSaid, peer: peer.host)
  }

  /// Runs `attempt` on both hosts at once, for each number: when one gives the sign, and the other, which looks for it
  /// without pause, has seen it. That takes as long as a look, which the one who gives it waits, more or less.
  private mutating func race(
    _ kind: String, _ attempt: (Int) throws(SystemCallError) -> Bool
  ) throws -> PeerVerdict.Race {
    try channel.send("\(kind)-ready")
    try channel.waitFor("\(kind)-ready")
    var won: [Int] = []
    var lookMicroseconds = 0
    for number in 0..<Self.racesCount {
      let sign = "\(kind)-start-\(number)"
      if (number % 2 == 0) == isFirst {
        let file = try root.open(Layout.temporary(channel.ownName(sign)), O_WRONLY | O_CREAT | O_EXCL)
        try file.close()
        usleep(UInt32.random(in: 0...UInt32(min(2 * lookMicroseconds, 100_000))))
      } else {
        let began = Clock.sinceBoot()
        _ = try channel.isThere(channel.peerName(sign))
        lookMicroseconds = (Clock.sinceBoot() - began) / 1000
        try channel.waitFor(sign, pauseMicroseconds: 0)
      }
      if try attempt(number) { won.append(number) }
    }
    try channel.send("\(kind)-won", won.map(String.init).joined(separator: " "))
    let others = try channel.receive("\(kind)-won").split(separator: " ").compactMap { Int($0) }
    return PeerVerdict.Race(count: Self.racesCount, own: Set(won), peer: Set(others))
  }

  // MARK: Locks

  /// Each in turn holds a lock that the other tries to get, and then lets it go.
  private mutating func locks() throws -> StorageCheck {
    var results: [PeerVerdict.LockTrial] = []
    for isHolding in [isFirst, !isFirst] {
      if isHolding {
        try channel.send("lock")
        let file = try root.open(Layout.temporary(channel.ownName("lock")), O_RDWR)
        let isHeld = PeerVerdict.LockAnswer { () throws(SystemCallError) in try file.tryLock() }
        try channel.send("lock-held", isHeld.text)
        let whileHeld = PeerVerdict.LockAnswer(try channel.receive("lock-tried"))
        _ = try? file.unlock()
        try channel.send("lock-freed")
        let whenFree = PeerVerdict.LockAnswer(try channel.receive("lock-tried-again"))
        try file.close()
        results.append(PeerVerdict.LockTrial(holding: isHeld, whileHeld: whileHeld, whenFree: whenFree))
      } else {
        let isHeld = PeerVerdict.LockAnswer(try channel.receive("lock-held"))
        let file = try root.open(Layout.temporary(channel.peerName("lock")), O_RDWR)
        let whileHeld = PeerVerdict.LockAnswer { () throws(SystemCallError) in try file.tryLock() }
        if whileHeld == .taken { _ = try? file.unlock() }
        try channel.send("lock-tried", whileHeld.text)
        _ = try channel.receive("lock-freed")
        let whenFree = PeerVerdict.LockAnswer { () throws(SystemCallError) in try file.tryLock() }
        if whenFree == .taken { _ = try? file.unlock() }
        try channel.send("lock-tried-again", whenFree.text)
        try file.close()
        results.append(PeerVerdict.LockTrial(holding: isHeld, whileHeld: whileHeld, whenFree: whenFree))
      }
    }
    return PeerVerdict.locks(results)
  }
}
