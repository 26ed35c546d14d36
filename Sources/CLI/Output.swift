import Glibc
import Linux
import SpoolFormat

/// Standard output, buffered: data goes here, talk to standard error.
final class Output {
  private var buffer: [UInt8] = []
  /// Why it can't be written any more.
  private var failure: CInt?
  let isTerminal = isatty(1) == 1
  /// Never with `NO_COLOR` in the environment (no-color.org), nor anywhere but on a terminal.
  private let hasColours = isatty(1) == 1 && (getenv("NO_COLOR").map { $0.pointee == 0 } ?? true)

  func write(_ text: String) { write(Array(text.utf8)) }

  func write(_ bytes: [UInt8]) {
    buffer.append(contentsOf: bytes)
    if buffer.count > 64 << 10 { flush() }
  }

  func line(_ text: String) { write(text + "\n") }

  /// One JSON object on a line of its own.
  func object(_ build: (inout JSONWriter) -> Void) {
    var writer = JSONWriter()
    writer.beginObject()
    build(&writer)
    writer.endObject()
    write(writer.bytes + [10])
  }

  /// Whether all went through until now: what never ends by itself ends when it didn't.
  @discardableResult
  func flush() -> Bool {
    var written = 0
    while written < buffer.count, failure == nil {
      let count = buffer.withUnsafeBytes { Glibc.write(1, $0.baseAddress! + written, $0.count - written) }
      if count > 0 {
        written += count
      } else if errno == EAGAIN {
        // Whoever it shares its standard output with has made it one that doesn't block.
        var room = PollSet()
        _ = room.add(1, forWriting: true)
        do { try room.wait(until: nil) } catch { failure = error.code }
      } else if errno != EINTR {
        failure = errno
      }
    }
    buffer.removeAll(keepingCapacity: true)
    return failure == nil
  }

  /// Writes what is left; the status is that of the command, unless its output was lost.
  /// - Parameter isNeeded: to be told of a reader that has gone, and not killed for it: something is to be done then.
  func finish(_ exit: Exit, isNeeded: Bool = false) -> Exit {
    if isNeeded { SignalPipe.ignoreBrokenPipes() }
    flush()
    guard let failure, exit == .done else { return exit }
    Output.talk("spool: cannot write to standard output: \(String(cString: strerror(failure)))")
    return .inputOutput
  }

  /// The same where something was kept: who can't see its id must not believe that it wasn't, and send again.
  func finish(kept id: MessageID) -> Exit {
    let exit = finish(.done, isNeeded: true)
    if exit != .done { Output.talk("spool: kept all the same: \(id)") }
    return exit
  }

  /// How wide the terminal is where standard error goes: 30 at least, 80 where nobody knows.
  static func columns() -> Int {
    var size = winsize()
    guard ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return max(30, Int(size.ws_col))
  }

  /// A line on standard error.
  static func talk(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    _ = Glibc.write(2, bytes, bytes.count)
  }

  enum Style: String {
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
  }

  func styled(_ text: String, _ style: Style) -> String {
    hasColours ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
  }

  /// Columns under their headings, as wide as their widest entry; the last one is left as it is.
  func table(_ headings: [String], _ rows: [[String]]) {
    let lines = Self.lines(headings, rows)
    line(styled(lines[0], .bold))
    for text in lines.dropFirst() { line(text) }
  }

  /// The same as lines, the headings first.
  static func lines(_ headings: [String], _ rows: [[String]]) -> [String] {
    var widths = headings.map(\.count)
    for row in rows { for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) } }
    return ([headings] + rows).map { row in
      let cells = row.enumerated().map { index, cell in
        index == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[index] - cell.count)
      }
      return cells.joined(separator: "  ")
    }
  }

  /// `1 message`, `2 messages`.
  static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

  /// A text on one line of at most `count` characters, harmless on a terminal.
  static func excerpt(_ text: String, _ count: Int = 72) -> String {
    let shown = String(text.prefix(count * 2)).escapedForTerminal()
    return shown.count > count ? shown.prefix(count - 1) + "…" : shown
  }
}

extension String {
  /// As a word of a command line for sh(1).
  var quotedForShell: String {
    let isPlain =
      !isEmpty
      && utf8.allSatisfy { byte in
        48...57 ~= byte || 65...90 ~= byte || 97...122 ~= byte || "/._-+:@%,=".utf8.contains(byte)
      }
    return isPlain ? self : "'" + replacing("'", with: "'\\''") + "'"
  }
}
