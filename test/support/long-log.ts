import { findHead } from "../../audit/head.ts";
import { openForWriting } from "../../audit/database.ts";
import { DataFolder, World } from "../vault/world.ts";
import { bulkRows } from "./audit-fixture.ts";

/** Nothing is left to be done after it, as after most rows of an old log. */
function login(seq: number, at: string, nonce: string): string {
  return `{"$at":"${at}","$cause":null,"$kind":"web.login","$seq":${seq},"nonce":"${nonce}","web":"w_${nonce.slice(0, 26)}"}`;
}

/** Makes the log of a data directory longer, signed with its own key, as if it had been in use for long. Nobody may have it open.
 *  @param data the data directory, without a keychain and without a passphrase. */
export async function growLog(data: string, rows: number): Promise<void> {
  const folder = new DataFolder(data);
  const { vault, log } = await World.open(folder);
  const { origin } = log.genesis;
  await log.close();
  const database = openForWriting(folder.log);
  const { head } = findHead(database);
  database.close();
  bulkRows(folder.log, origin, vault.signer(), { ...head, at: head.timeline.last, step: 0, body: login }, rows);
  vault.close();
}
