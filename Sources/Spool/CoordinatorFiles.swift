import Glibc
import Linux
import SpoolFormat

/// Files below `coordinator/`, which a coordinator keeps and a person may read.
extension Spool {
  /// The most that is read of one.
  private static let coordinatorFileBytesMax = 64 << 20

  /// What a file says; nil when it isn't there.
  public func readCoordinatorFile(_ name: String) throws -> [UInt8]? {
    try doing("cannot read \(Layout.coordinator(name))") {
      try root.readFile(Layout.coordinator(name), maximum: Self.coordinatorFileBytesMax)
    }
  }

  /// Writes a file whole, in place of what was there.
  public func writeCoordinatorFile(_ name: String, _ bytes: [UInt8]) throws {
    try doing("cannot write \(Layout.coordinator(name))") {
      do throws(SystemCallError) { try replace(Layout.coordinator(name), with: bytes) } catch {
        guard error.code == ENOENT else { throw error }
        try root.makeDirectory(Layout.coordinator)
        try replace(Layout.coordinator(name), with: bytes)
      }
    }
  }

  /// Puts lines at the end of a file; they stay whole among those of others.
  /// - Parameter kept: once the file has twice as many bytes, the lines of the last of them are all that stays.
  public func appendToCoordinatorFile(
    _ directory: String, _ name: String, _ bytes: [UInt8], keepingLast kept: Int
  ) throws {
    let path = "\(Layout.coordinator(directory))/\(name)"
    try doing("cannot write \(path)") {
      try root.makeDirectory(Layout.coordinator)
      try root.makeDirectory(Layout.coordinator(directory))
      let file = try root.open(path, O_RDWR | O_CREAT | O_APPEND)
      let before = try file.status().size
      // What was cut short on a full disk is a line by itself.
      let isTorn = try before > 0 && file.read(at: before - 1, count: 1) != [10]
      try file.write((isTorn ? [10] : []) + bytes)
      let size = try file.status().size
      guard size > 2 * kept else { return try file.close() }
      let last = try file.read(at: size - kept, count: kept)
      try file.close()
      try replace(path, with: last.drop { $0 != 10 }.dropFirst().map { $0 })
    }
  }

  /// The names in a directory below `coordinator/`, sorted.
  public func coordinatorFiles(in directory: String) throws -> [String] {
    try doing("cannot list \(Layout.coordinator(directory))") { try root.names(Layout.coordinator(directory)) }
  }
}
