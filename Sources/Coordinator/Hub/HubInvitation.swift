import CoordinatorPolicy
import Linux
import Spool
import SpoolFormat

/// How those that were chosen among the offers are invited.
extension Hub {
  func invite(_ selection: Selection, _ group: HubGroup, _ now: Int) {
    guard var search = group.search else { return }
    let chosen = selection.members.map(\.bot)
    let released = search.agreed.subtracting(chosen)
    let invited = chosen.filter { !search.agreed.contains($0) }
    search.agreed.formIntersection(chosen)
    search.phase = .inviting(selection)
    search.waiting = []
    search.until = min(now + Int(options.replySeconds * 1e9), search.end)
    group.search = search
    if !released.isEmpty {
      attempt { _ = try send(.groupReject, .cancel, to: Array(released), group, "others were chosen after all") }
    }
    guard !invited.isEmpty else { return goOn(group) }
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("members", selection)
    writer.member("deadline", moment: group.record.announcement.deadline)
    writer.endObject()
    let replyBy = Timestamp(microseconds: Clock.wall()).advanced(bySeconds: options.replySeconds)
    let reached = reach(invited, group, now) { bots in
      _ = try send(
        .groupInvite, .acceptProposal, to: bots, group, group.record.announcement.text, data: writer.text,
        replyBy: replyBy)
    }
    group.search?.waiting = reached
    guard reached.count < invited.count else { return }
    for bot in invited where !reached.contains(bot) { group.offers[bot] = nil }
    choose(group, now)
  }
}

extension JSONWriter {
  /// Who does what: `[{"bot": …, "skills": […]}, …]`.
  fileprivate mutating func member(_ name: StaticString, _ selection: Selection) {
    key(name)
    beginArray()
    for member in selection.members {
      beginObject()
      self.member("bot", member.bot.description)
      self.member("skills", member.skills.map { "\($0.name):\($0.level.rawValue)" })
      endObject()
    }
    endArray()
  }
}
