import CoordinatorPolicy
import SpoolFormat
import Testing

@Suite struct VocabularyTests {
  @Test func `the built-in vocabulary written out is read back as it was`() throws {
    let text = Vocabulary.builtIn.prettyPrinted
    #expect(try Vocabulary(parsing: Array(text.utf8)) == .builtIn)
    #expect(text.split(separator: "\n").count < 150)
    #expect(
      Vocabulary.builtIn.domains.map(\.name) == [
        "research", "development", "design", "quality", "operations", "writing", "data",
      ])
  }

  @Test func `a user's own domain is understood`() throws {
    let text = #"{"domains": [{"name": "Garden", "actions": ["water", "mow"], "things": ["lawn", "rose bush"]}]}"#
    let vocabulary = try Vocabulary(parsing: Array(text.utf8))
    let found = RequestAnalysis.analyse("The rose bushes need watering", vocabulary)
    #expect(found.domains == ["garden"])
    #expect(found.approach == .routeToSpecialist)
    #expect(RequestAnalysis.analyse("Should we mow?", vocabulary).approach == .teamDiscussion)
  }

  @Test func `a letter written in parts is the same letter`() throws {
    let text =
      #"{"domains": [{"name": "quality", "actions": ["pr\u00fcfen"], "things": ["\u0915\u093f\u0924\u093e\u092c"]}]}"#
    let vocabulary = try Vocabulary(parsing: Array(text.utf8))
    #expect(RequestAnalysis.analyse("Bitte pru\u{308}fen", vocabulary).domains == ["quality"])
  }

  @Test func `a domain that is implied twice is found once`() throws {
    let text = """
      {"domains": [{"name": "code", "things": ["app"]}, {"name": "design", "things": ["layout"]}],
       "implications": [{"words": ["app"], "needs": ["design", "design", "code"], "reason": "it is seen"}]}
      """
    let found = RequestAnalysis.analyse("An app", try Vocabulary(parsing: Array(text.utf8)))
    #expect(found.domains == ["code", "design"])
  }

  @Test func `all that is wrong in a vocabulary is told, with its line and a cure`() throws {
    let text = """
      {
        "domains": [
          {"name": "a", "action": ["x"]},
          {"name": "A", "things": ["one two three four five six seven", 7]},
          {"stage": 0}
        ],
        "implications": [{"words": ["y"], "needs": ["b"]}],
        "cues": {"parallell": []}
      }
      """
    #expect {
      try Vocabulary(parsing: Array(text.utf8))
    } throws: { error in
      #expect(
        "\(error)" == """
          line 3: domains[0].action: unknown field: did you mean actions?
          line 4: domains[1].name: there is a domain "a" already: join the two
          line 4: domains[1].things[1]: a number where a text should be
          line 4: domains[1].things: "one two three four five six seven" has 7 words: use 1 to 6
          line 5: domains[2].name: a domain needs one: write "name": "…"
          line 5: domains[2].stage: 0 won't do: write a number from 1 to 99
          line 7: implications[0].needs: there is no domain "b": did you mean a?
          line 8: cues.parallell: unknown field: did you mean parallel?
          """)
      return true
    }
  }
}
