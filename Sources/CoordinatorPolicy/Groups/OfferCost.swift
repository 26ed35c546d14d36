import SpoolFormat

/// What one member costs a group, in the unit of its price: lower is better.
///
/// - price: what it asks (1 unless it says otherwise);
/// - risk 2 × the share of such work that it will probably not do (`BotRecord`);
/// - load 1 × the share of its capacity that is taken;
/// - time (1 − f) × t ÷ (T + t), t the seconds that it expects and T the mean of all offers: 0.5 for the average, and
///   for one that can't tell;
/// - fairness f × w ÷ (W + w), w the tasks that it has done and W the mean of those that offer: 0.5 for the average;
/// - level −0.1 for each level above the wanted one, the mean over its skills.
///
/// f is the one setting that weighs fairness (1) against speed (0).
public struct OfferCost: Sendable, Hashable {
  public let price: Double
  public let risk: Double
  public let load: Double
  public let time: Double
  public let fairness: Double
  public let level: Double

  /// At least 0.01, so that nobody belongs to a group for nothing.
  public var total: Double { max(0.01, price + risk + load + time + fairness + level) }

  /// What all offers are measured by.
  public struct Scale: Sendable {
    public let meanSeconds: Double
    public let meanTried: Double
    /// From 0 (speed) to 1 (fairness).
    public let fairness: Double

    public init(_ offers: [SkillOffer], records: (BotName) -> BotRecord?, fairness: Double) {
      let known = offers.compactMap(\.seconds)
      meanSeconds = known.isEmpty ? 0 : known.reduce(0, +) / Double(known.count)
      let tried = offers.reduce(0) { $0 + (records($1.bot)?.all.tried ?? 0) }
      meanTried = offers.isEmpty ? 0 : Double(tried) / Double(offers.count)
      self.fairness = min(max(fairness, 0), 1)
    }
  }

  public init(_ offer: SkillOffer, for wanted: [Card.Skill], record: BotRecord?, scale: Scale) {
    price = offer.price
    let record = record ?? BotRecord()
    risk = 2 * (1 - Self.share(record, offer, wanted))
    load = min(1, Double(offer.load) / Double(max(1, offer.capacity)))
    let slowness = offer.seconds.map { Self.part($0, scale.meanSeconds) } ?? 0.5
    time = (1 - scale.fairness) * slowness
    fairness = scale.fairness * Self.part(Double(record.all.tried), scale.meanTried)
    var above = 0
    var count = 0
    for skill in wanted {
      guard let own = offer.skills.first(where: { $0.name == skill.name })?.level, own >= skill.level else { continue }
      above += Self.rank(own) - Self.rank(skill.level)
      count += 1
    }
    level = count == 0 ? 0 : -0.1 * Double(above) / Double(count)
  }

  private static func rank(_ level: Card.Level) -> Int {
    switch level {
    case .novice: 0
    case .intermediate: 1
    case .advanced: 2
    case .expert: 3
    }
  }

  /// Own success in the wanted skills, drawn towards what is expected of it in general.
  private static func share(_ record: BotRecord, _ offer: SkillOffer, _ wanted: [Card.Skill]) -> Double {
    let overall = record.expectedShare(nil)
    var sum = 0.0
    var count = 0.0
    for skill in wanted where offer.skills.contains(where: { $0.name == skill.name }) {
      let tally = record.skills[skill.name] ?? BotRecord.Tally()
      sum +=
        (Double(tally.succeeded) + overall * BotRecord.priorTasks) / (Double(tally.tried) + BotRecord.priorTasks)
      count += 1
    }
    return count == 0 ? overall : sum / count
  }

  /// 0.5 for the average, towards 1 for much more.
  private static func part(_ value: Double, _ mean: Double) -> Double {
    value + mean > 0 ? value / (value + mean) : 0.5
  }

  public var explanation: String {
    func short(_ value: Double) -> String { BotScore.short(value) }
    return
      "price \(short(price)) + risk \(short(risk)) + load \(short(load)) + time \(short(time)) + fairness "
      + "\(short(fairness)) + level \(short(level)) = \(short(total))"
  }
}
