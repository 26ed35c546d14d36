import Linux
import SpoolFormat

/// What the doctor looks for in the directories of the log: segments that are gone, and what is none.
extension Doctor {
  func examineSegments(_ repairing: Bool, _ report: inout RecoveryReport) throws {
    let files = LogFiles(root: spool.root)
    let removed = try Forgotten(in: spool.root).removed
    for host in try files.hosts() {
      let segments = Set(try files.segments(of: host))
      for other in try files.names(of: host) where !segments.contains(other) {
        guard try spool.root.status(other.path) != nil else { continue }
        report.add(other.path, "is no regular file, where a segment of the log should be", "left: move it away by hand")
      }
      let noted = Set(
        String(
          decoding: (try? spool.root.readFile(Layout.lostSegments(of: host), maximum: 1 << 20)) ?? [], as: UTF8.self
        )
        .split(separator: "\n").map(String.init))
      let lost = try needed(host, files).subtracting(segments).subtracting(removed).filter {
        !noted.contains($0.start.compact)
      }
      for segment in lost.sorted(by: { $0.start < $1.start }) {
        report.add(
          segment.path, "is missing: what was logged in it is lost",
          "noted, and not told again: get it from a backup, if there is one")
      }
      guard repairing, !lost.isEmpty else { continue }
      let text = (noted + lost.map(\.start.compact)).sorted().map { $0 + "\n" }.joined()
      // In another user's part it is for him to note.
      _ = try? spool.replace(Layout.lostSegments(of: host), with: Array(text.utf8))
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
