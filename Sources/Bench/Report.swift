import SpoolFormat

/// Where and how the figures were made; printed with them.
struct Setting {
  let fileSystem: String
  let processors: Int
  let rounds: Int
  let scale: Double
}

/// The row for programs: one JSON object, without a newline.
func jsonRow(_ outcome: Outcome, _ setting: Setting) -> String {
  let work = outcome.work
  var writer = JSONWriter()
  func number(_ name: StaticString, _ value: Double?) {
    writer.key(name)
    writer.raw(figure(value))
  }
  func medians(_ name: StaticString, _ contenders: [Contender]) {
    writer.key(name)
    writer.beginObject()
    for contender in contenders {
      guard let median = outcome.medians[contender.name] else { continue }
      writer.key(contender.name)
      writer.raw(figure(median))
    }
    writer.endObject()
  }
  writer.beginObject()
  writer.member("work", work.name)
  number("value", outcome.value)
  writer.member("unit", work.unit)
  number("floor", outcome.floor)
  number("ratio", outcome.ratio)
  medians("peers", work.peers)
  medians("beside", work.beside)
  writer.key("targets")
  writer.beginArray()
  for target in work.targets {
    let (wording, measured, met) = outcome.verdict(target)
    writer.beginObject()
    writer.member("target", wording)
    number("measured", measured)
    writer.key("met")
    if let met { writer.bool(met) } else { writer.null() }
    writer.endObject()
  }
  writer.endArray()
  writer.member("file_system", setting.fileSystem)
  writer.member("rounds", setting.rounds)
  number("scale", setting.scale)
  writer.endObject()
  return writer.text.description
}

/// Figures past the fifth are noise.
private func figure(_ value: Double?) -> JSONText {
  guard let value, value.isFinite else { return JSONText(trusted: Array("null".utf8)) }
  let text =
    value.magnitude >= 10_000 ? "\(Int(value.rounded()))" : decimal(value, places: value.magnitude >= 10 ? 2 : 4)
  return JSONText(trusted: Array(text.utf8))
}

/// The table for people.
func table(_ outcomes: [Outcome], _ setting: Setting) -> String {
  var rows = [["work", "unit", "ours", "floor", "ratio", "peers", "target", ""]]
  for outcome in outcomes {
    let work = outcome.work
    let peers = (work.peers + work.beside).compactMap { contender in
      outcome.medians[contender.name].map { "\(contender.name) \(readable($0))" }
    }
    let verdicts = work.targets.map { target in
      let (wording, measured, met) = outcome.verdict(target)
      let measuredText = measured.map { " (\(short($0)))" } ?? ""
      return (wording + measuredText, met.map { $0 ? "met" : "NOT MET" } ?? "-")
    }
    let lines = max(1, max(peers.count, verdicts.count))
    for line in 0..<lines {
      let head =
        line == 0
        ? [work.name, work.unit, readable(outcome.value), readable(outcome.floor), outcome.ratio.map(short) ?? "-"]
        : ["", "", "", "", ""]
      let verdict = line < verdicts.count ? verdicts[line] : ("", "")
      rows.append(head + [line < peers.count ? peers[line] : "", verdict.0, verdict.1])
    }
  }
  let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
  let text = rows.map { row in
    row.enumerated().map { column, cell in
      let padding = String(repeating: " ", count: widths[column] - cell.count)
      return (2...4).contains(column) ? padding + cell : cell + padding
    }.joined(separator: "  ").trimmingEnd()
  }
  let heading =
    "on \(setting.fileSystem), \(setting.processors) processors, \(setting.rounds) rounds, scale \(short(setting.scale))"
  return ([heading] + text).joined(separator: "\n")
}

private func readable(_ value: Double?) -> String {
  guard let value, value.isFinite else { return "-" }
  if value < 1_000 { return short(value) }
  let digits = Array(String(Int(value.rounded())))
  var text = ""
  for (index, digit) in digits.enumerated() {
    if index > 0 && (digits.count - index) % 3 == 0 { text += "," }
    text.append(digit)
  }
  return text
}

/// Three significant figures or so, without trailing zeros.
func short(_ value: Double) -> String {
  var text = decimal(value, places: value.magnitude >= 100 ? 0 : value.magnitude >= 10 ? 1 : 2)
  if text.contains(".") {
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
  }
  return text
}

/// `value`, not negative, with exactly `places` decimal places.
private func decimal(_ value: Double, places: Int) -> String {
  var power = 1
  for _ in 0..<places { power *= 10 }
  let scaled = Int((value * Double(power)).rounded())
  if places == 0 { return "\(scaled)" }
  let fraction = String(scaled % power)
  return "\(scaled / power)." + String(repeating: "0", count: places - fraction.count) + fraction
}

extension String {
  fileprivate func trimmingEnd() -> String {
    var text = self
    while text.hasSuffix(" ") { text.removeLast() }
    return text
  }
}
