import Glibc
import Linux
import SpoolFormat
import Synchronization

/// How much the processes of one user on one host may still send to a bot before its inbox must be counted again: a page
/// of a file that they all map, so that most sends cost two additions in memory, however full the inbox is. It says
/// nothing that isn't found out again when it is lost.
final class SendingCredit: Sendable {
  private enum Offset {
    static let mark = 0
    static let messages = 8
    static let bytes = 16
    static let refusedUntil = 24
    static let figures = 32
    static let taken = 96
    static let takenBytes = 104
  }

  private let page: SharedPage

  init(_ file: borrowing Descriptor) throws(SystemCallError) { page = try SharedPage(file) }

  /// Of this process alone.
  init() throws(SystemCallError) { page = try SharedPage() }

  private func word(_ offset: Int) -> UnsafeMutablePointer<Atomic<Int>> {
    page.pointer(at: offset, as: Atomic<Int>.self)
  }

  /// Takes one message of so many bytes; false when there isn't that much left, under the limits that `mark` stands for.
  func take(bytes: Int, mark: Int) -> Bool {
    guard word(Offset.mark).pointee.load(ordering: .acquiring) == mark else { return false }
    // What a damaged page has may be any number; no more than this is ever granted.
    let credible = 0...InboxCount.most
    let messages = word(Offset.messages).pointee.wrappingSubtract(1, ordering: .relaxed).newValue
    let left = word(Offset.bytes).pointee.wrappingSubtract(bytes, ordering: .relaxed).newValue
    if credible ~= messages, credible ~= left {
      noteTaken(bytes: bytes)
      return true
    }
    giveBack(bytes: bytes)
    return false
  }

  func giveBack(bytes: Int) {
    word(Offset.messages).pointee.wrappingAdd(1, ordering: .relaxed)
    word(Offset.bytes).pointee.wrappingAdd(bytes, ordering: .relaxed)
  }

  private func noteTaken(bytes: Int) {
    word(Offset.taken).pointee.wrappingAdd(1, ordering: .relaxed)
    word(Offset.takenBytes).pointee.wrappingAdd(bytes, ordering: .relaxed)
  }

  /// How much was ever taken: what came on top while somebody counted may not be in the count.
  var taken: (messages: Int, bytes: Int) {
    (word(Offset.taken).pointee.load(ordering: .relaxed), word(Offset.takenBytes).pointee.load(ordering: .relaxed))
  }

  /// After a count: so much may be sent now.
  /// The first message, of so many bytes, is taken at once.
  func grant(messages: Int, bytes: Int, taking first: Int, mark: Int) {
    noteTaken(bytes: first)
    store(messages: messages - 1, bytes: bytes - first, mark: mark)
  }

  private func store(messages: Int, bytes: Int, mark: Int) {
    word(Offset.messages).pointee.store(messages, ordering: .relaxed)
    word(Offset.bytes).pointee.store(bytes, ordering: .relaxed)
    word(Offset.refusedUntil).pointee.store(0, ordering: .relaxed)
    word(Offset.mark).pointee.store(mark, ordering: .releasing)
  }

  /// After a count: it is full, and isn't counted again before `moment`, nanoseconds since boot.
  func refuse(until moment: Int, _ count: InboxCount, mark: Int) {
    store(messages: 0, bytes: 0, mark: mark)
    let figures = [
      count.messages, count.bytes, count.ownMessages, count.ownBytes, count.oldest?.microseconds ?? .min,
      count.isPartial ? 1 : 0,
    ]
    for (index, figure) in figures.enumerated() {
      word(Offset.figures + 8 * index).pointee.store(figure, ordering: .relaxed)
    }
    word(Offset.refusedUntil).pointee.store(moment, ordering: .releasing)
  }

  /// What was counted last, if it was full then, and that was only just now.
  func refusal(now: Int, mark: Int) -> InboxCount? {
    guard word(Offset.mark).pointee.load(ordering: .acquiring) == mark else { return nil }
    let until = word(Offset.refusedUntil).pointee.load(ordering: .acquiring)
    // After a reboot it may be far off.
    guard now < until, until &- now <= Self.refusalNanosecondsMax else { return nil }
    func figure(_ index: Int) -> Int { word(Offset.figures + 8 * index).pointee.load(ordering: .relaxed) }
    var count = InboxCount()
    count.add(messages: figure(0), bytes: figure(1))
    count.addOwn(messages: figure(2), bytes: figure(3))
    count.oldest = figure(4) == .min ? nil : Timestamp(microseconds: figure(4))
    count.isPartial = figure(5) == 1
    return count
  }

  /// A full inbox is counted again after 20 times what counting took, so that refusing costs a twentieth of a core at
  /// most, and after this at the latest.
  static let refusalNanosecondsMax = 5_000_000_000
}
