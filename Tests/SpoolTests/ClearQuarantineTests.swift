import Glibc
import TestSupport
import Testing

@testable import Spool

@Suite struct ClearQuarantineTests {
  @Test func `whatever was set aside goes, and a reason whose file is gone`() throws {
    let fixture = try Fixture("coder")
    let quarantine = "\(fixture.path)/quarantine"
    #expect(symlink("/nowhere", "\(quarantine)/link.json") == 0 && mkfifo("\(quarantine)/fifo.json", 0o600) == 0)
    #expect(mkdir("\(quarantine)/directory.json", 0o755) == 0)
    for name in ["link", "fifo", "directory", "gone"] { try Plain.write("\(quarantine)/\(name).json.reason", "{}") }
    #expect(try fixture.spool.clearQuarantine(olderThan: 3600) == 0)
    #expect(try fixture.spool.clearQuarantine(olderThan: 0, dryRun: true) == 2)
    #expect(Plain.names(quarantine).count == 7)
    #expect(try fixture.spool.clearQuarantine(olderThan: 0) == 2)
    #expect(Plain.names(quarantine) == ["directory.json", "directory.json.reason"])
  }
}
