/// A text as words, in lower case, with what ends its sentences.
struct Tokens: Sendable {
  struct Token: Sendable {
    let word: String
    /// Counted from 0.
    let sentence: Int
    /// A comma, a dash or the like stands before it.
    let isAfterBreak: Bool
  }

  private(set) var all: [Token] = []
  /// Whether each sentence ends as a question.
  private(set) var isQuestion: [Bool] = []

  init(_ text: String) {
    var word: [UInt8] = []
    var sentence = 0
    var isAfterBreak = false
    var isAfterApostrophe = false
    func flush(_ tokens: inout [Token]) {
      defer {
        word.removeAll(keepingCapacity: true)
        isAfterApostrophe = false
      }
      // What is left of "what's", "don't", "we'll" says nothing.
      guard !word.isEmpty, !(isAfterApostrophe && word.count <= 2) else { return }
      tokens.append(Token(word: String(decoding: word, as: UTF8.self), sentence: sentence, isAfterBreak: isAfterBreak))
      isAfterBreak = false
    }
    func end(asQuestion: Bool) {
      guard all.last?.sentence == sentence else { return }
      isQuestion.append(asQuestion)
      sentence += 1
    }
    for scalar in text.lowercased().unicodeScalars {
      switch scalar {
      case "a"..."z", "0"..."9": word.append(UInt8(scalar.value))
      case "'", "\u{2019}":
        flush(&all)
        isAfterApostrophe = true
        continue
      case "?", "\u{FF1F}", "\u{061F}":
        flush(&all)
        end(asQuestion: true)
      case ".", "!", "\n", ";", "\u{3002}", "\u{FF01}":
        flush(&all)
        end(asQuestion: false)
      case ",", ":", "(", ")", "\u{2013}", "\u{2014}":
        flush(&all)
        isAfterBreak = true
      case _ where scalar.properties.isAlphabetic: word.append(contentsOf: String(scalar).utf8)
      // Of a letter that was written in parts.
      case _ where Self.isMark(scalar) && !word.isEmpty: word.append(contentsOf: String(scalar).utf8)
      default: flush(&all)
      }
    }
    flush(&all)
    end(asQuestion: false)
  }

  private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark: true
    default: false
    }
  }

  static func words(_ text: String) -> [String] { Tokens(text).all.map(\.word) }
}
