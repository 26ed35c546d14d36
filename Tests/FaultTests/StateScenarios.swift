import Foundation
import Spool
import SpoolFormat
import TestSupport

/// Changes of a shared value, killed and failing at every point.
extension Scenario {
  static let sharing = [
    change("state set", ["state", "set", "light", "2"], to: "2"),
    change("state cas", ["state", "cas", "light", "2", "--version", "1"], to: "2"),
    change("state delete", ["state", "delete", "light"], to: nil),
  ]

  private static func change(_ name: String, _ arguments: [String], to new: String?) -> Scenario {
    Scenario(name: name, callsMin: 20) {
      let stage = try Stage(bots: ["a", "filler"])
      _ = try stage.bystander.setState(StateKey(parsing: "light"), to: JSONText(validating: "1"), by: "tester")
      try stage.send("the first, which makes the log", to: "filler")
      stage.arguments = arguments
      return stage
    } afterwards: { stage, outcome, _ in
      let value = value(stage)
      var found = value == "1" || value == new ? [] : ["the value is \(value ?? "gone")"]
      if outcome.isDone, value != new { found.append("said to be done, and the value is \(value ?? "gone")") }
      return found
    } inTheEnd: { stage, outcome, _ in
      // Whatever was left half done, the next one goes on at once.
      let key = try StateKey(parsing: "light")
      let next = try stage.bystander.setState(key, to: JSONText(validating: "3"), by: "tester")
      var found = value(stage) == "3" ? [] : ["the next value is \(value(stage) ?? "gone")"]
      let history = try History(stage.bystander).states(key)
      if history.map(\.version) != Array(1...next.version) { found.append("versions \(history.map(\.version))") }
      let isLogged = history.count == 3 && history[1].value?.description == new
      if outcome.isDone, !isLogged { found.append("done, and not in the log") }
      let tokens = Scratch.names("\(stage.path)/state/versions/light")
      if tokens.count != 1 || !tokens[0].hasPrefix("\(next.version)~") { found.append("tokens \(tokens)") }
      return found
    }
  }

  /// As any program reads it that knows the layout.
  private static func value(_ stage: Stage) -> String? {
    let path = "\(stage.path)/state/light.json"
    guard let data = FileManager.default.contents(atPath: path),
      let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any], let value = object["value"]
    else { return nil }
    return "\(value)"
  }
}
