/// The name of a message's (or task's) file, which is its state and its fencing token:
/// `U-TIME-RAND[~ATTEMPT[~HOLDER]].json`. While it waits for its time, that time stands in the
/// holder's place. A task's holder is `BOT` or `BOT@host.pid.start`. Names sort by urgency, then age.
public struct EntryName: Sendable, Hashable, Comparable, CustomStringConvertible {
  public var urgency: Int
  public var id: MessageID
  /// How often it has been claimed.
  public var attempt: Int
  public var place: Place

  public enum Place: Sendable, Hashable {
    case waiting
    /// Not to be claimed before that moment.
    case waitingUntil(Timestamp)
    case held(Holder)
    /// A task's: the bot that it was given to, and the process that works on it, when one is known.
    case bot(BotName, Holder?)
  }

  public init(urgency: Int, id: MessageID, attempt: Int = 0, place: Place = .waiting) {
    self.urgency = urgency
    self.id = id
    self.attempt = attempt
    self.place = place
  }

  public var holder: Holder? { if case .held(let holder) = place { holder } else { nil } }
  public var bot: BotName? { if case .bot(let bot, _) = place { bot } else { nil } }
  /// The process that works on a task.
  public var worker: Holder? { if case .bot(_, let worker) = place { worker } else { nil } }
  // Not inlined: the optimiser of Swift 6.3 crashes when it is.
  @inline(never)
  public var notBefore: Timestamp? { if case .waitingUntil(let moment) = place { moment } else { nil } }

  /// The most claims a name can count.
  public static let attemptMax = 9999

  /// What the last part of a name may be: who has a message in hand is a process, and a task a bot.
  public enum Kind: Sendable { case message, task }

  /// Reads a name, exactly: nil for every name that this program would not have written.
  public init?(_ bytes: UnsafeBufferPointer<UInt8>, of kind: Kind = .message) {
    // U-TIME-RAND is 42 bytes, ".json" 5.
    let idEnd = 2 + MessageID.textCount
    guard bytes.count >= idEnd + 5, bytes.count <= 255, 48...57 ~= bytes[0], bytes[1] == UInt8(ascii: "-"),
      Self.hasSuffix(bytes, ".json"), let id = MessageID(bytes[2..<idEnd])
    else { return nil }
    self.init(urgency: Int(bytes[0]) - 48, id: id)
    let end = bytes.count - 5
    if end == idEnd { return }
    guard bytes[idEnd] == UInt8(ascii: "~") else { return nil }
    var position = idEnd + 1
    while position < end, 48...57 ~= bytes[position], attempt <= Self.attemptMax {
      attempt = attempt * 10 + Int(bytes[position]) - 48
      position += 1
    }
    guard position > idEnd + 1, attempt <= Self.attemptMax,
      bytes[idEnd + 1] != UInt8(ascii: "0") || position == idEnd + 2
    else { return nil }
    if position == end {
      if attempt == 0 { return nil }
      return
    }
    guard bytes[position] == UInt8(ascii: "~") else { return nil }
    let rest = bytes[(position + 1)..<end]
    if let moment = Timestamp(compact: rest) {
      place = .waitingUntil(moment)
    } else if let place = Self.place(String(decoding: rest, as: UTF8.self), of: kind) {
      self.place = place
    } else {
      return nil
    }
  }

  /// `host.pid.start`; of a task `BOT` or `BOT@host.pid.start`.
  private static func place(_ text: String, of kind: Kind) -> Place? {
    guard kind == .task else { return Holder(text).map { .held($0) } }
    guard let mark = text.firstIndex(of: "@") else { return (try? BotName(parsing: text)).map { .bot($0, nil) } }
    guard let bot = try? BotName(parsing: String(text[..<mark])), let worker = Holder(text[text.index(after: mark)...])
    else { return nil }
    return .bot(bot, worker)
  }

  public init?(_ text: String, of kind: Kind = .message) {
    var text = text
    guard let parsed = text.withUTF8({ EntryName($0, of: kind) }) else { return nil }
    self = parsed
  }

  public static func < (left: EntryName, right: EntryName) -> Bool {
    left.urgency != right.urgency ? left.urgency < right.urgency : left.id < right.id
  }

  public var description: String {
    let count = textCount
    return String(unsafeUninitializedCapacity: count) { text in
      write(to: text.baseAddress!)
      return count
    }
  }

  /// Its length in bytes.
  public var textCount: Int {
    var count = 2 + MessageID.textCount + 5
    if attempt > 0 || place != .waiting { count += attempt < 10 ? 2 : 1 + String(attempt).utf8.count }
    switch place {
    case .waiting: break
    case .waitingUntil: count += 1 + Timestamp.compactCount
    case .held(let holder): count += 1 + holder.description.utf8.count
    case .bot(let bot, let worker):
      count += 1 + bot.description.utf8.count
      if let worker { count += 1 + worker.description.utf8.count }
    }
    return count
  }

  /// Writes `textCount` bytes: paths are made of it many times for each message.
  public func write(to text: UnsafeMutablePointer<UInt8>) {
    text[0] = UInt8(48 + urgency)
    text[1] = UInt8(ascii: "-")
    id.write(to: text + 2)
    var end = TextCursor(text + 2 + MessageID.textCount)
    if attempt > 0 || place != .waiting {
      end.put(UInt8(ascii: "~"))
      end.put(Int64(attempt))
    }
    switch place {
    case .waiting: break
    case .waitingUntil(let moment):
      end.put(UInt8(ascii: "~"))
      end.put(moment, punctuated: false)
    case .held(let holder):
      end.put(UInt8(ascii: "~"))
      end.put(holder.description)
    case .bot(let bot, let worker):
      end.put(UInt8(ascii: "~"))
      end.put(bot.description)
      if let worker {
        end.put(UInt8(ascii: "@"))
        end.put(worker.description)
      }
    }
    end.put(".json")
  }

  /// Whether a name in an inbox that isn't one of ours is a person's message: any other `.json` file
  /// that doesn't look like an editor's or a copier's work in progress.
  public static func isDropped(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    bytes.count > 5 && bytes[0] != UInt8(ascii: ".") && hasSuffix(bytes, ".json")
  }

  private static func hasSuffix(_ bytes: UnsafeBufferPointer<UInt8>, _ suffix: StaticString) -> Bool {
    suffix.withUTF8Buffer { bytes.count >= $0.count && bytes.suffix($0.count).elementsEqual($0) }
  }
}
