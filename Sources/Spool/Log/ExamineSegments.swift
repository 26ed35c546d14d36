import Linux
import SpoolFormat

/// What the doctor looks for in the directories of the log: segments that are gone, what is none, and damage in them. What
/// is lost is told once.
extension Doctor {
  func examineLostSegments(_ repairing: Bool, _ report: inout RecoveryReport) throws {
    let files = LogFiles(root: spool.root)
    for host in try files.hosts() {
      // In this order: a segment that is begun meanwhile, or collected, isn't lost.
      let needed = try needed(host, files)
      let names = try files.names(of: host)
      let segments = Set(try files.segments(of: host))
      let removed = try Forgotten(in: spool.root).removed
      for other in names where !segments.contains(other) {
        guard try spool.root.status(other.path) != nil else { continue }
        report.add(other.path, "is no regular file, where a segment of the log should be", left: "move it away by hand")
      }
      let lost = needed.subtracting(segments).subtracting(removed).sorted { $0.start < $1.start }
      tell(
        lost.map { ($0.start.compact, $0, "is missing: what was logged in it is lost") }, of: host,
        cure: "get it from a backup, if there is one", repairing, &report)
    }
  }

  /// What stands in the log and is no event, as recovery came by it.
  func examineDamage(_ repairing: Bool, _ report: inout RecoveryReport) {
    for (host, stretches) in Dictionary(grouping: report.damaged, by: \.position.segment.host) {
      tell(
        stretches.map { place, count in
          let problem = "has \(count) bytes from byte \(place.offset) on that are no event, or damaged"
          return ("\(place.segment.start.compact) \(place.offset)", place.segment, problem)
        }, of: host, cure: "the lines around them count", repairing, &report)
    }
  }

  /// Tells of what is lost of a host's log, but for what was noted before, and notes it.
  private func tell(
    _ losses: [(name: String, segment: LogFiles.Segment, problem: String)], of host: String, cure: String,
    _ repairing: Bool, _ report: inout RecoveryReport
  ) {
    let path = Layout.lost(of: host)
    let text = (try? spool.root.readFile(path, maximum: 64 << 20)) ?? nil
    let noted = Set(String(decoding: text ?? [], as: UTF8.self).split(separator: "\n").map(String.init))
    let new = losses.filter { !noted.contains($0.name) }
    if new.isEmpty { return }
    var isNoted = true
    if repairing {
      let all = noted.union(new.map(\.name)).sorted().map { $0 + "\n" }.joined()
      // In another user's part it is for him to note.
      do { try spool.replace(path, with: Array(all.utf8)) } catch { isNoted = false }
    }
    for loss in new {
      if isNoted {
        report.add(loss.segment.path, loss.problem, "noted, and not told again: \(cure)")
      } else {
        report.add(loss.segment.path, loss.problem, left: "it can't be noted in \(path); \(cure)")
      }
    }
  }

  /// The segments that there must be: those that others name as the ones before them, the one from which recovery reads,
  /// and the one that is appended to.
  private func needed(_ host: String, _ files: LogFiles) throws -> Set<LogFiles.Segment> {
    var needed: Set<LogFiles.Segment> = []
    for segment in try files.segments(of: host) {
      needed.formUnion(try files.predecessors(of: segment))
    }
    if let start = try files.checkpoint(of: host) {
      needed.insert(LogFiles.Segment(host: host, start: start))
    }
    if host == spool.part, let page = try? spool.log.page, page.segmentEnd > 0 {
      needed.insert(LogFiles.Segment(host: host, start: page.segmentStart))
    }
    return needed
  }
}
