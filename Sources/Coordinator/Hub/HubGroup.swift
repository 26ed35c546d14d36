import CoordinatorPolicy
import Linux
import Spool
import SpoolFormat

/// A group that a hub has in hand: what its file says, and what is only known while members are looked for.
final class HubGroup {
  /// The claim of the announcement: as long as it stands, the group is this hub's.
  let claim: EntryName
  var entry: GroupEntry
  var record: GroupRecord
  /// When to renew the claim; nanoseconds since boot.
  var renewAt: Int
  /// When all must be over, by `Clock.withSleep`: the announcement names a moment, which doesn't wait for who sleeps.
  private let endsAt: Int
  var search: Search?
  /// What was offered and still stands.
  var offers: [BotName: SkillOffer] = [:]
  /// The messages that asked, by which an answer is told from a forged one.
  var queries: Set<String> = []
  /// Why a bot isn't asked any more.
  var barred: [BotName: String] = [:]
  /// Why a bot wouldn't, and when it said so; nanoseconds since boot.
  var refusals: [BotName: (reason: String, at: Int)] = [:]
  /// Of each task in hand: since when its bot is gone, and when it counts as late.
  var goneSince: [MessageID: Int] = [:]
  var lateAt: [MessageID: Int] = [:]
  /// What was last told of a part's progress, and when.
  var told: [MessageID: (progress: Int, at: Int)] = [:]
  /// Who hears of it besides the members; nil when that is nobody that has an inbox.
  let announcer: BotName?

  init(claim: EntryName, entry: GroupEntry, record: GroupRecord, announcer: BotName?, renewAt: Int, endsAt: Int) {
    self.claim = claim
    self.entry = entry
    self.record = record
    self.announcer = announcer
    self.renewAt = renewAt
    self.endsAt = endsAt
  }

  var id: MessageID { record.id }

  /// When all must be over, should nobody sleep from now on; nanoseconds since boot.
  var deadline: Int { Clock.sinceBoot() + endsAt - Clock.withSleep() }

  /// Looking for those who do what nobody is at.
  struct Search {
    enum Phase {
      case asking
      case inviting(Selection)
      /// Nobody new to ask; again then.
      case pausing
    }
    var phase = Phase.asking
    /// Whose answers are waited for, and until when; nanoseconds since boot.
    var waiting: Set<BotName> = []
    var until = 0
    /// When the search began; nanoseconds since boot.
    let began: Int
    /// When somebody must have been found.
    let end: Int
    /// What was said of the choices before.
    let explained: [String]
    var rounds = 0
    /// Those that agreed to what they were invited to.
    var agreed: Set<BotName> = []
  }

  /// Index of the part that a task is.
  func part(of task: MessageID) -> Int? { record.parts.firstIndex { $0.task == task && $0.outcome == .working } }

  var working: [GroupRecord.Part] { record.parts.filter { $0.outcome == .working } }

  /// Whether nothing is left but to say so.
  var isDone: Bool { entry.state.isLive && working.isEmpty && record.open.isEmpty }

  /// While it waits for its turn to look for members: until when they must be found; nanoseconds since boot.
  var queuedUntil: Int?
  /// After a trouble of the moment, not to spin; nanoseconds since boot.
  var resumesAt = 0

  /// When there is something to do though nothing happens; nanoseconds since boot.
  var nextDue: Int { max(resumesAt, min(deadline, search.map { min($0.until, $0.end) } ?? queuedUntil ?? .max)) }
}
