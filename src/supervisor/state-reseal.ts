import type { AuditLog } from "../../audit/log.ts";
import type { StateSealer } from "../../vault/state-seal.ts";
import { labelledPath } from "./label-rows.ts";
import { idWrittenIn } from "./written.ts";
import { type Fields, named, type StateDatabase } from "./state-database.ts";

/** Seals every personal column of the projection under another key, and finds its rows by that: nothing of it is lost with the former key, not even what
 *  the log does not say. A table that has such a column has its line here. All of it, or nothing.
 *  @param log says which message a platform's number was of: where that is erased, the number is let go, and only a redelivery would be met again. */
export function resealState(database: StateDatabase, newest: StateSealer, log: Pick<AuditLog, "row">): void {
  database.reseal(newest, (seal) => {
    const read = (place: string, value: unknown): [string, Uint8Array] => {
      const text = database.opened(place, value);
      return [text, seal.seal(place, text)];
    };
    for (const { principal, name } of rowsOf(database, "person"))
      database.run(
        "UPDATE person SET name = ? WHERE principal = ?",
        read(`person/${String(principal)}`, name)[1],
        principal,
      );
    for (const { found, channel, who } of rowsOf(database, "identity")) {
      const text = database.opened(`identity/${String(found)}`, who);
      const now = seal.index("identity", String(channel), named(text)[0] ?? "");
      const sealed = seal.seal(`identity/${now}`, text);
      database.run("UPDATE identity SET found = ?, who = ? WHERE found = ?", now, sealed, found);
    }
    for (const { pairing, channel, who } of rowsOf(database, "pairing")) {
      const [text, sealed] = read(`pairing/${String(pairing)}`, who);
      const [code, sender] = named(text);
      database.run(
        "UPDATE pairing SET found_code = ?, found_sender = ?, who = ? WHERE pairing = ?",
        seal.index("code", code ?? ""),
        typeof sender === "string" ? seal.index("identity", String(channel), sender) : null,
        sealed,
        pairing,
      );
    }
    for (const { conversation, channel, place } of rowsOf(database, "conversation")) {
      const [text, sealed] = read(`conversation/${String(conversation)}`, place);
      const [where = "", thread = ""] = text.split("\n");
      const found = seal.index("conversation", String(channel), where, thread);
      database.run("UPDATE conversation SET found = ?, place = ? WHERE conversation = ?", found, sealed, conversation);
    }
    for (const { found, seq } of rowsOf(database, "seen")) {
      const row = log.row(Number(seq));
      const kind = row?.action.kind;
      const number = kind === "message.received" || kind === "message.changed" ? row?.content("platform") : null;
      if (
        (row?.action.kind !== "message.received" && row?.action.kind !== "message.changed") ||
        typeof number !== "string"
      )
        database.run("DELETE FROM seen WHERE found = ?", found);
      else
        database.run(
          "UPDATE seen SET found = ? WHERE found = ?",
          seal.index("seen", row.action.channel, number),
          found,
        );
    }
    for (const { found, seq } of rowsOf(database, "written")) {
      const row = log.row(Number(seq));
      const id = row === null ? null : idWrittenIn(row);
      if (row?.action.kind !== "message.received" || id === null)
        database.run("DELETE FROM written WHERE found = ?", found);
      else
        database.run(
          "UPDATE written SET found = ? WHERE found = ?",
          seal.index("written", row.action.channel, id),
          found,
        );
    }
    for (const { channel, cursor } of rowsOf(database, "cursor"))
      database.run(
        "UPDATE cursor SET cursor = ? WHERE channel = ?",
        read(`cursor/${String(channel)}`, cursor)[1],
        channel,
      );
    for (const { approval, channel, conversation, ids } of rowsOf(database, "card"))
      database.run(
        "UPDATE card SET ids = ? WHERE approval = ? AND channel = ? AND conversation = ?",
        read(`card/${String(approval)}/${String(conversation)}`, ids)[1],
        approval,
        channel,
        conversation,
      );
    for (const { found, entry } of rowsOf(database, "file_label")) {
      const text = database.opened(`file_label/${String(found)}`, entry);
      const now = seal.index("file_label", labelledPath(text));
      const sealed = seal.seal(`file_label/${now}`, text);
      database.run("UPDATE file_label SET found = ?, entry = ? WHERE found = ?", now, sealed, found);
    }
  });
}

/** All rows, before the first of them is changed. */
function rowsOf(database: StateDatabase, table: string): Fields[] {
  return database.many(`SELECT * FROM ${table}`);
}
