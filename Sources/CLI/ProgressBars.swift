import Glibc
import Spool
import SpoolFormat

/// Bars that show how far tasks are, redrawn in place on standard error; on anything but a terminal nothing at all.
final class ProgressBars {
  let isShown = isatty(2) == 1
  private let hasColours = getenv("NO_COLOR").map { $0.pointee == 0 } ?? true
  private var linesDrawn = 0
  private var last: [String] = []

  /// More than fit a terminal would scroll it away.
  private static let linesMax = 20

  func show(_ tasks: [StoredTask]) {
    guard isShown else { return }
    let columns = Output.columns()
    var lines = tasks.prefix(Self.linesMax).map { line($0, columns) }
    if tasks.count > Self.linesMax {
      let rest = tasks.dropFirst(Self.linesMax)
      lines.append("… and \(rest.count) more, \(rest.filter(\.hasEnded).count) of them ended")
    }
    guard lines != last else { return }
    last = lines
    var text = linesDrawn > 0 ? "\u{1b}[\(linesDrawn)A" : ""
    for line in lines { text += "\r\u{1b}[2K" + line + "\n" }
    if linesDrawn > lines.count { text += "\u{1b}[J" }
    linesDrawn = lines.count
    let bytes = Array(text.utf8)
    _ = Glibc.write(2, bytes, bytes.count)
  }

  /// What comes next stands below the bars.
  func finish() { linesDrawn = 0 }

  private func line(_ task: StoredTask, _ columns: Int) -> String {
    let percent = task.state == .completed ? 100 : task.record.progress ?? 0
    let bot = task.entry.bot.map { "\(task.state == .assigned ? " to" : " by") \($0)" } ?? ""
    let says = task.state == .inProgress ? task.record.progressText.map { ": \($0)" } ?? "" : ""
    let number = String(repeating: " ", count: percent < 10 ? 2 : percent < 100 ? 1 : 0) + "\(percent)%"
    let style = TaskView.style(task.state)
    let bar = TaskView.bar(percent)
    // No line is longer than the terminal is wide: it would be two, and stay.
    let room = columns - 1 - bar.count - "  100%  ".count
    let nameWidth = min(28, room / 2)
    let name = Output.excerpt(task.record.step ?? task.record.title, nameWidth)
    let padded = name + String(repeating: " ", count: max(0, nameWidth - name.count))
    let rest = Output.excerpt("\(TaskView.name(task.state))\(bot)\(says)", room - nameWidth)
    return "\(padded) \(hasColours ? "\u{1b}[\(style.rawValue)m\(bar)\u{1b}[0m" : bar) \(number)  \(rest)"
  }
}
