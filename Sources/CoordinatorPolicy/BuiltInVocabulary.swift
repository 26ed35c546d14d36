extension Vocabulary {
  /// What is known without a file.
  public static let builtIn = Vocabulary(
    domains: [research, development, design, quality, operations, writing, data], implications: builtInImplications,
    cues: builtInCues)

  /// Words separated by commas.
  private static func list(_ text: String) -> [String] { text.split(separator: ", ").map(String.init) }

  private static let research = Domain(
    name: "research", stage: 1,
    actions: list(
      "research, investigate, look up, look into, find out, compare, survey, explore, study, gather information"),
    verbs: list("find, search, evaluate, assess"),
    things: list(
      "latest, news, trend, state of the art, market, competitor, competition, literature, paper, best practice, "
        + "alternative, option, landscape, findings, sources, background"))

  private static let development = Domain(
    name: "development", stage: 3,
    actions: list("implement, debug, refactor, fix, compile, port, integrate, optimise, optimize"),
    verbs: list("build, develop, create, add, change, update, remove, rename, extend"),
    things: list(
      "app, mobile app, application, website, web site, web page, api, endpoint, feature, login, login page, "
        + "authentication, system, service, microservice, backend, back end, frontend, front end, function, class, method, "
        + "library, module, code, codebase, script, bug, crash, parser, compiler, database, schema, plugin, extension, "
        + "tool, program, software, sdk, cli, component, algorithm, swift, python, javascript, typescript, rust, java, "
        + "memory leak, null pointer, repository, game, integration, product, prototype, platform, engine, checkout, "
        + "search engine, chatbot, user account, sign up, page, form, server code, cache, queue"))

  private static let design = Domain(
    name: "design", stage: 2,
    actions: list("design, redesign, sketch, wireframe, mock up, style, user research"),
    verbs: list("draw, illustrate"),
    things: list(
      "ui, ux, user interface, user experience, logo, layout, mockup, wireframe, brand, branding, brand identity, colour, "
        + "color, palette, icon, typography, font, figma, landing page, banner, poster, illustration, onboarding flow, "
        + "dark mode, theme, style guide"))

  private static let quality = Domain(
    name: "quality", stage: 4,
    actions: list(
      "test, review, verify, validate, audit, inspect, qa, quality assurance, code review, unit test, proof"),
    verbs: list("check, benchmark, measure, confirm"),
    things: list(
      "quality, security, test coverage, coverage, regression, accessibility, compliance, vulnerability, test plan, "
        + "test case, load test, test suite, edge case, acceptance criteria"))

  private static let operations = Domain(
    name: "operations", stage: 5,
    actions: list(
      "deploy, monitor, migrate, provision, back up, backup, restart, scale, roll back, rollback, roll out, patch, "
        + "host, restore"),
    verbs: list("install, configure, set up, upgrade, maintain, run, rotate"),
    things: list(
      "server, cluster, kubernetes, docker, container, pipeline, ci, infrastructure, production, staging, uptime, outage, "
        + "incident, dns, certificate, cloud, aws, network, disk, alert, on call, deployment, linux, terraform, log file"
    ))

  private static let writing = Domain(
    name: "writing", stage: 6,
    actions: list("document, summarise, summarize, translate, proofread, blog, paraphrase"),
    verbs: list("write, rewrite, draft, edit, compose, publish, shorten"),
    things: list(
      "documentation, docs, report, article, blog post, post, email, mail, readme, release notes, tutorial, guide, "
        + "summary, essay, newsletter, copy, press release, proposal, story, poem, letter, speech, manual, translation, "
        + "campaign, marketing, announcement, paragraph, chapter, book, faq, changelog, white paper, headline, text"))

  private static let data = Domain(
    name: "data", stage: 2,
    actions: list(
      "analyse, analyze, visualise, visualize, forecast, aggregate, crunch, plot, data analysis, data mining"),
    verbs: list("calculate, query, clean, predict, estimate, count, track"),
    things: list(
      "data, dataset, data set, statistics, metrics, sql, spreadsheet, csv, analytics, kpi, dashboard, chart, graph, "
        + "machine learning, etl, data pipeline, data warehouse, survey results, sales figures, numbers, histogram, "
        + "time series, cohort, correlation, churn"))

  private static let builtInImplications = [
    Implication(
      words: list("mobile app, app, website, web site, web page, user interface, frontend, front end, game, checkout"),
      with: ["development"], onlyWhenMaking: true, needs: ["design"], reason: "people will look at it"),
    Implication(
      words: list("launch, release, ship, go live, roll out, publish"), with: ["development"], onlyWhenMaking: true,
      needs: ["quality"], reason: "what goes out has to be tested first"),
  ]

  private static let builtInCues: [Cue: [String]] = [
    .greetings: list(
      "hi, hi all, hi there, hi everyone, hello, hello all, hello there, hello everyone, hey, hey there, hey all, "
        + "good morning, good afternoon, good evening, good night, good morning everyone, how are you, how are you doing, "
        + "how are you today, how are you all, how do you do, how is it going, what up, nice to meet you, ok, okay, "
        + "cheers, welcome, bye, goodbye, hallo, guten tag, guten morgen, wie geht, hola, buenos días, bonjour, salut, "
        + "ça va, comment ça va, ciao, olá, hej, привет, как дела, こんにちは, 你好, مرحبا"),
    .thanks: list("thanks, thank you, thx, danke, gracias, merci, grazie, obrigado, спасибо, 谢谢"),
    .aboutCoordinator: list(
      "who are you, what are you, what is this, what do you do, what can you do, what can i ask you, how do you work, "
        + "who is here, who is there, who here, who there, which bots, what bots, which bots are there, "
        + "which bots are here, what bots are there, what bots are here, which bots do you have, which bots do you know, "
        + "list bots, list the bots, list all bots, help, status"),
    .making: list("build, create, make, develop, launch, produce, implement, ship, set up, from scratch"),
    .discussion: list(
      "should we, should i, should our, shall we, do you think, do we think, does the team, do you all, your opinion, "
        + "do we want, do we need, are we ready, pros and cons, what is everyone, do you agree, do we agree"),
    .discussionOpeners: list(
      "should, shall, is it worth, is it better, is it a good idea, is it a bad idea, would it be a good idea, is it wise, "
        + "would it be wise, is it sensible, would it be better, which is better, would you rather, is it time to, "
        + "does it make sense, are we better off"),
    .debate: list(
      "discuss, debate, let us decide, decide whether, decide together, vote on, reach a consensus, pros and cons"),
    .debateOpeners: list("vote, poll, opinions, show of hands"),
    .alternatives: list("or, oder, ou"),
    .questionWords: list(
      "who, whom, whose, what, which, when, where, why, how, is, are, was, were, am, do, does, did, has, have, had, can, "
        + "could, will, would, may, might, must, any, anything, anybody, tell, explain, find, get, give"),
    .sequencePostponing: list("before"),
    .sequence: list(
      "then, followed by, afterwards, step by step, one after the other, next, finally, subsequently, before, in order, "
        + "first, in sequence"),
    .sequenceReversed: list("after, once"),
    .gates: list("review, audit, approval, sign off, inspection, certification, code review, proofreading"),
    .gateMarks: list("with, after, pending, subject to, including, under, needs, requires, plus"),
    .parallel: list(
      "in parallel, at the same time, simultaneously, concurrently, meanwhile, independently, side by side, separately"),
    .large: list(
      "distributed, enterprise, large, complex, entire, whole, complete, end to end, from scratch, platform, architecture, "
        + "scalable, microservice, migrate, multi, full, production ready, high availability, company wide, real time"),
    .small: list("typo, quick, quickly, small, simple, simply, minor, tiny, just, trivial, one line, short, rename"),
    .topicMarks: list(
      "about, regarding, concerning, on the subject of, on the topic of, explaining how, explaining why"),
    .determiners: list(
      "the, a, an, my, our, your, his, her, its, their, this, these, those, some, any, each, every, all"),
    .objectEnds: list(
      "and, or, then, for, to, with, of, in, on, at, about, that, which, who, from, by, so, because, using, before, after, "
        + "while, into"),
  ]
}
