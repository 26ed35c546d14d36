import Glibc
import Linux
import SpoolFormat

/// How tasks and groups are listed, found and read.
extension Spool {
  /// Those in these states, by state, urgency and age. Reads names only.
  func entries<Entry: FiledEntry>(in states: [Entry.State]) throws -> [Entry] {
    try doing("cannot list the \(Entry.noun)s of \(path)") {
      var entries: [Entry] = []
      for state in states {
        var found: [Entry] = []
        try root.list(Entry.directory(state)) {
          if let name = EntryName($0, of: Entry.kind), Entry.isName(name) {
            found.append(Entry(state: state, name: name))
          }
        }
        entries += found.sorted { $0.name < $1.name }
      }
      return entries
    }
  }

  /// What a file says; nil when it is there no longer.
  /// - Throws: `.badData` when it can't be read as what it should be.
  func contents<Entry: FiledEntry>(of entry: Entry) throws -> Entry.Record? {
    do {
      guard let bytes = try root.readFile(entry.path, maximum: Entry.bytesMax) else { return nil }
      return try contents(of: entry, bytes)
    } catch let error as SystemCallError {
      guard Self.isNoFile(error) else { throw SpoolError("cannot read \(entry.path)", error) }
      let fault = error.fault(ofFile: Entry.noun, bytesMax: Entry.bytesMax)
      throw SpoolError(.badData, "\(entry.path): \(fault)", hint: "move it away by hand, or mend it", cause: error)
    }
  }

  func contents<Entry: FiledEntry>(of entry: Entry, _ bytes: [UInt8]) throws -> Entry.Record {
    do { return try entry.record(parsing: bytes) } catch {
      throw SpoolError(
        .badData, "\(entry.path): \(error)", hint: "mend it by hand; what it said is in: spool trace \(entry.id)")
    }
  }

  /// Whether there is something that is no file, for anybody. One that only others may read is another matter.
  static func isNoFile(_ error: SystemCallError) -> Bool {
    Inbox.faultsOfFiles.contains(error.code) && error.code != EACCES && error.code != EPERM
  }

  /// Where some stand; those that are nowhere are left out.
  /// Cost: a listing of each state's directory.
  func find<Entry: FiledEntry>(_ ids: Set<MessageID>) throws -> [MessageID: Entry] {
    guard !ids.isEmpty else { return [:] }
    return try doing("cannot look for \(Entry.noun)s in \(path)") {
      var found: [MessageID: Entry] = [:]
      // One that moves from a directory still to come to one already seen is missed the first time; one whose content
      // is being changed is nowhere for a moment.
      for round in 0..<50 {
        for state in Entry.State.allCases {
          try root.list(Entry.directory(state)) {
            if let name = EntryName($0, of: Entry.kind), ids.contains(name.id), Entry.isName(name) {
              found[name.id] = Entry(state: state, name: name)
            }
          }
        }
        if found.count == ids.count { break }
        let moving = Set(try onTheMove(Entry.self).map(\.move.entry.id))
        let areMoving = !moving.isDisjoint(with: ids.subtracting(found.keys))
        if round > 0, !areMoving { break }
        if areMoving { usleep(2000) }
      }
      return found
    }
  }

  /// The one that a text on a command line means: an id, the name of its file, or an unambiguous part of either.
  /// - Throws: `.notFound`; `.badData` when there are several.
  func entry<Entry: FiledEntry>(named text: String) throws -> Entry {
    let last = text.split(separator: "/").last.map(String.init) ?? text
    if let name = EntryName(last, of: Entry.kind), let exact: Entry = try entry(of: name) { return exact }
    if let id = MessageID(last) ?? EntryName(last, of: Entry.kind)?.id, let entry: Entry = try find([id])[id] {
      return entry
    }
    let isShort = last.utf8.count < 3
    let all: [Entry] = isShort ? [] : try entries(in: Array(Entry.State.allCases))
    var found = all.filter { $0.name.description.contains(last) }
    if found.count == 1 { return found[0] }
    let shown = last.prefix(80).description.escapedForTerminal()
    if let first = found.first, found.allSatisfy({ $0.id == first.id }) {
      // One that moved while the directories were listed is seen twice.
      let standing = try found.filter(stands)
      guard standing.count < 2 else {
        let paths = standing.map(\.path).joined(separator: " and ")
        throw SpoolError(
          .badData, "\(shown) stands for \(standing.count) files of one \(Entry.noun): \(paths)",
          hint: "remove by hand the one that is a copy, or give the whole name of the other")
      }
      if let entry: Entry = try find([first.id])[first.id] { return entry }
      found = []
    }
    guard found.isEmpty else {
      let some = found.prefix(4).map(\.id.description).joined(separator: ", ")
      throw SpoolError(
        .badData, "\(shown) stands for \(found.count) \(Entry.noun)s: \(some)", hint: "give more of the id")
    }
    let moves = isShort ? [] : try doing("cannot look at \(shown)") { try onTheMove(Entry.self) }
    if let mover = moves.first(where: { $0.move.entry.name.description.contains(last) }) {
      let holder = mover.path.split(separator: "/").dropLast().last ?? ""
      throw SpoolError(
        .tryAgain, "\(mover.move.entry.id) is just being changed by \(holder)", hint: "try again in a moment")
    }
    throw SpoolError(
      .notFound, "no \(Entry.noun) \(shown)",
      hint: isShort ? "give three characters of its id, at least" : "see: spool \(Entry.noun) list --all")
  }

  /// The one whose file has exactly this name; nil when there is none.
  func entry<Entry: FiledEntry>(of name: EntryName) throws -> Entry? {
    guard Entry.isName(name) else { return nil }
    return try Entry.State.allCases.map { Entry(state: $0, name: name) }.first(where: stands)
  }

  private func stands<Entry: FiledEntry>(_ entry: Entry) throws -> Bool {
    try doing("cannot look at \(entry.path)") { try root.status(entry.path) != nil }
  }

  /// The files of each that has several, as a copy or a restored backup leaves them.
  func copies<Entry: FiledEntry>(of _: Entry.Type) throws -> [[Entry]] {
    let all: [Entry] = try entries(in: Array(Entry.State.allCases))
    return try Dictionary(grouping: all, by: \.id).values.compactMap { entries in
      guard entries.count > 1 else { return nil }
      // One that moved while the directories were listed is seen twice.
      let standing = try entries.filter(stands)
      return standing.count > 1 ? standing : nil
    }.sorted { $0[0].id < $1[0].id }
  }
}
