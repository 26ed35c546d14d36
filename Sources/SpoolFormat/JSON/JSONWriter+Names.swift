extension JSONWriter {
  /// A moment as RFC 3339 text.
  public mutating func moment(_ value: Timestamp) {
    separate()
    append(atMost: Timestamp.textCountMax + 2) { text in
      text.put(JSONBytes.quote)
      text.put(value, punctuated: true)
      text.put(JSONBytes.quote)
    }
  }

  public mutating func identifier(_ id: MessageID) {
    separate()
    append(atMost: MessageID.textCount + 2) { text in
      text.put(JSONBytes.quote)
      text.put(id)
      text.put(JSONBytes.quote)
    }
  }

  /// Nothing, when it is nil.
  public mutating func member(_ name: StaticString, moment: Timestamp?) {
    guard let moment else { return }
    key(name)
    self.moment(moment)
  }

  /// Nothing, when it is nil.
  public mutating func member(_ name: StaticString, identifier id: MessageID?) {
    guard let id else { return }
    key(name)
    identifier(id)
  }
}
