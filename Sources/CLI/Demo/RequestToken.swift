/// A piece of a request: a word in lower case, "#" for a number, or "," for any punctuation that ends a clause.
struct RequestToken {
  var word: String
  var number = 0
  var range: Range<String.Index>

  /// Beyond any length there is, and far from overflow.
  static let numberMax = 1_000_000_000

  /// Cuts a text into pieces. A hyphen, slash or colon separates words and has no meaning of its own;
  /// an apostrophe is left out ("don't" is "dont"); "1,000" and "twenty-four" are one number each.
  static func tokens(of text: String) -> [RequestToken] {
    var tokens: [RequestToken] = []
    var rest = text[...]
    while let character = rest.first {
      let start = rest.startIndex
      if digit(character) != nil {
        let number = takeNumber(&rest)
        tokens.append(RequestToken(word: "#", number: number, range: start..<rest.startIndex))
      } else if character.isLetter {
        rest = rest.drop { $0.isLetter || $0.isNumber || $0 == "'" || $0 == "’" }
        let word = text[start..<rest.startIndex].lowercased().filter { $0 != "'" && $0 != "’" }
        append(RequestToken(word: word, range: start..<rest.startIndex), to: &tokens)
      } else {
        rest.removeFirst()
        let isPause = character.isNewline || ",;.!?()".contains(character)
        if isPause { tokens.append(RequestToken(word: ",", range: start..<rest.startIndex)) }
      }
    }
    return tokens
  }

  /// Decimal digits of any script.
  private static func digit(_ character: Character) -> Int? {
    character.unicodeScalars.first?.properties.numericType == .decimal ? character.wholeNumberValue : nil
  }

  private static func takeNumber(_ rest: inout Substring) -> Int {
    var value = 0
    while let character = rest.first {
      let thousands = rest.dropFirst().prefix(3)
      if let digit = digit(character) {
        value = min(value * 10 + digit, numberMax)
      } else if character != "," || thousands.count < 3 || !thousands.allSatisfy({ digit($0) != nil }) {
        break
      }
      rest.removeFirst()
    }
    if rest.first == ".", let after = rest.dropFirst().first, digit(after) != nil {
      rest = rest.dropFirst().drop { digit($0) != nil }
    }
    return value
  }

  private static let numberWords: [String: Int] = {
    let small = """
      zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
      eighteen nineteen
      """
    let tens = "twenty thirty forty fifty sixty seventy eighty ninety"
    var words = ["dozen": 12, "hundred": 100]
    for (value, word) in small.split(whereSeparator: \.isWhitespace).enumerated() { words[String(word)] = value }
    for (value, word) in tens.split(separator: " ").enumerated() { words[String(word)] = value * 10 + 20 }
    return words
  }()

  /// Adds a word, or adds to the number before it: "twenty" and "four", "two" and "hundred" and "fifty".
  private static func append(_ token: RequestToken, to tokens: inout [RequestToken]) {
    guard let value = numberWords[token.word] else { return tokens.append(token) }
    let isAfterAnd = tokens.last?.word == "and" && (tokens.dropLast().last?.number ?? 0) >= 100
    let before = (isAfterAnd ? tokens.dropLast() : tokens[...]).last?.number ?? 0
    let number: Int? =
      switch value {
      case 100: before > 0 && !isAfterAnd ? before * 100 : nil
      case 0: nil
      default: before % 100 == 0 || before % 10 == 0 && before > 10 && value < 10 ? before + value : nil
      }
    guard before > 0, let number else {
      return tokens.append(RequestToken(word: "#", number: value, range: token.range))
    }
    if isAfterAnd { tokens.removeLast() }
    tokens[tokens.count - 1].number = min(number, numberMax)
    tokens[tokens.count - 1].range = tokens[tokens.count - 1].range.lowerBound..<token.range.upperBound
  }
}
