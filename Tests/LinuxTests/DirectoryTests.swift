import Glibc
import TestSupport
import Testing

@testable import Linux

@Suite struct DirectoryTests {
  private let home: TemporaryDirectory
  private let directory: Directory

  init() throws {
    home = try TemporaryDirectory()
    directory = try Directory(home.path)
  }

  @Test func `losing a race for a file is a result`() throws {
    try Plain.write(home("a"), "1")
    #expect(try directory.renameIfPresent("a", to: "b"))
    #expect(try !directory.renameIfPresent("a", to: "b"))
    #expect(try !directory.renameIfPresent(in: ".", Array("a".utf8), to: "b"))
    #expect(try directory.unlinkIfPresent("b"))
    #expect(try !directory.unlinkIfPresent("b"))
    #expect(try !directory.touch("b"))
    #expect(try directory.openIfPresent("b", O_RDONLY) == nil)
    #expect(try directory.readFile("b", maximum: 10) == nil)
    // What is no lost race is an error.
    try Plain.write(home("file"), "1")
    #expect(throws: SystemCallError.self) { try directory.renameIfPresent("file/x", to: "b") }
  }

  @Test func `names come sorted by their bytes, each once, however many`() throws {
    try directory.makeDirectory("many")
    try directory.makeDirectory("many")
    var wanted: [String] = []
    for number in 0..<3000 {
      let name = String(number * 7919 % 3000, radix: 36) + String(repeating: "x", count: number % 50)
      wanted.append("\(number)-\(name)")
      try directory.open("many/\(number)-\(name)", O_WRONLY | O_CREAT | O_EXCL).close()
    }
    wanted.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    #expect(try directory.names("many") == wanted)
    #expect(try directory.names("none").isEmpty)
    #expect(try !directory.list("none") { _ in })
    try Plain.write(home("file"), "x")
    #expect(try !directory.list("file") { _ in })
    try Plain.write(home(".hidden"), "x")
    try Plain.write(home("..x"), "x")
    #expect(try directory.names(".") == ["..x", ".hidden", "file", "many"])
  }

  @Test func `a name may be any bytes`() throws {
    let name: [UInt8] = [0xff, 0xfe, UInt8(ascii: "x")]
    let path = (Array((home.path + "/").utf8) + name + [0]).map { CChar(bitPattern: $0) }
    let raw = creat(path, 0o600)
    // Some file systems take UTF-8 only.
    guard raw != -1 else { return }
    close(raw)
    var found: [[UInt8]] = []
    try directory.list(".") { found.append(Array($0)) }
    #expect(found == [name])
    #expect(try directory.renameIfPresent(in: ".", name, to: "plain"))
    #expect(try directory.names(".") == ["plain"])
  }

  @Test func `a symbolic link is not followed`() throws {
    try Plain.write(home("target"), "secret")
    #expect(symlink("target", home("link")) == 0)
    let error = #expect(throws: SystemCallError.self) { _ = try directory.open("link", O_RDONLY) }
    #expect(error?.code == ELOOP)
    #expect(throws: SystemCallError.self) { try directory.readFile("link", maximum: 100) }
  }

  @Test func `only a regular file of bounded size is read, and nothing blocks`() throws {
    try Plain.write(home("ten"), "0123456789")
    #expect(try directory.readFile("ten", maximum: 10)?.count == 10)
    #expect(#expect(throws: SystemCallError.self) { try directory.readFile("ten", maximum: 9) }?.code == EFBIG)
    #expect(mkfifo(home("fifo"), 0o600) == 0)
    #expect(#expect(throws: SystemCallError.self) { try directory.readFile("fifo", maximum: 9) }?.code == EINVAL)
    #expect(#expect(throws: SystemCallError.self) { try directory.readFile(".", maximum: 9) }?.code == EINVAL)
    #expect(truncate(home("ten"), 10 << 30) == 0)
    #expect(#expect(throws: SystemCallError.self) { try directory.readFile("ten", maximum: 9) }?.code == EFBIG)
  }

  @Test func `a directory that is moved stays the same one`() throws {
    try directory.makeDirectory("old")
    let inner = try Directory(home("old"))
    try directory.rename("old", to: "new")
    try inner.open("file", O_WRONLY | O_CREAT).close()
    #expect(Plain.names(home("new")) == ["file"])
    #expect(try inner.status().inode == directory.status("new")?.inode)
  }

  @Test(arguments: [3, 20]) func `of many links each one that can't be made is told`(count: Int) throws {
    try directory.makeDirectory("from")
    try Plain.write(home("from/file"), "x")
    let names = (0..<count).map { "to/\($0)/file" }
    try directory.makeDirectory("to")
    for number in 1..<count { try directory.makeDirectory("to/\(number)") }
    try Plain.write(home("to/2/file"), "another")
    var failed: [Int: CInt] = [:]
    directory.link("from/file", toEach: names) { failed[$0] = $1.code }
    #expect(failed == [0: ENOENT, 2: EEXIST])
    let inode = try directory.status("from/file")?.inode
    for number in 1..<count where number != 2 { #expect(try directory.status(names[number])?.inode == inode) }
    var missing = 0
    directory.link("from/none", toEach: names) { _, error in missing += error.code == ENOENT ? 1 : 0 }
    #expect(missing == count)
  }

  @Test func `touching changes the time and nothing else`() throws {
    try Plain.write(home("a"), "x")
    var times = [timespec(tv_sec: 1000, tv_nsec: 0), timespec(tv_sec: 1000, tv_nsec: 0)]
    #expect(utimensat(AT_FDCWD, home("a"), &times, 0) == 0)
    #expect(try directory.status("a")?.modified == 1_000_000_000_000)
    #expect(try directory.touch("a"))
    #expect(try directory.status("a")!.modified > 1_000_000_000_000)
    #expect(try Plain.text(home("a")) == "x")
  }

  @Test func `the file system has a name, and its kind is known for the usual ones`() throws {
    #expect(try !directory.fileSystem().name.isEmpty)
    #expect(FileSystem(type: 0xEF53).name == "ext4")
    #expect(FileSystem(type: 0x6969).isNetwork)
    #expect(!FileSystem(type: 0x0102_1994).isNetwork)
    #expect(FileSystem(type: 0x1234).name == "unknown (0x1234)")
    try directory.syncFileSystem()
  }
}
