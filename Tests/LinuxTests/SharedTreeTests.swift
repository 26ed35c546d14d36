import Glibc
import TestSupport
import Testing

@testable import Linux

/// A directory tree that others write in, too, opened with what the kernel has for it and without.
struct SharedTreeTests {
  static let resolutions: [SharedTree.Resolution] = [.kernel, .parts]

  private struct Place {
    let home: TemporaryDirectory
    let root: Directory
    var path: String { home("tree") }

    init(_ resolution: SharedTree.Resolution) throws {
      home = try TemporaryDirectory()
      mkdir(home("tree"), 0o700)
      mkdir(home("outside"), 0o700)
      try Plain.write(home("outside") + "/secret", "secret")
      let tree = SharedTree(resolution: resolution) { _, isDirectory in isDirectory ? 0o3730 : 0o640 }
      root = try Directory(Directory(home("tree")), sharedAs: tree)
      try root.makeDirectory("a")
    }
  }

  private func code(_ body: () throws -> Void) -> CInt? {
    do {
      try body()
      return nil
    } catch { return (error as? SystemCallError)?.code }
  }

  @Test(arguments: resolutions)
  func `no call leaves it or follows a link at any part of a path`(resolution: SharedTree.Resolution) throws {
    let place = try Place(resolution)
    let root = place.root
    symlink(place.home("outside"), place.path + "/link")
    symlink(place.home("outside") + "/secret", place.path + "/a/link")
    try root.open("a/own", O_WRONLY | O_CREAT).close()
    let outward = ["link/secret", "a/../../outside/secret", "a/link", "/etc/passwd", "../outside/secret"]
    for path in outward {
      #expect(code { _ = try root.open(path, O_RDONLY) } != nil, "\(path)")
      #expect(code { _ = try root.readFileWithStatus(path, maximum: 100) } != nil, "\(path)")
    }
    #expect(try root.status("link/secret") == nil)
    #expect(try !root.list("link") { _ in })
    #expect(code { try root.rename("a/own", to: "link/own") } != nil)
    #expect(code { try root.rename("link/secret", to: "a/taken") } != nil)
    #expect(code { try root.link("link/secret", to: "a/taken") } != nil)
    #expect(code { try root.link("a/own", to: "link/own") } != nil)
    #expect(code { try root.unlink("link/secret") } != nil)
    #expect(code { try root.makeDirectory("link/new") } != nil)
    #expect(code { _ = try root.touch("link/secret") } != nil)
    #expect(code { _ = try root.exchangeIfPresent("a/own", "link/secret") } != nil)
    #expect(code { _ = try root.open("link/new", O_WRONLY | O_CREAT | O_TRUNC) } != nil)
    #expect(Plain.names(place.home("outside")) == ["secret"])
    #expect(try Plain.text(place.home("outside") + "/secret") == "secret")
  }

  @Test(arguments: resolutions)
  func `only regular files are read and written, and none that has another name`(
    resolution: SharedTree.Resolution
  ) throws {
    let place = try Place(resolution)
    let root = place.root
    mkfifo(place.path + "/a/fifo", 0o600)
    link(place.home("outside") + "/secret", place.path + "/a/linked")
    // That these return at all is half of it.
    #expect(code { _ = try root.open("a/fifo", O_RDONLY) } == EINVAL)
    #expect(code { _ = try root.open("a/fifo", O_WRONLY) } == ENXIO)
    #expect(code { _ = try root.open("a/linked", O_WRONLY | O_APPEND) } == EMLINK)
    // What is written anew is another file.
    let file = try root.open("a/linked", O_WRONLY | O_CREAT | O_TRUNC)
    try file.write(Array("new".utf8))
    #expect(try Plain.text(place.path + "/a/linked") == "new")
    #expect(try Plain.text(place.home("outside") + "/secret") == "secret")
  }

  @Test(arguments: resolutions)
  func `what is made has the tree's mode, whatever the umask`(resolution: SharedTree.Resolution) throws {
    let place = try Place(resolution)
    try place.root.open("a/file", O_WRONLY | O_CREAT | O_EXCL).close()
    try place.root.open("a/private", O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600).close()
    #expect(try place.root.status("a")?.mode == 0o3730)
    #expect(try place.root.status("a/file")?.mode == 0o640)
    #expect(try place.root.status("a/private")?.mode == 0o600)
  }

  @Test(arguments: resolutions)
  func `two names are swapped only while both are there`(resolution: SharedTree.Resolution) throws {
    let place = try Place(resolution)
    try Plain.write(place.path + "/a/one", "one")
    try Plain.write(place.path + "/a/two", "two")
    #expect(try place.root.exchangeIfPresent("a/one", "a/two"))
    #expect(try Plain.text(place.path + "/a/one") == "two" && Plain.text(place.path + "/a/two") == "one")
    #expect(try !place.root.exchangeIfPresent("a/one", "a/three"))
    #expect(try Plain.text(place.path + "/a/one") == "two")
    try place.root.writeLink("a/note", "1001")
    #expect(try place.root.readLink("a/note") == "1001")
    #expect(try place.root.readLink("a/one") == nil && place.root.readLink("a/none") == nil)
  }
}
