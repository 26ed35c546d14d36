import CLinux
import Glibc

/// On a file system that other hosts change, too, this host remembers what it was told: that there is no such file (for up
/// to a minute), where a name leads, when a file was modified. And an answer may be lost after what was asked for was done;
/// the kernel asks again, and is told that there is nothing to do it to. So nothing is believed here that matters and may
/// be out of date, at the cost of one question more to the server.
extension Directory {
  static let triesMax = 4

  /// Has the kernel ask anew what the directory of `name` holds: opening a directory is what makes it do so.
  /// C: openat(2) with O_DIRECTORY.
  public func forget(_ name: String) {
    var parent = Array(name.utf8)
    while let last = parent.popLast(), last != UInt8(ascii: "/") {}
    if opens(parent.isEmpty ? "." : String(decoding: parent, as: UTF8.self)) { return }
    // Perhaps it is remembered that there is no such directory.
    var prefix: [UInt8] = []
    for part in parent.split(separator: UInt8(ascii: "/")) {
      _ = opens(prefix.isEmpty ? "." : String(decoding: prefix, as: UTF8.self))
      prefix += (prefix.isEmpty ? [] : [UInt8(ascii: "/")]) + Array(part)
    }
    _ = opens(String(decoding: prefix, as: UTF8.self))
  }

  private func opens(_ name: String) -> Bool {
    let opened = clinux_openat(raw, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0)
    if opened == -1 { return false }
    _ = Glibc.close(opened)
    return true
  }

  /// Does something that needs what is at the path: what isn't there as far as this host remembers is asked for once more,
  /// and what was replaced meanwhile (ESTALE) is looked up again.
  /// - Parameter isMade: it need not be there.
  func insisting<Result: ~Copyable>(
    on name: String, isMade: Bool = false, _ body: () throws(SystemCallError) -> Result
  ) throws(SystemCallError) -> Result {
    var tries = 1
    var wasMissing = isMade
    while true {
      do throws(SystemCallError) { return try body() } catch {
        switch error.code {
        case ENOENT where !wasMissing: wasMissing = true
        case ESTALE where tries < Self.triesMax: break
        default: throw error
        }
        tries += 1
        forget(name)
      }
    }
  }

  /// C: statx(2) with AT_STATX_FORCE_SYNC.
  func statusAnew(_ name: String) throws(SystemCallError) -> FileStatus? {
    do throws(SystemCallError) {
      return try insisting(on: name) { () throws(SystemCallError) in
        var status = stat()
        try within(name) { (parent, last) throws(SystemCallError) in
          _ = try systemCall("statx", name) { clinux_status_anew(parent, last, &status) }
        }
        return FileStatus(status)
      }
    } catch {
      if error.code == ENOENT || error.code == ENOTDIR { return nil }
      if tree != nil, SharedTree.isHidden(error.code) { return nil }
      throw error
    }
  }

  /// A question that was asked again, because its answer was lost, took longer than this. What was quicker lost a race.
  private static let repeatNanosecondsMin = 20_000_000

  /// An error that took its time is believed only when the file isn't where it was to go. Of two that move the same file to
  /// the same name, both may be told that they did.
  func renameRemote(_ old: String, to new: String) throws(SystemCallError) {
    // As it is remembered: the rename asks the server in any case.
    let before = (try? statusAsKnown(old)) ?? nil
    var tries = 1
    while true {
      let began = Clock.sinceBoot()
      do throws(SystemCallError) { return try rename(once: old, to: new) } catch {
        let isLate = error.code != ENOENT || Clock.sinceBoot() - began > Self.repeatNanosecondsMin
        let isThere = isLate && ((try? status(new)) ?? nil).map { $0.inode == before?.inode } ?? false
        if isThere, !isPerhapsThere(old) { return }
        // Remembered as missing, or as another file than it is by now.
        guard error.code == ESTALE || (error.code == ENOENT && before == nil), tries < Self.triesMax else {
          throw error
        }
        if error.code == ENOENT { tries = Self.triesMax }
        tries += 1
        forget(old)
      }
    }
  }

  private func isPerhapsThere(_ name: String) -> Bool {
    do { return try status(name) != nil } catch { return true }
  }

  /// Another host may put another file in its place while it is read.
  func rereading<Result>(_ read: () throws(SystemCallError) -> Result) throws(SystemCallError) -> Result {
    guard isRemote else { return try read() }
    var failure: SystemCallError?
    for _ in 0..<Self.triesMax {
      do throws(SystemCallError) { return try read() } catch {
        guard error.code == ESTALE else { throw error }
        failure = error
      }
    }
    throw failure!
  }

  /// That the name is taken is believed only when it isn't by the same file.
  func linkRemote(_ old: String, to new: String) throws(SystemCallError) {
    do throws(SystemCallError) {
      try insisting(on: old) { () throws(SystemCallError) in try link(once: old, to: new) }
    } catch {
      guard let file = (try? status(old)) ?? nil, let there = (try? status(new)) ?? nil, file.inode == there.inode
      else {
        throw error
      }
    }
  }
}
