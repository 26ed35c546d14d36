#if DEBUG
  import Foundation
  import Glibc
  import Spool
  import SpoolFormat
  import TestSupport
  import Testing

  /// A log that was damaged, found by those who have the spool open and by the first after a reboot: what can be read
  /// stays, what is in files is not lost, the doctor says so, and everything goes on.
  @Suite struct LogDamageTests {
    struct Damage: Sendable, CustomTestStringConvertible {
      let testDescription: String
      /// How often, with other random choices each time.
      var times = 1
      /// Lines that it may cost.
      var linesMax = 0
      /// Whether anybody can know of it.
      var isReported = true
      /// Damages the segment, of which there are several; or something in the directory of the host's log.
      let make: @Sendable (_ directory: String, _ segment: String, inout SeededGenerator) throws -> Void

      static let all = [
        Damage(testDescription: "half a line at the end") { _, segment, _ in
          try append(segment, Array(#"{"specversion":"1.0","id":"9","source":"/x"#.utf8))
        },
        Damage(testDescription: "zeros at the end") { _, segment, _ in
          try append(segment, Array(repeating: 0, count: 777))
        },
        Damage(testDescription: "spaces at the end", isReported: false) { _, segment, _ in
          try append(segment, Array(repeating: 32, count: 70_000))
        },
        Damage(testDescription: "half a line in spaces") { _, segment, _ in
          try append(
            segment, Array(#"{"specversion":"1.0","id":"9","source":"/x"#.utf8) + Array(repeating: 32, count: 9000))
        },
        Damage(testDescription: "a flipped bit", times: 24, linesMax: 2) { _, segment, random in
          var bytes = try Plain.read(segment)
          bytes[Int.random(in: bytes.indices, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
          try overwrite(segment, bytes)
        },
        Damage(testDescription: "two lines run together", times: 4, linesMax: 2) { _, segment, random in
          var bytes = try Plain.read(segment)
          let feeds = bytes.indices.filter { bytes[$0] == 10 }.dropLast()
          bytes.remove(at: feeds.randomElement(using: &random)!)
          try overwrite(segment, bytes)
        },
        Damage(testDescription: "a block of zeros", times: 4, linesMax: 8) { _, segment, random in
          var bytes = try Plain.read(segment)
          let start = Int.random(in: 0..<bytes.count / 2, using: &random)
          for index in start..<start + min(512, bytes.count / 3) { bytes[index] = 0 }
          try overwrite(segment, bytes)
        },
        Damage(testDescription: "a segment that is missing", linesMax: .max, isReported: false) { _, segment, _ in
          unlink(segment)
        },
        Damage(testDescription: "no log of the host", linesMax: .max, isReported: false) { directory, _, _ in
          TemporaryDirectory.removeTree(directory)
        },
        Damage(testDescription: "no logs at all", linesMax: .max, isReported: false) { directory, _, _ in
          TemporaryDirectory.removeTree(directory + "/..")
        },
        Damage(testDescription: "no page", isReported: false) { directory, _, _ in unlink(directory + "/commit") },
        Damage(testDescription: "an empty page", isReported: false) { directory, _, _ in
          try Plain.write(directory + "/commit", "")
        },
        Damage(testDescription: "a page of rubbish", times: 3, isReported: false) { directory, _, random in
          let rubbish = (0..<4096).map { _ in UInt8.random(in: .min ... .max, using: &random) }
          unlink(directory + "/commit")
          try Plain.write(directory + "/commit", rubbish)
        },
        Damage(testDescription: "a checkpoint of rubbish", isReported: false) { directory, _, _ in
          try Plain.write(directory + "/checkpoint", "99999999T999999.999999Z\n\u{0}")
        },
      ]

      private static func append(_ path: String, _ bytes: [UInt8]) throws { try Plain.write(path, bytes, append: true) }

      /// In place, as a disk does it: whoever has the file open sees it.
      private static func overwrite(_ path: String, _ bytes: [UInt8]) throws {
        let raw = open(path, O_WRONLY)
        defer { close(raw) }
        try #require(pwrite(raw, bytes, bytes.count, 0) == bytes.count && ftruncate(raw, off_t(bytes.count)) == 0)
      }
    }

    @Test(arguments: Damage.all, ["in use", "after a reboot"])
    func `a damaged log costs no more than the damage, is reported, and everything goes on`(
      damage: Damage, moment: String
    ) throws {
      var sample = Sample("\(damage.testDescription), \(moment)")
      for _ in 0..<damage.times * (Sample.isWhole ? 10 : 1) {
        sample.count += 1
        let stage = try Self.eventful()
        let host = try #require(Scratch.names("\(stage.path)/log").first)
        let directory = "\(stage.path)/log/\(host)"
        let segments = Scratch.names(directory).filter { $0.hasSuffix(".jsonl") }
        try #require(segments.count >= 3)
        let isTail = damage.linesMax == 0
        let hit = isTail ? segments.last! : segments.randomElement(using: &sample.random)!
        let before = stage.reader
        let files = Self.files(stage.path)
        if moment != "in use" { try stage.reboot() }
        try damage.make(directory, "\(directory)/\(hit)", &sample.random)
        let place = "\(damage.testDescription) in \(hit), \(moment)"
        var said = ""
        for arguments in [["doctor"], ["bots"], ["inbox", "a"], ["log"], ["doctor", "--repair"]] {
          let outcome = try SpoolCommand.run(arguments, in: stage.path)
          // 1: something is wrong; nothing in the log.
          let mayBeNothing = arguments == ["doctor"] || arguments == ["log"]
          #expect(outcome.status == 0 || (mayBeNothing && outcome.status == 1), "\(place): \(outcome)")
          said += outcome.output + outcome.error
        }
        try stage.reopen()
        // While it is in use, a tail is looked at by the one who writes next.
        try stage.goesOn("b")
        let after = stage.reader
        let left = Set(after.events.map(\.identity))
        let lost = before.events.filter { !left.contains($0.identity) }
        #expect(lost.count <= damage.linesMax, "\(place) cost \(lost.count) lines")
        let gone = Set(files).subtracting(Self.files(stage.path))
        #expect(gone.isEmpty, "\(place): lost from the files: \(gone)")
        if damage.isReported {
          let isAside = after.quarantined.contains { $0.hasPrefix("torn-") }
          #expect(isAside || said.contains("no event, or damaged") || lost.isEmpty, "\(place): nobody said so: \(said)")
        }
        let ended = try SpoolCommand.run(["send", "b", "by a new process"], in: stage.path)
        #expect(ended.isDone && stage.reader.places(ended.line, of: "b").count == 1, "\(place): \(ended)")
      }
      print("\(damage.testDescription), \(moment): \(sample.count) times")
    }

    /// Everything in the boxes, and what is in it.
    private static func files(_ path: String) -> [String] {
      ["inbox", "claimed", "dead"].flatMap { box in
        Scratch.listing("\(path)/bots/a/\(box)").map { "\(box)/\($0)" }
      }
    }

    /// Several segments, and something in each box.
    private static func eventful() throws -> Stage {
      let stage = try Stage(bots: ["a", "b"], settings: ["segment_bytes_max": 4096])
      for number in 0..<18 { try stage.send("\(number) " + String(repeating: "x", count: 200), to: "a") }
      let claims = try (0..<4).map { _ in try stage.bystander.claim(named: stage.claim("a")) }
      try stage.bystander.ack(claims[0].bot, claims[0].name)
      try stage.bystander.bury(claims[1].bot, claims[1].name, reason: "no use")
      try stage.bystander.nack(claims[2].bot, claims[2].name, delay: 3600)
      return stage
    }
  }
#endif
