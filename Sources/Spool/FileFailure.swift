/// What could not be done with a file, and why: for whoever goes on with the others, and tells it later.
struct FileFailure: CustomStringConvertible {
  var verb = "settle"
  let path: String
  let error: any Error
  var description: String { "cannot \(verb) \(path): \(error)" }

  func rethrow() throws { try doing("cannot \(verb) \(path)") { throw error } }
}
