import Foundation
import Testing

@testable import SpoolFormat

@Suite struct JSONRandomTests {
  /// A generator whose seed has been printed.
  private func random(_ what: String) -> (RandomJSON, UInt64) {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed of the \(what): \(seed)")
    return (RandomJSON(random: SeededRandom(state: seed)), seed)
  }

  /// Whether the tree says what Foundation read; for numbers nearly, because Foundation goes through `Decimal`, and its
  /// last digit is often wrong.
  private func agree(_ ours: JSONValue, _ theirs: Any) -> Bool {
    switch ours {
    case .null: return theirs is NSNull
    case .bool(let bool): return (theirs as? Bool) == bool
    case .number:
      guard let our = ours.double, let their = (theirs as? NSNumber)?.doubleValue else { return false }
      return abs(our - their) <= abs(our) * 1e-14
    // As bytes, because `==` takes equivalent spellings of a character for the same.
    case .string(let string): return (theirs as? String).map { $0.utf8.elementsEqual(string.utf8) } ?? false
    case .array(let array):
      guard let others = theirs as? [Any], others.count == array.count else { return false }
      return zip(array, others).allSatisfy { agree($0, $1) }
    case .object(let object):
      guard let others = theirs as? [String: Any], others.count == object.count else { return false }
      return object.allSatisfy { member in others[member.key].map { agree(member.value, $0) } ?? false }
    }
  }

  @Test func `Foundation reads the same from random documents, and from their canonical form`() throws {
    var (generator, seed) = random("documents compared with Foundation")
    var bytesRead = 0
    for round in 0..<400 {
      let bytes = [UInt8](generator.document().utf8)
      let shown: Comment = "seed \(seed), round \(round): \(String(decoding: bytes, as: UTF8.self))"
      let theirs = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
      let ours = try JSONValue(parsing: bytes)
      #expect(agree(ours, theirs), shown)
      let canonical = [UInt8](try minified(bytes).utf8)
      let again = try JSONSerialization.jsonObject(with: Data(canonical), options: .fragmentsAllowed)
      #expect(agree(ours, again), shown)
      // The tree writes what minify writes, and both write it again.
      #expect(ours.text.bytes == canonical, shown)
      #expect([UInt8](try minified(canonical).utf8) == canonical, shown)
      #expect(try JSONValue(parsing: [UInt8](ours.prettyPrinted().utf8)) == ours, shown)
      bytesRead += bytes.count
    }
    #expect(bytesRead > 10_000)
  }

  @Test func `every beginning of a valid object is refused as truncated`() throws {
    var (generator, seed) = random("objects cut short")
    var documents = [#"{"a":[1.5e-3,-0,true,null,{"\ud83d\ude00":"é你😀\n"}],"b":"\u00e9"}"#]
    while documents.count < 60 { documents.append(generator.object()) }
    var cuts = 0
    for document in documents {
      let bytes = [UInt8](document.utf8)
      #expect(refusal(bytes) == nil, "seed \(seed): \(document)")
      for length in 0..<bytes.count {
        let error = refusal(Array(bytes[..<length]))
        #expect(error?.isTruncation == true, "seed \(seed): \(document) cut to \(length) bytes")
        cuts += 1
      }
    }
    #expect(cuts > 2_000)
  }

  @Test func `mutated documents are refused at a place up to which they could be valid, or read the same twice`() throws
  {
    var (generator, seed) = random("mutated documents")
    let structural =
      [UInt8](#"{}[],:"\u0dDeE+-.1 tfn'/"#.utf8) + [0, 0x0A, 0x1F, 0x7F, 0x80, 0xBF, 0xC3, 0xED, 0xF4, 0xFF]
    var accepted = 0
    var refused = 0
    for round in 0..<4_000 {
      var bytes = [UInt8]((generator.chance(2) ? generator.document() : generator.object()).utf8)
      for _ in 0..<Int.random(in: 1...3, using: &generator.random) {
        let place = Int.random(in: 0...bytes.count, using: &generator.random)
        let end = min(bytes.count, place + Int.random(in: 0...2, using: &generator.random))
        let new = (0..<Int.random(in: 0...2, using: &generator.random)).map { _ in
          structural.randomElement(using: &generator.random)!
        }
        bytes.replaceSubrange(place..<end, with: new)
      }
      let shown: Comment = "seed \(seed), round \(round): \(bytes)"
      if let error = refusal(bytes) {
        refused += 1
        // Whatever follows, a bad document stays bad; and what stands before the fault was not bad yet.
        if !error.isTruncation {
          #expect(refusal(bytes + [UInt8]("\"}]0".utf8))?.isTruncation == false, shown)
        }
        #expect(error.offset <= bytes.count)
        #expect(refusal(Array(bytes[..<error.offset]))?.isTruncation ?? true, shown)
        var output = [UInt8]("before".utf8)
        #expect(throws: error, shown) { try bytes.withUnsafeBufferPointer { try JSON.minify($0, into: &output) } }
        #expect(output == [UInt8]("before".utf8), shown)
      } else {
        accepted += 1
        let canonical = [UInt8](try minified(bytes).utf8)
        #expect([UInt8](try minified(canonical).utf8) == canonical, shown)
        #expect(try JSONValue(parsing: canonical) == JSONValue(parsing: bytes), shown)
      }
    }
    #expect(accepted > 100 && refused > 1_000, "\(accepted) accepted, \(refused) refused")
  }

  @Test func `random bytes never crash it`() {
    var (generator, seed) = random("random bytes")
    for _ in 0..<3_000 {
      let count = Int.random(in: 0...100, using: &generator.random)
      let bytes = [0x5B, 0x22] + (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator.random) }
      let error = refusal(bytes)
      // Control characters and broken UTF-8 are nearly certain.
      if count > 60 { #expect(error != nil, "seed \(seed): \(bytes)") }
      if let reason = error?.reason {
        #expect(
          reason.utf8.count < 400 && reason.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
      }
    }
  }

  @Test func `text that is wrongly trusted is never read past its end`() {
    var (generator, _) = random("bytes that are wrongly trusted")
    let alphabet = [UInt8](#"{}[],:"\ua1 x"#.utf8)
    var slicesSeen = 0
    for _ in 0..<3_000 {
      let count = Int.random(in: 0...40, using: &generator.random)
      let bytes = (0..<count).map { _ in alphabet.randomElement(using: &generator.random)! }
      let text = JSONText(trusted: [UInt8(ascii: "[")] + bytes)
      text.withSlice { whole in
        let allowed = UnsafeRawBufferPointer(whole.bytes)
        func walk(_ slice: JSONSlice) {
          slicesSeen += 1
          let start = UnsafeRawPointer(slice.bytes.baseAddress!)
          #expect(start >= allowed.baseAddress! && start + slice.bytes.count <= allowed.baseAddress! + allowed.count)
          _ = (slice.string, slice.int, slice.double, slice.bool, slice["a"], slice.equals("a"))
          slice.forEachElement(walk)
          slice.forEachMember {
            walk($0)
            walk($1)
          }
        }
        walk(whole)
      }
      _ = (text.value, text.description)
    }
    #expect(slicesSeen > 3_000)
  }
}
