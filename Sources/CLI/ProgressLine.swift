import Glibc

/// A line on standard error that is written over again and again; on anything but a terminal nothing at all.
final class ProgressLine {
  let isShown = isatty(2) == 1
  private var last = ""

  func show(_ text: String) {
    guard isShown, text != last else { return }
    last = text
    write(Output.excerpt(text, Output.columns() - 1))
  }

  func clear() {
    if !last.isEmpty { write("") }
    last = ""
  }

  private func write(_ text: String) {
    let bytes = Array("\r\u{1b}[2K\(text)".utf8)
    _ = Glibc.write(2, bytes, bytes.count)
  }
}
