import Glibc
import Linux
import SpoolFormat

/// Files that a power cut has left under names from which they had been moved, or removed, before: the directories were
/// not on the disk yet, and the log that tells of it was. Without this an acked message would be handed out again, and
/// one that was claimed be there twice.
struct Leftovers {
  private struct Place {
    let box: Layout.Box
    let name: EntryName
  }

  /// Where the files of a message lie.
  private enum Files {
    /// One, in an inbox, never claimed: as of most, and there may be a million.
    case waiting(bot: UInt32, urgency: UInt8)
    case places([String: [Place]])
  }

  private let root: Directory
  private var bots: [BotName] = []
  private var files: [MessageID: Files] = [:]

  /// - Parameters:
  ///   - isAlone: whether nobody can be moving anything; otherwise nothing counts as left over.
  ///   - isOwn: whose bots are looked at.
  init(root: Directory, isAlone: Bool, isOwn: (BotName) -> Bool) throws {
    self.root = root
    guard isAlone else { return }
    bots = try root.names(Layout.bots).compactMap { try? BotName(parsing: $0) }.filter(isOwn)
    for (number, bot) in bots.enumerated() {
      for box in [Layout.Box.inbox, .claimed, .dead] {
        try root.list(Layout.box(bot, box)) {
          if let name = EntryName($0) { add(Place(box: box, name: name), of: number) }
        }
      }
    }
  }

  private mutating func add(_ place: Place, of bot: Int) {
    let id = place.name.id
    let urgency = place.name.urgency
    if files[id] == nil, place.box == .inbox, place.name == EntryName(urgency: urgency, id: id) {
      files[id] = .waiting(bot: UInt32(bot), urgency: UInt8(urgency))
    } else {
      var all = places(of: id)
      all[bots[bot].description, default: []].append(place)
      files[id] = .places(all)
    }
  }

  private func places(of id: MessageID) -> [String: [Place]] {
    switch files[id] {
    case nil: [:]
    case .waiting(let bot, let urgency):
      [bots[Int(bot)].description: [Place(box: .inbox, name: EntryName(urgency: Int(urgency), id: id))]]
    case .places(let all): all
    }
  }

  func has(_ id: MessageID) -> Bool { files[id] != nil }

  /// Removes every file of a message that is acked, and else all but the one that was there last.
  mutating func clear(
    _ id: MessageID, of text: String, isAcked: Bool, isDead: Bool, mending: Bool, _ report: inout RecoveryReport
  ) throws {
    var places = places(of: id)
    guard let bot = try? BotName(parsing: text), let all = places.removeValue(forKey: text) else { return }
    files[id] = .places(places)
    // A dead letter that the log doesn't know of may as well be handed out again. Of the same attempt, what was claimed
    // was there before it waited again, or was given up.
    func rank(_ place: Place) -> Int {
      let last = place.box == .claimed ? 0 : 1
      return place.box == .dead && !isDead ? -1 : 2 * place.name.attempt + last + (place.box == .dead ? 1 << 20 : 0)
    }
    let kept = isAcked ? nil : all.max { rank($0) < rank($1) }
    // A script that knows of no recovery may have moved it just now.
    if let kept, all.count > 1, try root.status(Layout.entry(bot, kept.box, kept.name)) == nil { return }
    for place in all where kept.map({ $0.box != place.box || $0.name != place.name }) ?? true {
      let path = Layout.entry(bot, place.box, place.name)
      let why = kept.map { "is in \($0.box.rawValue)/ as well, since then" } ?? "is acked in the log"
      report.add(path, why, "removed")
      guard mending else { continue }
      try root.clear(path)
      if place.box == .dead { try root.clear(Layout.reason(besides: path)) }
    }
  }

  /// The same of messages of which the log says no more since its checkpoint.
  mutating func clearRest(mending: Bool, _ report: inout RecoveryReport) throws {
    for id in Array(files.filter { if case .places = $1 { true } else { false } }.keys) {
      for (bot, all) in places(of: id) where all.count > 1 {
        try clear(id, of: bot, isAcked: false, isDead: false, mending: mending, &report)
      }
    }
  }
}
