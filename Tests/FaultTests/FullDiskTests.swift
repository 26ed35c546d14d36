import Foundation
import Glibc
import Spool
import SpoolFormat
import TestSupport
import TestThreads
import Testing

/// A file system of its own, small, in memory: only root can have one.
private struct SmallDisk {
  let path: String

  init?(_ path: String, _ options: String) throws {
    self.path = path
    try Scratch.makeDirectory(path)
    guard mount("tmpfs", path, "tmpfs", 0, options) == 0 else { return nil }
  }

  func remove() { umount2(path, CInt(MNT_DETACH)) }

  static let isPossible: Bool = {
    guard geteuid() == 0, let scratch = try? Scratch(), let disk = try? SmallDisk(scratch.path, "size=64k") else {
      return false
    }
    disk.remove()
    return true
  }()
}

@Suite(.waiting, .serialized, .enabled(if: SmallDisk.isPossible, "needs root, and the right to mount"))
struct FullDiskTests {
  @Test func `a full disk refuses what is new, finishes what is old, and goes on when there is room again`() throws {
    try fill(options: "size=1m", with: "ballast") { disk in
      let file = open("\(disk)/ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
      defer { close(file) }
      let block = [UInt8](repeating: 0, count: 4096)
      while write(file, block, block.count) > 0 {}
    }
  }

  @Test func `a disk without inodes refuses what is new, finishes what is old, and goes on`() throws {
    try fill(options: "size=8m,nr_inodes=60", with: "ballast") { disk in
      try Scratch.makeDirectory("\(disk)/ballast")
      var number = 0
      while true {
        let file = open("\(disk)/ballast/\(number)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        if file == -1 { break }
        close(file)
        number += 1
      }
    }
  }

  @Test func `a process that has a spool open refuses, receives and acks on a full disk, and sends again when it can`()
    throws
  {
    var random = SeededGenerator()
    print("seed \(random.seed)")
    let scratch = try Scratch()
    let disk = try #require(try SmallDisk("\(scratch.path)/disk", "size=2m"))
    defer { disk.remove() }
    let path = try scratch.makeSpool("disk/spool", bots: ["a"], settings: ["segment_bytes_max": 65536])
    let spool = try Spool(at: path)
    let bot = try spool.bot(named: "a")
    let inbox = try Inbox(spool, bot)
    let ballast = open("\(disk.path)/ballast", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    defer { close(ballast) }
    let block = [UInt8](repeating: 0, count: 4096)
    func fill() { while write(ballast, block, block.count) > 0 {} }
    func send() throws -> String {
      var message = Message(content: String(repeating: "x", count: .random(in: 0...9000, using: &random)))
      message.to = ["a"]
      return try spool.send(message).description
    }
    var (sent, acked): ([String], Set<String>) = ([], [])
    var (refused, settled) = (0, 0)
    for _ in 0..<20 { sent.append(try send()) }
    for round in 0..<60 {
      fill()
      // Up to so many pages of room, in which something may be written by half.
      let size = lseek(ballast, 0, SEEK_END) - off_t(4096 * Int.random(in: 0...5, using: &random))
      try #require(ftruncate(ballast, size) == 0)
      lseek(ballast, 0, SEEK_END)
      for _ in 0..<4 {
        do { sent.append(try send()) } catch let error as SpoolError {
          #expect(error.code == .tryAgain, "round \(round): \(error)")
          refused += 1
        }
      }
      fill()
      if let claim = try inbox.claim() {
        try spool.ack(bot, claim.name)
        acked.insert(claim.name.id.description)
        settled += 1
      }
      let reader = SpoolReader(path)
      #expect(reader.tornBytes == 0, "round \(round): half a line")
      let found = reader.violations(settled: true)
      // An ack goes on without its line where there is no room for one.
      let real = found.filter { text in !acked.contains { text.contains($0) } }
      #expect(real.isEmpty, "round \(round): \(real)")
      let there = Set(reader.entries("a", "inbox").compactMap(\.id))
      #expect(Set(sent) == there.union(acked), "round \(round): what was sent is not what is there")
    }
    #expect(refused > 40 && settled > 20, "only \(refused) refused, \(settled) settled")
    try #require(ftruncate(ballast, 0) == 0)
    sent.append(try send())
    while let claim = try inbox.claim() {
      try spool.ack(bot, claim.name)
      acked.insert(claim.name.id.description)
    }
    #expect(acked == Set(sent), "not everything came when there was room")
    #expect(SpoolReader(path).tornBytes == 0)
    print("\(sent.count) sent and acked, \(refused) refused for want of room")
  }

  @Test func `on a full disk gc needs room for nothing but what it writes down of what goes`() throws {
    let scratch = try Scratch()
    let disk = try #require(try SmallDisk("\(scratch.path)/disk", "size=2m"))
    defer { disk.remove() }
    let path = try scratch.makeSpool("disk/spool", bots: ["a"], settings: ["segment_bytes_max": 4096])
    let log = "\(path)/log/\(Spool.currentHost())"
    func segments() -> [String] { Scratch.names(log).filter { $0.hasSuffix(".jsonl") } }
    func fill(segments wanted: Int) throws {
      let spool = try Spool(at: path)
      let inbox = try Inbox(spool, spool.bot(named: "a"))
      while segments().count < wanted {
        var message = Message(content: String(repeating: "x", count: 300))
        message.to = ["a"]
        try spool.send(message)
        while let claim = try inbox.claim() { try spool.ack(claim.bot, claim.name) }
      }
    }
    try fill(segments: 6)
    #expect(try SpoolCommand.run(["gc", "--older-than", "30d"], in: path).isDone)
    // The checkpoint and the records are older than these.
    try fill(segments: 8)
    let checkpoint = Scratch.text("\(log)/checkpoint")
    try Scratch.write(String(repeating: "x", count: 9000), to: "\(path)/quarantine/old.json")
    let ballast = open("\(disk.path)/ballast", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    defer { close(ballast) }
    let block = [UInt8](repeating: 0, count: 4096)
    while write(ballast, block, block.count) > 0 {}
    let before = segments()
    let dry = try SpoolCommand.run(["gc", "--older-than", "0s", "--dry-run"], in: path)
    #expect(dry.isDone && dry.output.contains("6 segments of "), "\(dry)")
    let refused = try SpoolCommand.run(["gc", "--older-than", "0s"], in: path)
    #expect(refused.status == 75 && refused.error.contains("log/.gc"), "\(refused)")
    #expect(refused.error.contains("make room for ") && SpoolMessage.isOneLine(refused.error), "\(refused)")
    #expect(segments() == before && Scratch.text("\(log)/checkpoint") == checkpoint)
    let done = try SpoolCommand.run(["gc", "--older-than", "0s", "--quarantine", "0s"], in: path)
    #expect(done.isDone && segments().count < before.count, "\(done)")
    #expect(try SpoolCommand.run(["doctor", "--repair"], in: path).isDone)
  }

  private func fill(options: String, with ballast: String, _ fill: (String) throws -> Void) throws {
    let scratch = try Scratch()
    let disk = try #require(try SmallDisk("\(scratch.path)/disk", options))
    defer { disk.remove() }
    try FileManager.default.removeItem(atPath: try scratch.makeSpool("disk/spool", bots: ["a", "b"]) + "/keys")
    let spool = "\(disk.path)/spool"
    for number in 0..<6 { #expect(try SpoolCommand.run(["send", "a", "before \(number)"], in: spool).isDone) }
    try fill(disk.path)
    let said = try SpoolCommand.run(["doctor"], in: spool).output
    #expect(said.contains("the disk is full: no "), "\(said)")
    let before = SpoolReader(spool)
    for arguments in [["send", "a", "no"], ["send", "team", "no"], ["send", "b", "no", "--key", "k"]] {
      let long = arguments.map { $0 == "no" ? "no" + String(repeating: " no", count: 3000) : $0 }
      let outcome = try SpoolCommand.run(long, in: spool)
      #expect(outcome.status == 75 && SpoolMessage.isOneLine(outcome.error), "\(arguments): \(outcome)")
      #expect(outcome.error.contains("make room"), "\(arguments): \(outcome)")
    }
    let after = SpoolReader(spool)
    #expect(after.sent.count == before.sent.count && after.entries.count == before.entries.count, "something was sent")
    #expect(after.violations(settled: true).isEmpty, "\(after.violations(settled: true))")
    for number in 0..<3 {
      let outcome = try SpoolCommand.run(["receive", "a", "--json"], in: spool)
      #expect(outcome.isDone && outcome.output.contains("before \(number)"), "\(outcome)")
      let claim = String(try #require(outcome.output.firstMatch(of: #/"claim":"([^"]+)"/#)).output.1)
      #expect(try SpoolCommand.run(["ack", claim], in: spool).isDone)
    }
    try FileManager.default.removeItem(atPath: "\(disk.path)/\(ballast)")
    #expect(try SpoolCommand.run(["send", "b", "there is room again", "--key", "k"], in: spool).isDone)
    #expect(try SpoolCommand.run(["receive", "b", "--ack"], in: spool).line == "there is room again")
    let repair = try SpoolCommand.run(["doctor", "--repair"], in: spool)
    #expect(repair.isDone, "\(repair)")
    let reader = SpoolReader(spool)
    #expect(reader.violations(settled: true).isEmpty, "\(reader.violations(settled: true))")
    #expect(
      reader.entries("a", "inbox").compactMap { $0.message?["content"] as? String } == [
        "before 3", "before 4", "before 5",
      ])
    #expect(reader.tornBytes == 0)
  }
}
