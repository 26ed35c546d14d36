import Glibc

/// A directory of its own for a test, removed with all that is in it when nobody has it any more.
public final class TemporaryDirectory: Sendable {
  public let path: String

  public init() throws {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(parent)/nanospool-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure(errno) }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit { Self.removeTree(path) }

  public static func removeTree(_ path: String) { removeTree(AT_FDCWD, path.utf8CString.map { $0 }) }

  /// Byte for byte, because some tests make names that are no text.
  private static func removeTree(_ parent: CInt, _ name: [CChar]) {
    let raw = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    guard raw != -1, let directory = fdopendir(raw) else {
      unlinkat(parent, name, 0)
      return
    }
    fchmod(raw, 0o700)
    while let entry = readdir(directory) {
      let text = Plain.name(of: entry)
      let name = Array(UnsafeBufferPointer(start: text, count: strlen(text) + 1))
      if name == [46, 0] || name == [46, 46, 0] { continue }
      removeTree(raw, name)
    }
    closedir(directory)
    unlinkat(parent, name, AT_REMOVEDIR)
  }

  public func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }
}

/// A system call that a test itself needed has failed.
public struct Failure: Error, CustomStringConvertible {
  public let description: String
  public init(_ code: CInt) { description = String(cString: strerror(code)) }
  public init(_ text: String) { description = text }
}

/// Plain file access, apart from the code that is tested.
public enum Plain {
  /// The processes that other tests start meanwhile don't get it: they would be writers that have it open.
  public static func write(_ path: String, _ bytes: some Collection<UInt8>, append: Bool = false) throws {
    let raw = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0o644)
    guard raw != -1 else { throw Failure(errno) }
    defer { close(raw) }
    let bytes = Array(bytes)
    guard Glibc.write(raw, bytes, bytes.count) == bytes.count else { throw Failure(errno) }
  }

  public static func write(_ path: String, _ text: String, append: Bool = false) throws {
    try write(path, Array(text.utf8), append: append)
  }

  public static func read(_ path: String) throws -> [UInt8] {
    let raw = open(path, O_RDONLY | O_CLOEXEC)
    guard raw != -1 else { throw Failure("\(path): \(Failure(errno))") }
    defer { close(raw) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = Glibc.read(raw, &buffer, buffer.count)
      guard count >= 0 else { throw Failure(errno) }
      if count == 0 { return bytes }
      bytes += buffer[..<count]
    }
  }

  public static func text(_ path: String) throws -> String { String(decoding: try read(path), as: UTF8.self) }

  /// Sorted; empty when there is no such directory.
  public static func names(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = String(cString: name(of: entry))
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// In place: copied as the 256 bytes that it is declared with, it would be read past the end of what readdir(3) gave.
  static func name(of entry: UnsafeMutablePointer<dirent>) -> UnsafePointer<CChar> {
    (UnsafeRawPointer(entry) + MemoryLayout<dirent>.offset(of: \.d_name)!).assumingMemoryBound(to: CChar.self)
  }

  public static func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  public static func size(_ path: String) -> Int? {
    var status = stat()
    return lstat(path, &status) == 0 ? Int(status.st_size) : nil
  }
}
