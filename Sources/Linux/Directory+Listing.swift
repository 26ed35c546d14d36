import CLinux
import Glibc

/// What is in a directory.
extension Directory {
  /// Calls `body` with each name but `.` and `..`, in no order. The name is valid during the call only.
  /// False when there is no such directory. Cost: one open, and one getdents64(2) for each 32 KiB of names.
  @discardableResult
  public func list(_ name: String, _ body: (UnsafeBufferPointer<UInt8>) -> Void) throws(SystemCallError) -> Bool {
    try scan(name) {
      body($0)
      return true
    }
  }

  /// As `list`; returns which directory it was, nil when there is no such directory. Asking that of the name would be another
  /// question to the server of shared storage.
  public func listInode(
    _ name: String, _ body: (UnsafeBufferPointer<UInt8>) -> Void
  ) throws(SystemCallError) -> UInt64? {
    guard let directory = try openedToList(name) else { return nil }
    let isThere = try scan(directory, name) {
      body($0)
      return true
    }
    do throws(SystemCallError) { return isThere ? try directory.status().inode : nil } catch {
      if isRemote, error.code == ESTALE { return nil }
      throw error
    }
  }

  /// As `list`, until `body` returns false.
  @discardableResult
  public func scan(_ name: String, _ body: (UnsafeBufferPointer<UInt8>) -> Bool) throws(SystemCallError) -> Bool {
    guard let directory = try openedToList(name) else { return false }
    return try scan(directory, name, body)
  }

  private func openedToList(_ name: String) throws(SystemCallError) -> Descriptor? {
    do { return try open(name, O_RDONLY | O_DIRECTORY) } catch {
      if error.code == ENOENT || error.code == ENOTDIR { return nil }
      if tree != nil, SharedTree.isHidden(error.code) { return nil }
      throw error
    }
  }

  private func scan(
    _ directory: borrowing Descriptor, _ name: String, _ body: (UnsafeBufferPointer<UInt8>) -> Bool
  ) throws(SystemCallError) -> Bool {
    let raw = directory.raw
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 32768, alignment: 8)
    defer { buffer.deallocate() }
    while true {
      let filled: Int
      do throws(SystemCallError) {
        filled = try systemCall("getdents64", name) { clinux_getdents64(raw, buffer.baseAddress, buffer.count) }
      } catch {
        // It was removed meanwhile, here or by another host.
        if error.code == ENOENT || isRemote && error.code == ESTALE { return false }
        throw error
      }
      if filled == 0 { return true }
      var offset = 0
      while offset < filled {
        // struct linux_dirent64: inode 8, offset 8, record length 2, type 1, name.
        let length = Int(buffer.load(fromByteOffset: offset + 16, as: UInt16.self))
        let start = buffer.baseAddress!.advanced(by: offset + 19).assumingMemoryBound(to: UInt8.self)
        let count = strlen(UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self))
        offset += length
        if start[0] == UInt8(ascii: "."), count == 1 || (count == 2 && start[1] == UInt8(ascii: ".")) { continue }
        if !body(UnsafeBufferPointer(start: start, count: count)) { return true }
      }
    }
  }

  /// The names in a directory, sorted by their bytes; empty when there is no such directory.
  public func names(_ name: String) throws(SystemCallError) -> [String] {
    var names: [String] = []
    try list(name) { names.append(String(decoding: $0, as: UTF8.self)) }
    return names.sorted { $0.precedesByBytes($1) }
  }
}

extension String {
  /// Whether its bytes sort before the other's. (`<` compares characters; the sequences of bytes themselves are compared
  /// one by one.) C: memcmp(3).
  fileprivate func precedesByBytes(_ other: String) -> Bool {
    let order = utf8.withContiguousStorageIfAvailable { left in
      other.utf8.withContiguousStorageIfAvailable { right in
        let order = memcmp(left.baseAddress!, right.baseAddress!, min(left.count, right.count))
        return order == 0 ? left.count - right.count : Int(order)
      }
    }
    guard let order = order ?? nil else { return utf8.lexicographicallyPrecedes(other.utf8) }
    return order < 0
  }
}
