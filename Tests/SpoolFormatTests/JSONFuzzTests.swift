import Glibc
import TestSupport
import Testing

@testable import SpoolFormat

/// The codec under bytes that nobody would write, for as long as asked, and under those that would cost it most:
/// `SPOOL_FUZZ_SECONDS=3600 swift test --filter JSONFuzzTests`, with `SPOOL_FUZZ_SEED` to have a run again.
@Suite struct JSONFuzzTests {
  private static func setting(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

  private static func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// Nothing is known of the input, but that the readers must agree on it and end.
  private static func read(_ bytes: [UInt8]) -> Bool {
    let message = try? Message(parsing: bytes)
    let value = try? JSONValue(parsing: bytes)
    if message != nil, value == nil { return false }
    if let message {
      // What is written is read again as the same.
      guard let again = try? Message(parsing: message.encoded), again.encoded == message.encoded else { return false }
    }
    if let value, (try? JSONValue(parsing: value.text.bytes)) != value { return false }
    bytes.withUnsafeBufferPointer { buffer in _ = LogEvent(line: buffer) }
    _ = EntryName(String(decoding: bytes.prefix(300), as: UTF8.self))
    return true
  }

  @Test func `mutated and spliced documents are read or refused, and what is read is written as the same`() {
    let seed = Self.setting("SPOOL_FUZZ_SEED") ?? .random(in: 0 ... .max)
    let limit = Double(Self.setting("SPOOL_FUZZ_SECONDS") ?? 1)
    print("fuzzing the codec for \(Int(limit)) s of processor time, seed \(seed)")
    var generator = RandomJSON(random: SeededRandom(state: seed))
    let members = ["content", "to", "from", "type", "priority", "created_at", "not_before", "data", "context", "id"]
    var corpus: [[UInt8]] = [Array(#"{"content":"hi","to":["a","b"],"priority":7,"created_at":1.5}"#.utf8)]
    var (rounds, accepted, bytesRead) = (0, 0, 0)
    let began = Self.seconds()
    while Self.seconds() - began < limit {
      rounds += 1
      var bytes = corpus.randomElement(using: &generator.random)!
      switch Int.random(in: 0..<6, using: &generator.random) {
      case 0: bytes = Array(generator.object().utf8)
      case 1:
        let key = members.randomElement(using: &generator.random)!
        bytes = Array("{\"content\":\"x\",\"\(key)\":\(generator.value(depth: 1))}".utf8)
      case 2:
        let other = corpus.randomElement(using: &generator.random)!
        let cut = Int.random(in: 0...bytes.count, using: &generator.random)
        bytes = Array(bytes[..<cut]) + other[Int.random(in: 0...other.count, using: &generator.random)...]
      case 3 where !bytes.isEmpty:
        let place = Int.random(in: 0..<bytes.count, using: &generator.random)
        bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator.random)
      case 4 where !bytes.isEmpty:
        // A part again and again.
        let start = Int.random(in: 0..<bytes.count, using: &generator.random)
        let part = bytes[start..<min(bytes.count, start + Int.random(in: 1...8, using: &generator.random))]
        let times = Int.random(in: 1...64, using: &generator.random)
        bytes.insert(contentsOf: (0..<times).flatMap { _ in part }, at: start)
      default:
        let place = Int.random(in: 0...bytes.count, using: &generator.random)
        bytes.insert(UInt8.random(in: 0...255, using: &generator.random), at: place)
      }
      let isFine = Self.read(bytes)
      #expect(isFine, "seed \(seed), round \(rounds): \(bytes)")
      bytesRead += bytes.count
      if bytes.count < 4096, (try? Message(parsing: bytes)) != nil {
        accepted += 1
        if corpus.count < 500 {
          corpus.append(bytes)
        } else {
          corpus[Int.random(in: 0..<500, using: &generator.random)] = bytes
        }
      }
    }
    print("\(rounds) documents of \(bytesRead) bytes, \(accepted) of them messages")
    #expect(rounds > 20 && accepted > 5)
  }

  /// Inputs of about `count` bytes that make a reader work hardest.
  private static let adversarial: [(name: String, make: @Sendable (Int) -> String)] = [
    (
      "keys that differ",
      { count in "{\"content\":\"x\"" + (0..<count / 12).map { ",\"k\(100_000 + $0)\":0" }.joined() + "}" }
    ),
    (
      "keys of escapes",
      { count in
        "{\"content\":\"x\"" + (0..<count / 20).map { ",\"\\u0061\(1_000_000 + $0)\":0" }.joined() + "}"
      }
    ),
    (
      "objects with keys",
      { count in "{\"data\":[" + Array(repeating: "{\"a\":1,\"b\":2}", count: count / 14).joined(separator: ",") + "]}"
      }
    ),
    (
      "shallow lists",
      { count in "{\"data\":[" + Array(repeating: "[]", count: count / 3).joined(separator: ",") + "]}" }
    ),
    (
      "deep as may be",
      { count in
        let deep = String(repeating: "[", count: 120) + String(repeating: "]", count: 120)
        return "{\"data\":[" + Array(repeating: deep, count: count / 241).joined(separator: ",") + "]}"
      }
    ),
    ("depth without end", { count in "{\"data\":" + String(repeating: "[", count: count) }),
    ("one long text", { count in "{\"content\":\"" + String(repeating: "x", count: count) + "\"}" }),
    ("escapes", { count in "{\"content\":\"" + String(repeating: "\\u00e9", count: count / 6) + "\"}" }),
    ("a text without an end", { count in "{\"content\":\"" + String(repeating: "\\\\", count: count / 2) }),
    ("digits", { count in "{\"data\":" + String(repeating: "9", count: count) + "}" }),
    ("white space", { count in "{" + String(repeating: " ", count: count) + "\"content\":\"x\"}" }),
    (
      "recipients",
      { count in
        "{\"content\":\"x\",\"to\":[" + Array(repeating: "\"a\"", count: count / 4).joined(separator: ",") + "]}"
      }
    ),
  ]

  @Test func `time is proportional to the input, whatever it is`() {
    for (name, make) in Self.adversarial {
      func perByte(_ count: Int) -> Double {
        let bytes = Array(make(count).utf8)
        // The best of three: others may be at work on the machine.
        let best = (0..<3).map { _ in
          let began = Self.seconds()
          _ = try? Message(parsing: bytes)
          return Self.seconds() - began
        }.min()!
        return best / Double(bytes.count)
      }
      let (small, large) = (perByte(16 << 10), perByte(256 << 10))
      let ratio = large / small
      print(
        "\(name): \(Int(small * 1e9)) ns a byte of 16 KiB, \(Int(large * 1e9)) of 256 KiB, ratio \((ratio * 100).rounded() / 100)"
      )
      // What grew with the square would be 16.
      #expect(ratio < 6, "\(name)")
    }
  }

  @Test func `memory is proportional to the input, whatever it is`() throws {
    let home = try TemporaryDirectory()
    for (name, make) in Self.adversarial {
      let text = make(1 << 20)
      try Plain.write(home("text"), text)
      // In a process of its own, whose peak is that of this input alone.
      let outcome = try OwnProcess.run("parse", [home("text")])
      let bytes = try #require(Int(outcome.line), "\(outcome)")
      let factor = Double(bytes) / Double(text.utf8.count)
      print("\(name): \((factor * 10).rounded() / 10) bytes of memory at the peak for a byte")
      #expect(factor < 60, "\(name)")
    }
  }
}
