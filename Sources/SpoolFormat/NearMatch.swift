/// Names that somebody may have meant.
public enum NearMatch {
  /// Those at most a third of their letters away, or that begin with `name`, or with whose four letters or more it
  /// begins; nearest first, three at most.
  public static func of(_ name: String, among all: [String]) -> [String] {
    let ranked = all.map { other in
      let isBegun = other.hasPrefix(name) && !name.isEmpty || name.hasPrefix(other) && other.count >= 4
      return (isBegun ? 0 : distance(name, other), other)
    }
    return ranked.filter { $0.0 <= max(1, $0.1.count / 3) }.sorted { $0 < $1 }.prefix(3).map(\.1)
  }

  /// Edits from one to the other: Wagner and Fischer, 1974, with neighbours changed places counted as one edit.
  public static func distance(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.utf8.prefix(64)), Array(right.utf8.prefix(64)))
    var before: [Int] = []
    var row = Array(0...right.count)
    for i in 0..<left.count {
      var next = [i + 1]
      for j in 0..<right.count {
        var cost = min(row[j] + (left[i] == right[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1)
        if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] { cost = min(cost, before[j - 1] + 1) }
        next.append(cost)
      }
      (before, row) = (row, next)
    }
    return row[right.count]
  }
}
