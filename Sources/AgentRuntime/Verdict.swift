import Glibc
import Linux
import SpoolFormat

/// What becomes of a message or task, by what the program did with it.
enum Verdict {
  case done(Answer)
  /// Not done, and worth another try, after so many seconds; nil: as the backoff says.
  case retry(String, after: Double? = nil, suggestion: String? = nil)
  /// Not even begun, as no process could be started, or none that reads it: no attempt.
  case putBackUnseen(String)
  /// Not done, and never will be.
  case giveUp(String, suggestion: String? = nil)

  /// What the program gave.
  enum Answer {
    case nothing
    case message(Message)
    case result(TaskAnswer)
  }

  /// `sysexits.h`: the data was bad.
  private static let badData = 65

  /// Of a process that was started for one message or task: 0 is done and what it printed the answer, 65 is give up, and
  /// everything else (75 among it) is another try.
  init(_ ending: ChildProcess.Ending, of work: Work, output: [UInt8], errorTail: ErrorTail) {
    let errorTail = errorTail.orEnd(of: output)
    switch work {
    case .message:
      switch ending {
      case .exited(0): self = .done(Self.answer(output))
      case .exited(Self.badData): self = .giveUp(Self.reason(ending, errorTail))
      default: self = .retry(Self.reason(ending, errorTail))
      }
    case .task:
      do throws(FormatError) {
        let answer = try TaskAnswer(output: output)
        switch ending {
        case .exited(0): self = Self.done(answer)
        case .exited(Self.badData):
          self = .giveUp(answer.error ?? Self.wholeReason(ending, errorTail), suggestion: answer.recoverySuggestion)
        default:
          self = .retry(answer.error ?? Self.wholeReason(ending, errorTail), suggestion: answer.recoverySuggestion)
        }
      } catch {
        self = ending == .exited(Self.badData) ? .giveUp("\(error)") : .retry("\(error)")
      }
    }
  }

  /// An error in the answer says that it isn't done, whatever the exit status.
  private static func done(_ answer: TaskAnswer) -> Verdict {
    guard let error = answer.error else { return .done(.result(answer)) }
    return .retry(error, suggestion: answer.recoverySuggestion)
  }

  private static func answer(_ output: [UInt8]) -> Answer {
    let text = output.last == UInt8(ascii: "\n") ? output.dropLast() : output[...]
    return text.isEmpty ? .nothing : .message(Message(content: String(decoding: text, as: UTF8.self)))
  }

  /// `exit status 1: the last line it wrote`.
  static func reason(_ ending: ChildProcess.Ending, _ errorTail: ErrorTail) -> String {
    let what =
      switch ending {
      case .exited(let status): "exit status \(status)"
      case .killed(let signal): "killed by signal \(signal) (\(String(cString: strsignal(CInt(signal)))))"
      case .unknown: "how it ended can't be told"
      }
    return errorTail.lastLine.map { "\(what): \($0)" } ?? what
  }

  /// The same, with all of what it wrote there last.
  private static func wholeReason(_ ending: ChildProcess.Ending, _ errorTail: ErrorTail) -> String {
    let text = errorTail.text
    return reason(ending, errorTail) + (text.contains("\n") ? "\n" + text : "")
  }

  /// Of a streaming program: the line that it answered with. `{}` and `{"ack":true}` are done, `{"nack":"why","delay":5}`
  /// another try, `{"dead":"why"}` giving up; anything else must be the answer: a message, or an object with a task's
  /// result.
  /// - Throws: `FormatError`, `JSONError` for a line that is none of these.
  init(line: [UInt8], answering work: Work) throws {
    var control = Control()
    try JSON.readObject(line) { key, value in try control.take(key, value) }
    if let reason = control.dead {
      self = .giveUp(reason)
    } else if let reason = control.nack {
      self = .retry(reason, after: control.delay)
    } else if control.saysMore {
      switch work {
      case .message(let claim): self = .done(.message(try Self.answer(line, to: claim.message)))
      case .task: self = Self.done(try Self.result(line))
      }
    } else {
      guard control.isAcked || control.delay == nil else { throw FormatError("\"delay\" goes with \"nack\"") }
      self = .done(.nothing)
    }
  }

  private static func result(_ line: [UInt8]) throws -> TaskAnswer {
    guard let object = try JSONValue(parsing: line).object, TaskAnswer.isOne(object) else {
      throw FormatError("it has neither \"result\" nor \"error\"")
    }
    return try TaskAnswer(object)
  }

  private struct Control {
    var dead: String?
    var nack: String?
    var delay: Double?
    var isAcked = false
    var saysMore = false

    /// Longer than anybody means, and short enough for a date.
    private static let delayMax = 366.0 * 86400

    mutating func take(_ key: JSONSlice, _ value: JSONSlice) throws {
      if key.equals("ack") {
        guard value.kind == .true else { throw FormatError("\"ack\" must be true; to refuse, say {\"nack\":\"why\"}") }
        isAcked = true
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

  /// The end of what it printed, where it wrote nothing here: many tell there what went wrong.
  func orEnd(of output: [UInt8]) -> ErrorTail {
    guard lastLine == nil else { return self }
    var tail = ErrorTail()
    tail.append(output)
    return tail
  }

  mutating func clear() { bytes.removeAll(keepingCapacity: true) }

  /// Harmless on a terminal; nil when there is none that says anything.
  var lastLine: String? {
    let lines = bytes.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") })
    guard let line = lines.last(where: { $0.contains { $0 > 32 } }) else { return nil }
    return String(decoding: line, as: UTF8.self).escapedForTerminal()
  }

  /// All lines that say anything, harmless on a terminal.
  var text: String {
    bytes.split(separator: UInt8(ascii: "\n")).filter { $0.contains { $0 > 32 } }
      .map { String(decoding: $0, as: UTF8.self).escapedForTerminal() }.joined(separator: "\n")
  }
}
