import Glibc
import Linux
import SpoolFormat
import TestSupport
import Testing

@testable import Spool

/// What tests of recovery need of a spool.
extension Fixture {
  /// Makes it look as if the machine had been started again since: the boot's id is in the shared page.
  private func reboot() { setBoot(String(repeating: "0", count: 32)) }

  /// Has the shared page belong to another boot.
  /// - Parameter part: the log's part; nil for this process's.
  func setBoot(_ boot: String, of part: String? = nil) {
    let raw = open("\(path)/log/\(part ?? spool.part)/commit", O_WRONLY)
    #expect(pwrite(raw, boot, 32, 16) == 32)
    close(raw)
  }

  /// After a power cut, as far as one can be had.
  func rebooted() throws -> Spool {
    reboot()
    return try Spool(at: path)
  }

  /// Every file that isn't the log's own, and its bytes.
  func files(_ below: String = "bots") -> [String: [UInt8]] {
    var found: [String: [UInt8]] = [:]
    for name in Plain.names("\(path)/\(below)") {
      let inner = "\(below)/\(name)"
      if let bytes = try? Plain.read("\(path)/\(inner)") {
        found[inner] = bytes
      } else {
        found.merge(files(inner)) { first, _ in first }
      }
    }
    return found
  }

  func lastSegment() throws -> String {
    path + "/" + (try #require(try LogFiles(root: Directory(path)).allSegments().last).path)
  }

  /// A spool in which something of every kind has happened.
  static func eventful() throws -> Fixture {
    let fixture = try Fixture("a", "b", "c")
    try fixture.send("waiting", to: "a")
    try fixture.send("to all", to: "team")
    try fixture.send("later", to: "a") {
      $0.notBefore = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: 3600)
    }
    for number in 0..<6 { try fixture.send("\(number)", to: "b") { $0.priority = Priority(value: 10) } }
    let inbox = try fixture.inbox("b")
    let claims = try (0..<6).map { _ in try #require(try inbox.claim()) }
    try fixture.spool.ack(claims[0].bot, claims[0].name)
    try fixture.spool.ack(claims[1].bot, claims[1].name)
    try fixture.spool.nack(claims[2].bot, claims[2].name)
    try fixture.spool.nack(claims[3].bot, claims[3].name, delay: 3600)
    try fixture.spool.bury(claims[4].bot, claims[4].name, reason: "no use")
    try Plain.write(fixture.box("inbox", of: "c") + "/x.json", "{ \"content\" : \"dropped\", \"n\": 1.50 }\n")
    _ = try fixture.inbox("c").claim()
    return fixture
  }
}
