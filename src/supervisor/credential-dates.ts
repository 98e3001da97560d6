import type { AuditLog } from "../../audit/log.ts";
import type { Credential, Vault } from "../../vault/vault.ts";

/** So long before it expires somebody is told. */
const WARN_MS = 7 * 24 * 3_600_000;
const DAY_MS = 24 * 3_600_000;
const LOOK_MS = 3_600_000;
/** Rows of this kind that are looked through for today's. */
const LOOK_BACK = 1_000;

interface Due {
  readonly scope: string;
  readonly version: number;
  readonly what: "expires" | "rotation";
  readonly at: string;
  readonly sentence: string;
}

/** Watches when credentials expire or should be replaced, and tells: in the status, in the operational log, and once a day in a row. */
export class CredentialDates {
  readonly #vault: () => Vault;
  readonly #log: AuditLog;
  readonly #now: () => number;
  readonly #line: (role: string, line: string) => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: {
    vault: () => Vault;
    log: AuditLog;
    now: () => number;
    line: (role: string, line: string) => void;
  }) {
    this.#vault = parts.vault;
    this.#log = parts.log;
    this.#now = parts.now;
    this.#line = parts.line;
  }

  /** Looks now, and every hour. */
  start(): void {
    const look = (): void =>
      void this.look().catch((error: unknown) =>
        this.#line(
          "vault",
          `credentials that are due could not be recorded: ${error instanceof Error ? error.message : "error"}`,
        ),
      );
    look();
    this.#timer ??= setInterval(look, LOOK_MS);
    this.#timer.unref();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** A sentence for each credential that wants doing. */
  notes(): string[] {
    return this.#due().map(({ sentence }) => sentence);
  }

  /** Tells what is due and was not told today. */
  async look(): Promise<void> {
    const due = this.#due();
    if (due.length === 0) return;
    const told = new Set<string>();
    // Of the last day alone: the log is not searched to its beginning.
    const since = new Date(this.#now() - DAY_MS).toISOString();
    for (const { at, action } of await this.#log.search({ kind: "credential.due", since, limit: LOOK_BACK })) {
      if (at <= since) continue;
      if (action.kind === "credential.due") told.add(`${action.scope} ${action.version} ${action.what}`);
    }
    for (const { scope, version, what, at, sentence } of due) {
      if (told.has(`${scope} ${version} ${what}`)) continue;
      this.#line("vault", sentence);
      await this.#log.append({ kind: "credential.due", scope, version, what, at }, { cause: null });
    }
  }

  #due(): Due[] {
    return this.#vault()
      .credentials()
      .flatMap((one) => dueOf(one, this.#now()));
  }
}

/** What is due of one credential. @param now milliseconds since 1970. */
function dueOf({ scope, version, expires, rotationDue }: Credential, now: number): Due[] {
  const name = scope.replace(/^(?:channel|provider)\//, "");
  const mend = `wirken vault rotate ${name}`;
  const due: Due[] = [];
  if (expires !== null && Date.parse(expires) - now <= WARN_MS) {
    const sentence =
      Date.parse(expires) <= now
        ? `the credential of ${name} expired on ${expires.slice(0, 10)} and is refused: ${mend}`
        : `the credential of ${name} expires on ${expires.slice(0, 10)}: ${mend}`;
    due.push({ scope, version, what: "expires", at: expires, sentence });
  }
  if (rotationDue !== null && Date.parse(rotationDue) - now <= WARN_MS)
    due.push({
      scope,
      version,
      what: "rotation",
      at: rotationDue,
      sentence: `the credential of ${name} should be replaced by ${rotationDue.slice(0, 10)}: ${mend}`,
    });
  return due;
}
