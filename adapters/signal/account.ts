import * as z from "zod/mini";
import type { Credentials, Start } from "../adapter.ts";
import { whyUnreachable } from "../failure.ts";
import {
  type Daemon,
  DaemonError,
  type DaemonPlace,
  daemonPlace,
  NO_SUCH_METHOD,
  NotTheDaemonError,
} from "./daemon.ts";

/** signal-cli answers from its own files. */
const ANSWER_MS = 10_000;
/** This it asks Signal. */
const STATUS_MS = 30_000;

const Accounts = z.array(z.object({ number: z.string() }));
const Statuses = z.array(z.object({ uuid: z.optional(z.nullable(z.string())) }));

/** The account that the owner linked: the bot is that person's own account. */
export interface Account {
  readonly number: string;
  /** Signal's stable id of it (ACI). */
  readonly uuid: string;
}

/** Why it cannot be used, and what is to be done. */
export class AccountError extends Error {
  override readonly name = "AccountError";
  readonly failure: "refused" | "unreachable" | "other";
  constructor(failure: "refused" | "unreachable" | "other", sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.failure = failure;
  }
}

/** Finds the account in what signal-cli holds. @throws {AccountError} */
export async function holdsAccount(daemon: Daemon, credentials: Credentials, start: Start): Promise<string> {
  const number = (credentials.get("account") ?? "").trim();
  const place = daemonPlace(credentials, start);
  let listed: unknown;
  try {
    listed = await daemon.call("listAccounts", {}, ANSWER_MS);
  } catch (error) {
    throw accountError(error, place);
  }
  const accounts = Accounts.safeParse(listed);
  if (!accounts.success) throw new AccountError("other", "signal-cli answered with an error");
  if (!accounts.data.some((one) => one.number === number))
    throw new AccountError(
      "refused",
      "signal-cli does not hold this account: link it with signal-cli link, and scan the code with the telephone",
    );
  return number;
}

/** The account with its id, which Signal is asked for. @throws {AccountError} */
export async function identify(daemon: Daemon, credentials: Credentials, start: Start): Promise<Account> {
  const number = await holdsAccount(daemon, credentials, start);
  let answer: unknown;
  try {
    answer = await daemon.call("getUserStatus", { account: number, recipient: [number] }, STATUS_MS);
  } catch (error) {
    throw accountError(error, daemonPlace(credentials, start));
  }
  const uuid = Statuses.safeParse(answer).data?.[0]?.uuid ?? null;
  if (uuid === null)
    throw new AccountError("refused", "Signal does not know this account any more: link it again with signal-cli link");
  return { number, uuid: uuid.toLowerCase() };
}

function accountError(error: unknown, { shown, option }: DaemonPlace): AccountError {
  if (error instanceof NotTheDaemonError)
    return new AccountError("other", `what listens at ${shown} is not signal-cli`);
  if (error instanceof DaemonError && error.code === NO_SUCH_METHOD)
    return new AccountError("other", "signal-cli was started for one account: start its daemon without --account");
  if (error instanceof DaemonError && /receives by itself/.test(error.message))
    return new AccountError("other", BY_ITSELF);
  // What follows may be a telephone number, which nobody needs in a log.
  if (error instanceof DaemonError) return new AccountError("other", `signal-cli refused (${error.code})`);
  return new AccountError(
    "unreachable",
    `signal-cli does not answer at ${shown} (${whyUnreachable(error)}): start it with signal-cli daemon ${option} --receive-mode=manual`,
    { cause: error },
  );
}

/** Whoever is connected gets what comes then, once, and it is gone with them. */
export const BY_ITSELF =
  "signal-cli hands out messages by itself, and one that comes while nobody listens would be lost: start its daemon with --receive-mode=manual";
