import Spool
import SpoolFormat
let dir = CommandLine.arguments[1]
do {
  try Spool.create(at: dir)
  let spool = try Spool(at: dir)
  try spool.register(Card(name: try BotName(parsing: "coder")))
  var m = Message(content: "hello"); m.to = ["coder"]; m.from = "me"
  print(try spool.send(m))
  let inbox = try Inbox(spool, try BotName(parsing: "coder"))
  while let c = try inbox.claim() { print(c.token, c.message); try spool.ack(c.bot, c.name) }
  for e in try History(spool).newest(.init(), limit: 10) { print(e.kind, e.subject, e.time.rfc3339) }
} catch { print(error) }
