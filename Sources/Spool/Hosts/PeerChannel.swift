import Glibc
import Linux
import SpoolFormat

/// Files in `tmp/` by which two doctors on two hosts talk: `doctor~FROM~TO~STEP`, each made once, by a rename, and never
/// changed. So all that they need of the storage is that a new name is seen in the end.
struct PeerChannel {
  let root: Directory
  /// Who this doctor is: 16 random hexadecimal digits.
  let own: String
  let other: String
  /// Whether what the peer does was overlooked before: then nothing is waited for by looking alone.
  var looksAnew = false

  static let prefix = "doctor~"
  /// Between two looks, microseconds.
  static let pauseMicroseconds: UInt32 = 5000
  /// After so long in vain by looking alone this host is made to ask the server, nanoseconds.
  private static let plainNanosecondsMax = 2_000_000_000
  /// After so long in vain the peer is given up, nanoseconds: longer than two that look in vain wait for each other.
  private static let patienceNanoseconds = 20_000_000_000
  /// What has been there for so long and isn't seen is overlooked, nanoseconds by the server's clock.
  private static let staleNanosecondsMin = 1_000_000_000

  /// The peer didn't answer, or what it did can't be seen.
  struct NoAnswer: Error {
    let step: String
  }

  /// What this doctor makes for the peer, and the other way round: the last part of a path.
  func ownName(_ step: String) -> String { "\(Self.prefix)\(own)~\(other)~\(step)" }
  func peerName(_ step: String) -> String { "\(Self.prefix)\(other)~\(own)~\(step)" }

  func send(_ step: String, _ text: String = "") throws(SystemCallError) {
    try root.replace(
      Layout.temporary(ownName(step)), with: Array(text.utf8), through: Layout.temporary(ownName(step) + ".new"))
  }

  /// Waits until the peer has sent something in this step.
  mutating func waitFor(_ step: String, pauseMicroseconds: UInt32 = pauseMicroseconds) throws {
    let name = peerName(step)
    let channel = self
    _ = try wait(for: step, at: name, isMeasured: false, pauseMicroseconds: pauseMicroseconds) {
      () throws(SystemCallError) in
      try channel.isThere(name) ? true : nil
    }
  }

  /// Waits for what the peer sends in this step.
  mutating func receive(_ step: String) throws -> String {
    try waitFor(step)
    let name = peerName(step)
    let bytes = try root.readFile(Layout.temporary(name), maximum: 64 << 10) ?? []
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Looks, with the calls that the spool looks with, until `find` has found something. What has long been at `name` when it
  /// is found, and only after this host itself changed the directory, was overlooked.
  mutating func wait<Found>(
    for step: String, at name: String, isMeasured: Bool, pauseMicroseconds: UInt32 = pauseMicroseconds,
    _ find: () throws(SystemCallError) -> Found?
  ) throws -> (found: Found, isOverlooked: Bool) {
    let began = Clock.sinceBoot()
    while true {
      if let found = try find() { return (found, false) }
      let waited = Clock.sinceBoot() - began
      if waited > Self.plainNanosecondsMax || (looksAnew && !isMeasured) {
        let now = try askAnew(name)
        if let found = try find() {
          let changed = try root.status(Layout.temporary(name))?.changed ?? now
          let isOverlooked = now - changed > Self.staleNanosecondsMin
          if isOverlooked { looksAnew = true }
          return (found, isOverlooked)
        }
      }
      guard waited < Self.patienceNanoseconds else { throw NoAnswer(step: step) }
      if pauseMicroseconds > 0 { usleep(pauseMicroseconds) }
    }
  }

  /// Has this host ask what `tmp/` holds, whatever it may remember, by changing it; and what the file is by now.
  /// Returns the server's time, nanoseconds since 1970.
  @discardableResult
  func askAnew(_ name: String? = nil) throws(SystemCallError) -> Int {
    let now = try Self.change(root, own)
    if let name { _ = try root.status(Layout.temporary(name)) }
    return now
  }

  static func change(_ root: Directory, _ own: String) throws(SystemCallError) -> Int {
    let place = Layout.temporary("\(prefix)\(own)~anew")
    try root.unlinkIfPresent(place)
    let file = try root.open(place, O_WRONLY | O_CREAT | O_EXCL)
    let now = try file.status().changed
    try file.close()
    try root.unlinkIfPresent(place)
    return now
  }

  /// Whether the name is in `tmp/`, by the look with which inboxes are looked at.
  func isThere(_ name: String) throws(SystemCallError) -> Bool {
    let wanted = Array(name.utf8)
    var isThere = false
    try root.scan(Layout.tmp) { found in
      isThere = found.elementsEqual(wanted)
      return !isThere
    }
    return isThere
  }

  /// Takes leave, and removes what this doctor made for the peer; of a peer that is gone, its part as well.
  mutating func close(isPeerGone: Bool) {
    defer { remove(isPeerGone: isPeerGone) }
    guard !isPeerGone, (try? send("bye")) != nil else { return }
    // Who sees the other's leave goes, and so its leave may be gone already.
    let end = Clock.sinceBoot() + Self.plainNanosecondsMax
    let peers = "\(Self.prefix)\(other)~\(own)~"
    while Clock.sinceBoot() < end {
      guard (try? askAnew()) != nil, let names = try? root.names(Layout.tmp) else { return }
      if names.contains(peerName("bye")) || !names.contains(where: { $0.hasPrefix(peers) }) { return }
      usleep(Self.pauseMicroseconds)
    }
  }

  private func remove(isPeerGone: Bool) {
    let prefixes = [ownName("")] + (isPeerGone ? [peerName("")] : [])
    for name in (try? root.names(Layout.tmp)) ?? [] where prefixes.contains(where: { name.hasPrefix($0) }) {
      _ = try? root.unlinkIfPresent(Layout.temporary(name))
    }
  }
}
