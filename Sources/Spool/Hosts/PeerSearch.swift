import Glibc
import Linux
import SpoolFormat

/// A doctor that looks for the doctors of other hosts, to measure with each of them what holds between the two.
struct PeerSearch {
  /// What a doctor says of itself.
  struct Peer: Sendable, Hashable {
    /// 16 random hexadecimal digits.
    let tag: String
    /// The name that its host goes by in the spool, and the one that it calls itself.
    let host: String
    let wanted: String
    /// Tells its machine from others, and this boot from others: 32 hexadecimal digits each.
    let machine: String
    let boot: String
    /// Its process.
    let holder: String

    /// Whether both are on one host: then there is nothing to be measured between them.
    func isSameHost(as other: Peer) -> Bool {
      host == other.host && machine == other.machine && boot == other.boot
    }

    var text: String { (["nanospool-doctor 1", host, wanted, machine, boot, holder]).joined(separator: "\n") + "\n" }

    init(tag: String, host: String, wanted: String, machine: String, boot: String, holder: String) {
      self.tag = tag
      self.host = host
      self.wanted = wanted
      self.machine = machine
      self.boot = boot
      self.holder = holder
    }

    /// Nil for what another version has written, or nobody.
    init?(tag: String, parsing bytes: [UInt8]) {
      let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
      guard lines.count == 7, lines[0] == "nanospool-doctor 1", lines[6].isEmpty else { return nil }
      let parts = lines.map(String.init)
      self.init(tag: tag, host: parts[1], wanted: parts[2], machine: parts[3], boot: parts[4], holder: parts[5])
    }
  }

  let spool: Spool
  private let own: Peer
  private let waiting: Double
  private let progress: (String) -> Void
  private var root: Directory { spool.root }
  /// Doctors that were met.
  private var known: Set<String> = []
  /// How often each was asked in vain: others are asked before it.
  private var unanswered: [String: Int] = [:]
  private var isAloneHere = true
  private var strangers: Set<String> = []
  /// To whom the files of this user belong at the server.
  private var user: uid_t = 0

  /// - Parameter waiting: seconds for each of the others to come.
  init(_ spool: Spool, waiting: Double, progress: @escaping (String) -> Void) throws(SystemCallError) {
    self.spool = spool
    self.waiting = waiting
    self.progress = progress
    let digits = String(Random.bits(), radix: 16)
    own = Peer(
      tag: String(repeating: "0", count: 16 - digits.count) + digits, host: spool.host, wanted: Spool.currentHost(),
      machine: HostIdentity.machine(), boot: HostIdentity.digest(Array(try Clock.bootIdentity().utf8)),
      holder: "\(spool.holder)")
  }

  /// Meets `count` others, one after the other.
  mutating func run(_ count: Int) throws(SystemCallError) -> [StorageCheck] {
    let hello = Layout.temporary(Self.helloName(own.tag))
    try root.replace(hello, with: Array(own.text.utf8), through: hello + ".new")
    defer { _ = try? root.unlinkIfPresent(hello) }
    user = try root.status(hello)?.owner ?? geteuid()
    var checks: [StorageCheck] = []
    for _ in 0..<count {
      guard let (peer, isFirst) = try find() else {
        checks.append(nobody)
        break
      }
      progress("measuring together with \(peer.host)")
      known.insert(peer.tag)
      let channel = PeerChannel(root: root, own: own.tag, other: peer.tag)
      var examination = PeerExamination(channel: channel, own: own, peer: peer, isFirst: isFirst)
      checks += examination.run()
    }
    return checks
  }

  private static let helloSuffix = "~hello"
  private static func helloName(_ tag: String) -> String { PeerChannel.prefix + tag + helloSuffix }

  /// Looks for others as often as this, microseconds.
  private static let pauseMicroseconds: UInt32 = 50_000
  /// And makes sure that this host asks the server as often as this, nanoseconds.
  private static let anewNanoseconds = 1_000_000_000
  /// Who asked, and was answered, begins within this; nanoseconds.
  private static let answerNanosecondsMax = 6_000_000_000

  /// Waits for another; of two, the one with the smaller tag asks, and is the first.
  private mutating func find() throws(SystemCallError) -> (peer: Peer, isFirst: Bool)? {
    let end = Clock.sinceBoot() + Int(waiting * 1e9)
    var asked = 0
    while true {
      let now = Clock.sinceBoot()
      guard now < end else { return nil }
      progress("waiting for another host's doctor: run the same there (\((end - now) / 1_000_000_000) s)")
      if now - asked > Self.anewNanoseconds {
        _ = try PeerChannel.change(root, own.tag)
        asked = now
      }
      let names = try root.names(Layout.tmp)
      let peers = try peers(names)
      func channel(_ peer: Peer) -> PeerChannel { PeerChannel(root: root, own: own.tag, other: peer.tag) }
      if let peer = peers.first(where: { names.contains(channel($0).peerName("ask")) }) {
        if try agree(channel(peer), by: "yes", to: "begin") { return (peer, false) }
      } else if let peer = peers.filter({ own.tag < $0.tag })
        .min(by: { unanswered[$0.tag, default: 0] < unanswered[$1.tag, default: 0] })
      {
        if try agree(channel(peer), by: "ask", to: "yes") { return (peer, true) }
        unanswered[peer.tag, default: 0] += 1
      }
      usleep(Self.pauseMicroseconds)
    }
  }

  /// Says one thing, and waits for the other's. One that doesn't answer may be dead, or busy with another.
  private mutating func agree(
    _ channel: PeerChannel, by said: String, to answer: String
  ) throws(SystemCallError) -> Bool {
    let isFirst = said == "ask"
    try channel.send(said)
    let end = Clock.sinceBoot() + Self.answerNanosecondsMax
    while Clock.sinceBoot() < end {
      try channel.askAnew()
      if try channel.isThere(channel.peerName(answer)) {
        if isFirst { try channel.send("begin") }
        return true
      }
      usleep(Self.pauseMicroseconds)
    }
    try root.unlinkIfPresent(Layout.temporary(channel.ownName(said)))
    // It may have answered meanwhile.
    try channel.askAnew()
    guard isFirst, try channel.isThere(channel.peerName(answer)) else { return false }
    try channel.send("begin")
    return true
  }

  private mutating func peers(_ names: [String]) throws(SystemCallError) -> [Peer] {
    var peers: [Peer] = []
    for name in names where name.hasPrefix(PeerChannel.prefix) && name.hasSuffix(Self.helloSuffix) {
      let tag = String(name.dropFirst(PeerChannel.prefix.count).dropLast(Self.helloSuffix.count))
      guard tag.count == own.tag.count, tag != own.tag, !known.contains(tag) else { continue }
      let path = Layout.temporary(name)
      guard let (bytes, status) = try? root.readFileWithStatus(path, maximum: 4096),
        let peer = Peer(tag: tag, parsing: bytes)
      else { continue }
      guard !peer.isSameHost(as: own) else {
        if let holder = Holder(peer.holder), spool.isGone(holder) {
          for left in names where left.hasPrefix("\(PeerChannel.prefix)\(tag)~") {
            _ = try? root.unlinkIfPresent(Layout.temporary(left))
          }
        } else {
          isAloneHere = false
        }
        continue
      }
      guard status.owner == user else {
        strangers.insert(peer.host)
        continue
      }
      peers.append(peer)
    }
    return peers
  }

  private var nobody: StorageCheck {
    let found: String
    let cure: String
    if let stranger = strangers.min() {
      found = "another user's doctor came from \(stranger)"
      cure = "run it as one user on both hosts"
    } else {
      found =
        "nobody came within \(Int(waiting)) s" + (isAloneHere ? "" : "; another doctor that looks is on this host, too")
      cure =
        "run spool doctor --hosts 2 on the other host at the same time; if it was run there, the hosts don't see each "
        + "other's files: see that both have mounted the same directory of the same server"
    }
    return StorageCheck(name: "meeting", found: found, cure: cure)
  }
}
