import Glibc
import TestSupport
import Testing

/// Holds the targets to the layers that `Package.swift` lists.
@Suite struct LayersTests {
  private struct Target {
    let name: String
    let dependencies: [String]
  }

  private static let root = String(#filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined())

  /// The targets of `Package.swift` that have a directory in `Sources`, in its order.
  private func targets() throws -> [Target] {
    let package = try Plain.text(Self.root + "/Package.swift")
    let names = Plain.names(Self.root + "/Sources")
    let list = package.split(separator: "\n  targets: [").last ?? ""
    return list.split(separator: "name: ").dropFirst().compactMap { text in
      // Up to the next target: the name first, then what it depends on.
      let quoted = text.split(separator: "\"", omittingEmptySubsequences: false)
      guard quoted.count > 1, names.contains(String(quoted[1])) else { return nil }
      let list = text.split(separator: "dependencies: [", maxSplits: 1).dropFirst().first?.prefix { $0 != "]" } ?? ""
      let dependencies = list.split(separator: "\"").filter { $0.allSatisfy { $0.isLetter } }.map(String.init)
      return Target(name: String(quoted[1]), dependencies: dependencies)
    }
  }

  /// The files of a target, by their path.
  private func files(of target: String) -> [(path: String, text: String)] {
    var found: [(String, String)] = []
    func walk(_ path: String) {
      for name in Plain.names(Self.root + "/" + path) {
        if name.hasSuffix(".swift") {
          found.append(("\(path)/\(name)", (try? Plain.text(Self.root + "/\(path)/\(name)")) ?? ""))
        } else if !name.contains(".") {
          walk("\(path)/\(name)")
        }
      }
    }
    walk("Sources/" + target)
    return found
  }

  private func imports(_ text: String) -> [String] {
    text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ").map(String.init)
      guard let place = words.firstIndex(of: "import"), place < 2, words.count > place + 1 else { return nil }
      return words[place + 1]
    }
  }

  @Test func `every target depends only on those listed before it`() throws {
    let targets = try targets()
    #expect(targets.count >= 7)
    #expect(targets.map(\.name).prefix(5) == ["CLinux", "Linux", "CChecksum", "SpoolFormat", "Spool"])
    for (place, target) in targets.enumerated() {
      let earlier = targets[..<place].map(\.name)
      #expect(target.dependencies.allSatisfy(earlier.contains), "\(target.name)")
    }
  }

  @Test func `every file imports only what its target names`() throws {
    let targets = try targets()
    // A header is for the layer above it alone, and values and bytes need nobody.
    for target in targets {
      #expect(target.name == "Linux" || !target.dependencies.contains("CLinux"))
      #expect(target.name == "SpoolFormat" || !target.dependencies.contains("CChecksum"))
    }
    let pure: Set = ["SpoolFormat", "CoordinatorPolicy"]
    let headers: Set = ["CLinux", "CChecksum"]
    var count = 0
    for target in targets where !headers.contains(target.name) {
      let files = files(of: target.name)
      #expect(!files.isEmpty, "\(target.name)")
      for (path, text) in files {
        let allowed = Set(target.dependencies).union(pure.contains(target.name) ? [] : ["Glibc", "Synchronization"])
        for module in imports(text) {
          count += 1
          #expect(allowed.contains(module), "\(path) imports \(module)")
        }
      }
    }
    #expect(count > 60)
  }

  @Test func `only executables print, and nobody escapes the compiler's checks`() throws {
    var lines = 0
    let executables: Set = ["CLI", "Bench"]
    for target in try targets() {
      for (path, text) in files(of: target.name) {
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
          lines += 1
          let code = line.split(separator: "//", maxSplits: 1, omittingEmptySubsequences: false)[0]
          for escape in ["@unchecked Sendable", "nonisolated(unsafe)", "import Foundation"] {
            #expect(!code.contains(escape), "\(path):\(number + 1)")
          }
          guard !executables.contains(target.name) else { continue }
          for output in ["print(", "puts(", "STDOUT_FILENO", "STDERR_FILENO", "stdout", "stderr", "exit("] {
            let isCall = code.contains(output) && !code.contains("_exit(") && !code.contains("fprint(")
            #expect(!isCall, "\(path):\(number + 1)")
          }
        }
      }
    }
    #expect(lines > 4000)
  }

  @Test func `only the layout puts a path together`() throws {
    var found: [String] = []
    for (path, text) in files(of: "Spool") {
      let parts = ["bots", "topics", "log", "quarantine", "keys", "tmp"]
      if parts.contains(where: { text.contains("\"\($0)/") }) { found.append(path) }
    }
    #expect(found == ["Sources/Spool/Layout.swift"])
  }
}
