import type { AuditLog } from "../../audit/log.ts";
import { VaultError } from "../../vault/error.ts";
import { Secret } from "../../vault/secret.ts";
import type { Credential, Vault } from "../../vault/vault.ts";
import { AdapterChannel, PLATFORMS, platformOf, talks } from "../ipc/channel.ts";
import { mayBe } from "../ipc/credential-shape.ts";
import type { NamedBytes } from "../ipc/named-bytes.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { isPlain, PLATFORM_CREDENTIALS, type PlatformCredential, wantedOf } from "../ipc/platform-credentials.ts";
import { canBeChecked, type CredentialView } from "../ipc/vault-calls.ts";
import { refuseUnexchanged, toKeep } from "./exchanged.ts";
import { PROXY_CREDENTIAL } from "./network.ts";
import { OperatorError } from "./operator-error.ts";
import type { By, People } from "./people.ts";
import type { SecretOf } from "./processes.ts";
import type { VaultKeeper } from "./vault-keeper.ts";

/** What a platform says of a candidate, asked by a child process of its own. */
export interface Checked {
  readonly result: "good" | "refused" | "unreachable";
  readonly account: string | null;
  readonly sentence: string | null;
  /** What is to be kept in the place of what was given for a login. Whoever keeps it wipes it. */
  readonly instead?: readonly NamedBytes[];
}

export type CheckCandidate = (scope: string, candidate: readonly NamedBytes[]) => Promise<Checked>;

/** Whether a version that was handed to a running child works there. */
export type Verdict =
  | { readonly works: true; readonly account: string | null }
  | { readonly works: false; readonly sentence: string };

/** The newest version of a scope's credential, or null. */
export function secretOf(vault: Vault, scope: string): SecretOf | null {
  const [newest] = vault.credentials(scope);
  return newest === undefined ? null : { scope, version: newest.version, names: newest.names };
}

/** What is no secret in a version of a scope's credential, such as an address; null if it cannot be had, or is a secret. */
export function plainOf(vault: Vault, { scope, version }: SecretOf, name: string): string | null {
  if (!isPlain(name)) return null;
  try {
    using kept = vault.take(scope, name, version);
    return kept.use((bytes) => Buffer.from(bytes).toString("utf8"));
  } catch (error) {
    if (error instanceof VaultError) return null;
    throw error;
  }
}

/** Rows that are looked through for the last check of each credential. */
const LOOK_BACK = 1_000;
/** The name of the one value of a free-named secret. */
export const FREE_NAME = "value";
/** An answer is at most 1 MiB, and one credential up to 9 KiB: 32 hosts of 253 letters. */
const MAX_LISTED_BYTES = 900_000;

/** Where a candidate is to be enrolled, and what is to be known of it. */
export interface Enrolled {
  readonly scope: string;
  readonly check: boolean;
  readonly hosts: readonly string[];
  /** The header that a request carries it in; null: the usual one. */
  readonly header?: string | null;
  readonly expires: string | null;
  readonly rotationDue: string | null;
}

export interface CredentialsParts {
  readonly log: AuditLog;
  readonly keeper: VaultKeeper;
  readonly people: People;
  readonly check: CheckCandidate;
  readonly now: () => number;
  /** When each scope's credential was last handed over. */
  readonly lastUses: () => ReadonlyMap<string, string>;
  /** A channel's credentials are there: enable it. @returns sentences. */
  readonly channelAdded: (channel: AdapterChannel, who: By) => Promise<string[]>;
  readonly channelRemoved: (channel: AdapterChannel) => Promise<void>;
  /** A provider's key is there. @returns sentences: whose model it became, or nothing. */
  readonly providerAdded: (provider: string) => Promise<string[]>;
  readonly providerRemoved: (provider: string) => Promise<void>;
  /** What opens the proxy is another, or gone. */
  readonly proxyChanged: () => Promise<void>;
  /** The provider's name is known, by us or by the configuration. */
  readonly knowsProvider: (provider: string) => boolean;
}

/** Enrolling, listing and removing what opens the outside world. A value goes in, and never out but to the one child that needs it. */
export class Credentials {
  readonly #parts: CredentialsParts;

  constructor(parts: CredentialsParts) {
    this.#parts = parts;
  }

  /** Scopes after `after`, as many as fit into one answer. */
  list(after: string | null = null): { credentials: CredentialView[]; more: boolean } {
    const used = this.#parts.lastUses();
    const results = this.#lastResults();
    const all = this.#parts.keeper.vault.credentials().filter(({ scope }) => after === null || scope > after);
    const credentials: CredentialView[] = [];
    let left = MAX_LISTED_BYTES;
    for (const one of all) {
      const view = viewOf(one, used.get(one.scope) ?? null, results.get(one.scope) ?? null);
      left -= Buffer.byteLength(JSON.stringify(view)) + 1;
      if (left < 0) return { credentials, more: true };
      credentials.push(view);
    }
    return { credentials, more: false };
  }

  /** What each credential's platform said the last time, where that is not long ago. */
  #lastResults(): Map<string, NonNullable<CredentialView["lastCheck"]>> {
    const results = new Map<string, NonNullable<CredentialView["lastCheck"]>>();
    for (const { at, action } of this.#parts.log.rows({ kind: "credential.checked", limit: LOOK_BACK }))
      if (action.kind === "credential.checked" && !results.has(action.scope))
        results.set(action.scope, { result: action.result, at });
    return results;
  }

  /** A child works with this version. It is confirmed, unless it was before or is no longer the newest. */
  async worked({ scope, version }: SecretOf, account: string | null): Promise<void> {
    const [newest] = this.#parts.keeper.vault.credentials(scope);
    if (newest?.version !== version || (newest.checked !== null && newest.fallback === null)) return;
    await this.confirm(scope, account ?? newest.account);
  }

  /** A child does not work with this version. @returns what is in force instead; null where there is nothing to go back to. */
  async failed({ scope, version }: SecretOf): Promise<SecretOf | null> {
    const { vault } = this.#parts.keeper;
    const [newest] = vault.credentials(scope);
    if (newest?.version !== version || newest.fallback === null) return null;
    await this.rollBack(scope);
    return secretOf(vault, scope);
  }

  /** The newest version worked: those before it are destroyed. @param account whom the platform says it belongs to. @throws {OperatorError}. */
  async confirm(scope: string, account: string | null): Promise<void> {
    const { keeper, log, now } = this.#parts;
    const [newest] = keeper.vault.credentials(scope);
    if (newest === undefined) throw absent(scope);
    const checked = new Date(now()).toISOString();
    await keeper.vault.change({ change: "account", scope, checked, account }, keeper.recorder(null));
    await log.append({ kind: "credential.confirmed", scope, version: newest.version }, { cause: null });
  }

  /** The newest version did not work: it is destroyed, and the one before is in force again. @returns the version that now is. @throws {OperatorError}. */
  async rollBack(scope: string): Promise<number> {
    const { keeper, log } = this.#parts;
    const [newest] = keeper.vault.credentials(scope);
    if (newest === undefined) throw absent(scope);
    if (newest.fallback === null)
      throw new OperatorError(
        "not-found",
        `there is no version of ${scope} to go back to`,
        "enrol it anew: wirken vault add",
      );
    await keeper.vault.change({ change: "rollback", scope }, keeper.recorder(null));
    const to = newest.version + 1;
    await log.append({ kind: "credential.rolledback", scope, version: newest.version, to }, { cause: null });
    return to;
  }

  /** Checks a candidate with its platform, seals it, and puts it to use. The candidate's bytes are wiped whatever happens. */
  async add(given: Enrolled, candidate: readonly NamedBytes[], who: By): Promise<AnswerTo<"vault.add">> {
    try {
      return await this.#add(given, candidate, who);
    } finally {
      for (const { bytes } of candidate) bytes.fill(0);
    }
  }

  async #add(given: Enrolled, candidate: readonly NamedBytes[], who: By): Promise<AnswerTo<"vault.add">> {
    const { keeper, people } = this.#parts;
    const { scope } = given;
    const what = this.expect(scope, candidate);
    const check = given.check && canBeChecked(scope);
    this.refusePast(given);
    const notes: string[] = [];
    const protectedNow = await keeper.ensureProtected(who);
    if (protectedNow !== null) notes.push(protectedNow);
    const checked = check ? await this.#parts.check(scope, candidate) : null;
    if (checked?.result === "refused") {
      throw new OperatorError(
        "bad-answer",
        checked.sentence ?? `${scope} was refused by its platform`,
        "nothing was saved",
      );
    }
    refuseUnexchanged(scope, candidate, checked);
    if (checked?.result === "unreachable")
      notes.push(
        `${checked.sentence ?? "the platform could not be reached"}: saved unchecked, and checked at the next start`,
      );
    const good = checked?.result === "good";
    const version = await this.save(given, toKeep(scope, candidate, checked), checked, who);
    const account = checked?.account ?? null;
    if (good && version > 1) await this.confirm(scope, account);
    if (what.kind === "network") await this.#parts.proxyChanged();
    if (what.kind === "secret" || what.kind === "network") return { checked: false, account, notes, owner: null };
    if (what.kind === "provider") {
      notes.push(...(await this.#parts.providerAdded(what.provider)));
      return { checked: good, account, notes, owner: null };
    }
    notes.push(...(await this.#parts.channelAdded(what.channel, who)));
    // Nobody can send a code where nothing is heard.
    if (!talks(platformOf(what.channel))) return { checked: good, account, notes, owner: null };
    const { code, until } = await people.invite(what.channel, who);
    const bot = account === null ? null : /^@(\w{3,64})$/.exec(account)?.[1];
    const link =
      platformOf(what.channel) === "telegram" && bot !== null && bot !== undefined
        ? `https://t.me/${bot}?start=${code}`
        : null;
    return { checked: good, account, notes, owner: { code, link, until } };
  }

  /** @throws {OperatorError} for a date that is past. */
  refusePast({ expires, rotationDue }: Pick<Enrolled, "expires" | "rotationDue">): void {
    for (const [word, at] of [
      ["expires", expires],
      ["is to be replaced by", rotationDue],
    ] as const)
      if (at !== null && Date.parse(at) <= this.#parts.now())
        throw new OperatorError(
          "usage",
          `this credential ${word} ${at.slice(0, 10)}, which is past`,
          "nothing was saved",
        );
  }

  /** Seals a candidate as a new version. @returns its number. */
  async save(
    given: Omit<Enrolled, "check">,
    candidate: readonly NamedBytes[],
    checked: Checked | null,
    who: By,
  ): Promise<number> {
    const { log, keeper, now } = this.#parts;
    const { scope } = given;
    const good = checked?.result === "good";
    const account = checked?.account ?? null;
    const secrets = candidate.map(({ name, bytes }) => ({ name, secret: Secret.take(bytes) }));
    const created = new Date(now()).toISOString();
    try {
      await keeper.vault.change(
        {
          change: "add",
          scope,
          secrets,
          metadata: {
            created,
            checked: good ? created : null,
            account,
            hosts: given.hosts,
            ...(given.header === undefined || given.header === null ? {} : { header: given.header }),
            expires: given.expires,
            rotationDue: given.rotationDue,
          },
        },
        keeper.recorder(null),
      );
    } finally {
      for (const { secret } of secrets) secret[Symbol.dispose]();
    }
    const version = keeper.vault.credentials(scope)[0]?.version ?? 1;
    await log.append(
      { kind: "credential.added", scope, version, checked: good ? "yes" : "no", ...who },
      { cause: null, ...(account === null ? {} : { content: { account } }) },
    );
    return version;
  }

  /** @throws {OperatorError} unless the scope is known and the candidate holds exactly what it needs. */
  expect(
    scope: string,
    candidate: readonly NamedBytes[],
  ):
    | { kind: "provider"; provider: string }
    | { kind: "channel"; channel: AdapterChannel }
    | { kind: "secret" }
    | { kind: "network" } {
    const [kind = "", name = ""] = scope.split("/");
    const names = candidate.map((entry) => entry.name);
    if (kind === "network") {
      const [given] = candidate;
      if (names.join() !== PROXY_CREDENTIAL || given === undefined || !isUserAndPassword(given.bytes))
        throw new OperatorError("usage", "a proxy's credential is USER:PASSWORD", "nothing was saved");
      return { kind: "network" };
    }
    if (kind === "secret") {
      if (names.join() !== FREE_NAME) throw new OperatorError("usage", `${scope} is one value`);
      return { kind: "secret" };
    }
    if (kind === "provider") {
      if (!this.#parts.knowsProvider(name)) {
        throw new OperatorError(
          "usage",
          `${name} is not a provider known here`,
          "name it in config.json under providers first, with its baseUrl",
        );
      }
      if (names.join() !== "api-key")
        throw new OperatorError("usage", `provider/${name} needs one credential: api-key`);
      return { kind: "provider", provider: name };
    }
    const channel = AdapterChannel.safeParse(name);
    if (!channel.success)
      throw new OperatorError(
        "usage",
        `${name} is not a channel known here`,
        `channels are ${PLATFORMS.join(", ")}, or one of these with a name: slack:acme`,
      );
    const fits = (called: string, looksLike: string, form: PlatformCredential["kind"] = "secret"): boolean => {
      const bytes = candidate.find((entry) => entry.name === called)?.bytes;
      return bytes !== undefined && mayBe({ kind: form, looksLike }, bytes);
    };
    const needed = wantedOf(PLATFORM_CREDENTIALS[platformOf(channel.data)], fits).filter(
      (entry) => entry.optional !== true || names.includes(entry.name),
    );
    if (
      names.toSorted().join() !==
      needed
        .map((entry) => entry.name)
        .toSorted()
        .join()
    ) {
      throw new OperatorError("usage", `${scope} needs ${needed.map((entry) => entry.name).join(" and ")}`);
    }
    for (const { name: called, looksLike, label, kind: form } of needed) {
      if (!fits(called, looksLike, form))
        throw new OperatorError("usage", `this is not a ${label}`, "nothing was saved");
    }
    return { kind: "channel", channel: channel.data };
  }

  async remove(scope: string, who: By): Promise<number> {
    const { keeper, log } = this.#parts;
    const [kind = "", name = ""] = scope.split("/");
    const known = keeper.vault.credentials(scope);
    if (known.length === 0) throw absent(scope);
    keeper.refuseLocked();
    // What reduces authority is done first: the child that holds it ends before the vault forgets it.
    if (kind === "channel") await this.#parts.channelRemoved(AdapterChannel.parse(name));
    else if (kind === "provider") await this.#parts.providerRemoved(name);
    await keeper.vault.change({ change: "remove", scope }, keeper.recorder(null));
    // Nor does one go on that was started between the two.
    if (kind === "channel") await this.#parts.channelRemoved(AdapterChannel.parse(name));
    await log.append({ kind: "credential.removed", scope, ...who }, { cause: null });
    if (kind === "network") await this.#parts.proxyChanged();
    return known.length;
  }
}

function viewOf(one: Credential, lastUsed: string | null, lastCheck: CredentialView["lastCheck"]): CredentialView {
  const { scope, names, version, fallback, created, checked, account, expires, rotationDue, hosts, header } = one;
  return {
    scope,
    names: [...names],
    version,
    fallback,
    created,
    checked: checked !== null,
    // What was said of a version before says nothing of this one.
    lastCheck: lastCheck !== null && lastCheck.at >= created ? lastCheck : null,
    account,
    expires,
    rotationDue,
    lastUsed,
    hosts: [...hosts],
    header: header ?? null,
  };
}

function absent(scope: string): OperatorError {
  return new OperatorError(
    "not-found",
    `there is no credential at ${scope}`,
    "run wirken vault list to see what there is",
  );
}

/** Without a line of its own, which would be another header of the request to the proxy. */
function isUserAndPassword(bytes: Uint8Array): boolean {
  const colon = bytes.indexOf(58);
  return (
    colon > 0 &&
    bytes.length > colon + 1 &&
    bytes.length <= 1024 &&
    bytes.every((byte) => byte >= 0x20 && byte !== 0x7f)
  );
}
