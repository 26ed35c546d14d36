import CoordinatorPolicy
import Spool
import SpoolFormat

/// A request on its way to its answer: a task of the coordinator's own, whose children are the plan. All that is known of it
/// is in its file, so that whoever coordinates next can carry on.
public struct Goal {
  /// The message that asked.
  public let request: MessageID
  /// Who gets the answer; nil when nobody can.
  public let from: String?
  /// What was asked, whole.
  public let text: String
  /// As the analysis gave it.
  public let approach: String
  /// The workflow, as it was planned.
  public let plan: JSONText?
  /// Of a discussion: the bots that were asked.
  public let asked: [String]
  /// The message that asked those of them that answer messages.
  public let question: MessageID?
  /// Answers that were given before, each with what kept it from being done.
  public var answered: Int

  public init(
    request: MessageID, from: String?, text: String, approach: String, plan: JSONText? = nil, asked: [String] = [],
    question: MessageID? = nil, answered: Int = 0
  ) {
    self.request = request
    self.from = from
    self.text = text
    self.approach = approach
    self.plan = plan
    self.asked = asked
    self.question = question
    self.answered = answered
  }

  var isDiscussion: Bool { approach == Analysis.Approach.teamDiscussion.rawValue }

  private static let field = "goal"

  /// Nil for a task that is no goal.
  public init?(_ record: TaskRecord) {
    guard let field = record.extra.first(where: { $0.name == Self.field }),
      let id = field.value.value["request"]?.string.flatMap({ MessageID($0) }),
      let text = field.value.value["text"]?.string, let approach = field.value.value["approach"]?.string
    else { return nil }
    let value = field.value.value
    self.init(
      request: id, from: value["from"]?.string, text: text, approach: approach, plan: value["plan"]?.text,
      asked: (value["asked"]?.array ?? []).compactMap(\.string),
      question: value["question"]?.string.flatMap { MessageID($0) },
      answered: value["answered"]?.int.flatMap { 0...WholeNumber.max ~= $0 ? $0 : nil } ?? 0)
  }

  /// As a field of the task's file.
  var field: Message.Field {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("request", request.description)
    writer.member("from", ifPresent: from)
    writer.member("text", text)
    writer.member("approach", approach)
    writer.member("plan", ifPresent: plan)
    if !asked.isEmpty { writer.member("asked", asked) }
    writer.member("question", ifPresent: question?.description)
    if answered > 0 { writer.member("answered", answered) }
    writer.endObject()
    return Message.Field(name: Self.field, value: writer.text)
  }

  /// Puts it into its task, in place of what was there.
  func write(to record: inout TaskRecord) {
    record.extra.removeAll { $0.name == Self.field }
    record.extra.append(field)
  }

  /// The id of the goal of a request: the same, whoever makes it and however often.
  public static func id(for request: MessageID) -> MessageID { .derived("goal", from: request) }

  /// The id of a step of its plan.
  static func id(ofStep name: String, for request: MessageID) -> MessageID { .derived("step \(name)", from: request) }
}
