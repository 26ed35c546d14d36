import Glibc
import Linux
import SpoolFormat

/// What becomes of a message, by what the program did with it.
enum Verdict {
  /// Done; with an answer, if the program gave one.
  case done(Message?)
  /// Not done, and worth another try, after so many seconds; nil: as the backoff says.
  case retry(String, after: Double? = nil)
  /// Not done, and never will be.
  case giveUp(String)

  /// `sysexits.h`: the data was bad.
  private static let badData = 65

  /// Of a process that was started for one message: 0 is done and what it printed the answer, 65 is give up, and
  /// everything else (75 among it) is another try.
  init(_ ending: ChildProcess.Ending, output: [UInt8], errorTail: ErrorTail) {
    switch ending {
    case .exited(0):
      guard !output.isEmpty else {
        self = .done(nil)
        return
      }
      let text = output.last == UInt8(ascii: "\n") ? output.dropLast() : output[...]
      self = .done(text.isEmpty ? nil : Message(content: String(decoding: text, as: UTF8.self)))
    case .exited(Self.badData): self = .giveUp(Self.reason(ending, errorTail))
    default: self = .retry(Self.reason(ending, errorTail))
    }
  }

  /// `exit status 1: the last line it wrote to standard error`.
  static func reason(_ ending: ChildProcess.Ending, _ errorTail: ErrorTail) -> String {
    let what =
      switch ending {
      case .exited(let status): "exit status \(status)"
      case .killed(let signal): "killed by signal \(signal) (\(String(cString: strsignal(CInt(signal)))))"
      }
    return errorTail.lastLine.map { "\(what): \($0)" } ?? what
  }

  /// Of a streaming program: the line that it answered with. `{}` and `{"ack":true}` are done, `{"nack":"why","delay":5}`
  /// another try, `{"dead":"why"}` giving up; anything else must be a message, which is the answer.
  /// - Throws: `FormatError`, `JSONError` for a line that is none of these.
  init(line: [UInt8], answering message: Message) throws {
    var control = Control()
    try JSON.readObject(line) { key, value in try control.take(key, value) }
    if let reason = control.dead {
      self = .giveUp(reason)
    } else if let reason = control.nack {
      self = .retry(reason, after: control.delay)
    } else if control.saysMore {
      self = .done(try Self.answer(line, to: message))
    } else {
      self = .done(nil)
    }
  }

  private struct Control {
    var dead: String?
    var nack: String?
    var delay: Double?
    var saysMore = false

    /// Longer than anybody means, and short enough for a date.
    private static let delayMax = 366.0 * 86400

    mutating func take(_ key: JSONSlice, _ value: JSONSlice) throws {
      if key.equals("ack") {
        guard value.kind == .true else { throw FormatError("\"ack\" must be true; to refuse, say {\"nack\":\"why\"}") }
      } else if key.equals("nack") {
        nack = try Self.reason(value, "nack")
      } else if key.equals("dead") {
        dead = try Self.reason(value, "dead")
      } else if key.equals("delay") {
        guard let seconds = value.double, seconds >= 0 else { throw FormatError("\"delay\" must be seconds") }
        delay = min(seconds, Self.delayMax)
      } else {
        saysMore = true
      }
    }

    private static func reason(_ value: JSONSlice, _ name: String) throws -> String {
      if let text = value.string { return text.isEmpty ? "the program said \(name)" : text }
      guard value.kind == .true else { throw FormatError("\"\(name)\" must be the reason, a text") }
      return "the program said \(name)"
    }
  }

  private static func answer(_ line: [UInt8], to message: Message) throws -> Message {
    var answer = try Message(parsing: line)
    answer.extra.removeAll { $0.name == "ack" || $0.name == "delay" }
    if let id = answer.id, id == message.id {
      // The message itself, changed: whom it came to and what it was are not said of the answer.
      answer.to = []
      answer.type = nil
      answer.inReplyTo = nil
      answer.notBefore = nil
      answer.expiresAt = nil
    }
    if let other = answer.inReplyTo, other != message.id?.description {
      throw FormatError("it answers \(String(other.prefix(80)).escapedForTerminal()), which is another message")
    }
    return answer
  }
}

/// The end of what a program wrote to its standard error.
struct ErrorTail {
  static let bytesMax = 2048
  private(set) var bytes: [UInt8] = []

  mutating func append(_ chunk: [UInt8]) {
    bytes.append(contentsOf: chunk.suffix(Self.bytesMax))
    if bytes.count > Self.bytesMax { bytes.removeFirst(bytes.count - Self.bytesMax) }
  }

  mutating func clear() { bytes.removeAll(keepingCapacity: true) }

  /// Harmless on a terminal; nil when there is none that says anything.
  var lastLine: String? {
    let lines = bytes.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") })
    guard let line = lines.last(where: { $0.contains { $0 > 32 } }) else { return nil }
    return String(decoding: line, as: UTF8.self).escapedForTerminal()
  }
}
