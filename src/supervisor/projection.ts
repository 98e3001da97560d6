import type { CommittedRow } from "../../audit/log.ts";
import { PAIRING_MINUTES, type StateDatabase } from "./state-database.ts";

/** What a row of a conversation is to its transcript. */
const SAID = ["message", "told", "model", "answer", "cut", "call", "result", "refusal", "notice", "compacted"] as const;
export type Said = (typeof SAID)[number];

export function isSaid(what: string): what is Said {
  return (SAID as readonly string[]).includes(what);
}

/** What one row changes in the projection. Kinds that are not named change nothing. */
export function project(database: StateDatabase, { seq, at, cause, action, content }: CommittedRow): void {
  switch (action.kind) {
    case "person.added":
      database.run(
        "INSERT INTO person VALUES (?, ?, ?, ?)",
        action.principal,
        action.role,
        database.seal(`person/${action.principal}`, content("name") ?? "[erased]"),
        at,
      );
      return;
    case "person.changed":
      database.run("UPDATE person SET role = ? WHERE principal = ?", action.role, action.principal);
      return;
    case "person.revoked":
      database.run("DELETE FROM identity WHERE principal = ?", action.principal);
      database.run("DELETE FROM person WHERE principal = ?", action.principal);
      // What they wrote and nobody has begun is not begun any more.
      database.run("UPDATE message SET state = 'ended' WHERE principal = ? AND state = 'received'", action.principal);
      return;
    case "identity.linked": {
      const sender = content("sender");
      if (sender === null) return;
      const found = database.index("identity", action.channel, sender);
      database.run("DELETE FROM identity WHERE found = ?", found);
      database.run(
        "INSERT INTO identity VALUES (?, ?, ?, ?)",
        found,
        action.channel,
        action.principal,
        database.seal(`identity/${found}`, JSON.stringify([sender, content("name") ?? "[erased]"])),
      );
      return;
    }
    case "identity.unlinked": {
      const sender = content("sender");
      if (sender !== null)
        database.run("DELETE FROM identity WHERE found = ?", database.index("identity", action.channel, sender));
      return;
    }
    case "pair.requested":
    case "pair.invited": {
      const code = content("code");
      if (code === null) return;
      const invited = action.kind === "pair.invited";
      const expires = invited ? action.until : new Date(Date.parse(at) + PAIRING_MINUTES * 60_000).toISOString();
      const sender = invited ? null : content("sender");
      const name = invited ? "" : (content("name") ?? "[erased]");
      database.run(
        "INSERT INTO pairing VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        action.pairing,
        action.channel,
        database.index("code", code),
        sender === null ? null : database.index("identity", action.channel, sender),
        database.seal(`pairing/${action.pairing}`, JSON.stringify([code, sender, name])),
        invited ? "invitation" : "request",
        at,
        expires,
        seq,
      );
      return;
    }
    case "pair.approved":
      database.run("DELETE FROM pairing WHERE pairing = ?", action.pairing);
      return;
    case "secret.used":
      database.run(
        "INSERT INTO used VALUES (?, ?, ?) ON CONFLICT (scope) DO UPDATE SET version = excluded.version, at = excluded.at",
        action.scope,
        action.version,
        at,
      );
      return;
    case "halt.begun":
      database.run(
        "INSERT INTO halt VALUES (?, ?, ?, ?, ?)",
        action.halt,
        action.agent ?? "",
        action.session ?? "",
        seq,
        at,
      );
      return;
    case "incident.opened":
      database.run("INSERT INTO incident VALUES (?, ?, ?, ?)", action.incident, seq, at, action.halted);
      return;
    case "incident.closed":
      database.run("DELETE FROM incident WHERE incident = ?", action.incident);
      return;
    case "halt.ended":
      database.run("DELETE FROM halt WHERE halt = ?", action.halt);
      return;
    case "conversation.opened": {
      const place = content("place");
      if (place === null) return;
      const [where = "", thread = ""] = place.split("\n");
      database.run(
        "INSERT INTO conversation VALUES (?, ?, ?, ?, ?)",
        action.conversation,
        action.channel,
        database.index("conversation", action.channel, where, thread),
        database.seal(`conversation/${action.conversation}`, place),
        action.talk,
      );
      return;
    }
    case "session.opened":
      database.run(
        "INSERT INTO session VALUES (?, ?, ?, ?, ?, 0)",
        action.session,
        action.conversation,
        action.channel,
        action.agent,
        at,
      );
      return;
    case "session.closed":
      database.run("UPDATE session SET closed = 1 WHERE session = ?", action.session);
      // Nobody begins with it any more.
      if (action.reason === "removed" || action.reason === "closed")
        database.run("UPDATE message SET state = 'ended' WHERE state = 'received' AND session = ?", action.session);
      return;
    case "message.received": {
      const dedupe = content("platform");
      if (dedupe !== null)
        database.run("INSERT INTO seen VALUES (?, ?, ?)", database.index("seen", action.channel, dedupe), seq, at);
      database.run(
        "INSERT INTO message VALUES (?, ?, ?, ?, 'received')",
        action.message,
        action.session,
        action.principal,
        seq,
      );
      database.run("UPDATE session SET last = ? WHERE session = ?", at, action.session);
      return;
    }
    case "content.erasing":
      // What was written and nobody has begun cannot be begun any more.
      database.run(
        "UPDATE message SET state = 'ended' WHERE state = 'received' AND (session = ? OR principal = ?)",
        action.session,
        action.principal,
      );
      return;
    case "turn.started":
      database.run("UPDATE message SET state = 'started' WHERE message = ?", action.message);
      database.run("INSERT INTO turn VALUES (?, ?, ?, ?, 0)", action.turn, action.session, action.message, seq);
      if (action.without === undefined) said(database, seq, action.session, action.turn, "message");
      return;
    case "turn.ended":
      database.run("UPDATE turn SET ended = 1 WHERE turn = ?", action.turn);
      database.run(
        "UPDATE message SET state = 'ended' WHERE message = (SELECT message FROM turn WHERE turn = ?)",
        action.turn,
      );
      database.run("UPDATE session SET last = ? WHERE session = ?", at, action.session);
      return;
    case "model.called":
      // What an agent below says stays with whoever started it: its end is the result of that call.
      if (action.chain !== undefined || action.purpose !== undefined) return;
      said(database, seq, action.session, action.turn, "model");
      return;
    case "tool.called":
      if (action.chain !== undefined) return;
      said(database, seq, action.session, action.turn, "call");
      return;
    case "tool.refused":
      if (action.chain !== undefined) return;
      said(database, seq, action.session, action.turn, "refusal");
      return;
    case "model.answered":
      follow(database, seq, cause, "answer");
      return;
    case "tool.finished":
      follow(database, seq, cause, "result");
      return;
    case "answer.cut":
      if (action.chain !== undefined) return;
      said(database, seq, action.session, action.turn, "cut");
      return;
    case "context.compacted":
      said(database, seq, action.session, action.turn, "compacted");
      return;
    case "message.told":
      said(database, seq, action.session, action.turn, "told");
      return;
    case "message.sent":
      if (action.purpose === "notice" && action.session !== null) said(database, seq, action.session, null, "notice");
      return;
    default:
      return;
  }
}

function said(database: StateDatabase, seq: number, session: string, turn: string | null, what: Said): void {
  database.run("INSERT INTO said VALUES (?, ?, ?, ?)", seq, session, turn, what);
}
function follow(database: StateDatabase, seq: number, cause: number | null, what: Said): void {
  database.run("INSERT INTO said SELECT ?, session, turn, ? FROM said WHERE seq = ?", seq, what, cause);
}
