import Spool
import SpoolFormat

/// Finds out which moves nobody logged: those that a person made with `mv`, or a program that died right after its rename.
/// A program logs its move within moments; what isn't in the log by then was done by somebody unknown.
struct HandMoves {
  struct Move: Hashable {
    let entry: TaskEntry
    let from: TaskEntry?
  }

  private struct Noticed {
    let entry: TaskEntry
    let from: TaskEntry?
    /// Nanoseconds since boot.
    let at: Int
  }

  private var noticed: [MessageID: Noticed] = [:]
  /// What the log said last of tasks lately: the line may come before the event.
  private var logged: [MessageID: (entry: TaskEntry, at: Int)] = [:]
  /// More of them, and those that are old are dropped.
  private var loggedMax = loggedMin
  private static let loggedMin = 1024

  /// Nanoseconds that a program may take from its rename to its line: it may have been stopped in between, and a line
  /// too many does no harm.
  static let patience = 1_000_000_000
  /// The same where others' files may be seen as they were some seconds ago: on storage that several hosts share.
  static let patienceAfar = 5_000_000_000
  let patience: Int

  init(isRemote: Bool) { patience = isRemote ? Self.patienceAfar : Self.patience }

  /// How long what was logged is kept in mind.
  private static let memory = 10_000_000_000

  mutating func notice(_ entry: TaskEntry, from: TaskEntry?, now: Int) {
    if logged[entry.id]?.entry == entry {
      noticed[entry.id] = nil
    } else {
      noticed[entry.id] = Noticed(entry: entry, from: from, at: now)
    }
  }

  mutating func noteLogged(_ entry: TaskEntry, now: Int) {
    logged[entry.id] = (entry, now)
    if logged.count > loggedMax {
      logged = logged.filter { now - $0.value.at < Self.memory }
      loggedMax = max(Self.loggedMin, 2 * logged.count)
    }
    if noticed[entry.id]?.entry == entry { noticed[entry.id] = nil }
  }

  /// When to ask again; nil when nothing is open.
  var nextDue: Int? { noticed.values.map(\.at).min().map { $0 + patience } }

  /// The moves that nobody has logged in time, each told once.
  /// - Parameter moment: when a reading of the logs of all hosts began that came to their end.
  mutating func take(readSince moment: Int) -> [Move] {
    let due = noticed.filter { $0.value.at + patience <= moment }
    for id in due.keys { noticed[id] = nil }
    return due.values.sorted { $0.entry.id < $1.entry.id }.map { Move(entry: $0.entry, from: $0.from) }
  }
}
