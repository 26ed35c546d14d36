/// The words by which answers are understood.
enum StanceWords {
  private static func set(_ text: String) -> Set<String> { Set(text.split(separator: " ").map(String.init)) }

  static let yes = set("yes yeah yep yup aye +1 pro ja oui si sí approved")
  static let no = set("no nope nay -1 contra rejected nein non")
  static let nots = set("not never")
  static let abstaining = set("abstain abstaining neutral unsure undecided maybe perhaps depends unclear")
  /// They say yes alone, and only strengthen what follows.
  static let certain = set("sure definitely absolutely certainly surely totally obviously clearly")
  /// For or against what follows them.
  static let backing = set("support for approve accept favor favour endorse back")
  static let fighting = set("oppose opposed reject against object")
  static let thinking = set("think believe feel guess suppose reckon say")
  static let wanting = set("want recommend advise suggest need like bother do go advocate pursue")
  static let proposing = set("should let's must")
  /// What `it should` do is no proposal.
  static let things = set("it this that they")

  /// Words before the one that says it: `I would strongly support`, `we are against`.
  static let fillers = set(
    "i we am are is it would will could can do does did may might strongly fully my our position vote answer in a an "
      + "clear definite to on the this that be say think believe feel guess well so personally from me us opinion view "
      + "lean leaning towards toward inclined tend hell heck oh ah hmm honestly frankly overall generally probably rather "
      + "all see have really sounds seems you team ultimately mostly just still now please as")

  /// `for me, no`: nobody is for that.
  static let forWhom = set("me us now")
  static let common = set(
    "should we i you they our my your the a an to of in on at for with by from is are was were be been do does did has have "
      + "had can could will would shall may might must it this that these those and or not no yes so if as what which who "
      + "where when how why all any there now")
  static let it = set("it this that so them ahead")
  static let around = set(
    "the a an to of in on at for our all do now today soon then right away one day year month week quarter sprint time "
      + "next moment already please this yet with everything too")
  static let spans = set("year month week quarter sprint time way")
  static let reasoning = set("because since as and given considering")
  static let limiting = set(
    "not no never nothing nobody without instead later unless only if but until till wait before after first someday "
      + "eventually however although though except otherwise")
  static let joining = set("and but or also yet then well")
  static let ideas = set(
    "idea plan move choice thing step decision call proposal motion change suggestion approach option enough")
  static let praise: [String: Stance.Side] = [
    "good": .for, "great": .for, "excellent": .for, "wise": .for, "sensible": .for, "fine": .for, "right": .for,
    "bad": .against, "terrible": .against, "poor": .against, "awful": .against, "horrible": .against, "wrong": .against,
    "unwise": .against, "stupid": .against, "dumb": .against,
  ]

  /// Between `not` and what it denies.
  static let degrees = set(
    "so very too really actually at all be been a an any have the much of in strongly strong big particularly even "
      + "hold that")
  static let partly = set(
    "quite entirely completely fully totally necessarily always only just wholly absolutely exactly definitely certainly"
  )
  static let notYet = set("yet now today convinced persuaded fan worth ready recommended advisable necessary needed")
  static let afterNo = set(
    "way need thanks thank chance point sense never not nope no it we i this that because since please from")
  static let doubts = set("doubt doubts question")
  static let harms = set(
    "problem problems objection objections issue issues harm downside downsides drawback drawbacks")
  static let uses = set("point need benefit benefits value sense advantage advantages")

  /// What nobody has who says so: `no idea`, `no objection`, `not sure`.
  static let lacked: [String: Stance.Side] = [
    "idea": .abstain, "opinion": .abstain, "opinions": .abstain, "preference": .abstain, "sure": .abstain,
    "certain": .abstain, "know": .abstain, "clear": .abstain, "decided": .abstain, "care": .abstain, "mind": .abstain,
    "comment": .abstain, "position": .abstain, "objection": .for, "objections": .for, "problem": .for, "brainer": .for,
  ]
}
