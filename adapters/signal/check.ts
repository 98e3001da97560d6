import type { Checked, Credentials, Start } from "../adapter.ts";
import { AccountError, holdsAccount } from "./account.ts";
import { Daemon, daemonPlace } from "./daemon.ts";

/** Asks the signal-cli daemon on this machine whether it holds the account. */
export async function check(credentials: Credentials, start: Start): Promise<Checked> {
  const daemon = new Daemon(daemonPlace(credentials, start));
  try {
    return { account: await holdsAccount(daemon, credentials, start) };
  } catch (error) {
    if (!(error instanceof AccountError)) throw error;
    return { failure: error.failure, sentence: error.message };
  } finally {
    daemon.close();
  }
}
