import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CredentialRenewal, type Renewed, type Renewing } from "../../src/supervisor/credential-renewal.ts";
import { CredentialRotation } from "../../src/supervisor/credential-rotation.ts";
import { Credentials, secretOf, type Verdict } from "../../src/supervisor/credentials.ts";
import { People } from "../../src/supervisor/people.ts";
import type { SecretOf } from "../../src/supervisor/processes.ts";
import { State } from "../../src/supervisor/state.ts";
import { VaultKeeper } from "../../src/supervisor/vault-keeper.ts";
import { type DataFolder, textOf, type World } from "../vault/world.ts";

export const SCOPE = "channel/slack";
export const FIRST = { "bot-token": "xoxe.xoxb-1-first", "app-token": "xapp-1", "refresh-token": "xoxe-1-first" };

/** A platform whose refresh tokens are good for one renewal. It outlives whoever asks it. `grace`: the one of before is taken again until what was given for
 *  it is used. */
export class TokenPlatform {
  readonly #path: string;
  constructor(folder: DataFolder) {
    this.#path = join(folder.path, "platform.json");
    if (!existsSync(this.#path)) this.#write({ refresh: FIRST["refresh-token"], before: "", given: 0 });
  }
  #read(): { refresh: string; before: string; given: number } {
    const state: { refresh: string; before: string; given: number } = JSON.parse(readFileSync(this.#path, "utf8"));
    return state;
  }
  #write(state: object): void {
    writeFileSync(this.#path, JSON.stringify(state));
  }
  get given(): number {
    return this.#read().given;
  }
  takes(refresh: string): boolean {
    return this.#read().refresh === refresh;
  }
  /** @returns what it says to a refresh token. */
  renew(refresh: string, grace: boolean): Renewed {
    const state = this.#read();
    if (state.refresh !== refresh && !(grace && state.before === refresh))
      return { failure: "refused", sentence: "the platform does not renew it" };
    const given = state.given + 1;
    this.#write({ refresh: `xoxe-1-next${given}`, before: refresh, given });
    return { renewed: named({ "bot-token": `xoxe.xoxb-1-next${given}`, "refresh-token": `xoxe-1-next${given}` }) };
  }
}

export function named(values: Readonly<Record<string, string>>): { name: string; bytes: Uint8Array }[] {
  return Object.entries(values).map(([name, text]) => ({ name, bytes: new TextEncoder().encode(text) }));
}

const proxyChanged = (): Promise<void> => Promise.resolve();
const takes = (): Promise<Verdict> => Promise.resolve({ works: true, account: "@wirken" });
const check = (): Promise<{ result: "good"; account: null; sentence: null }> =>
  Promise.resolve({ result: "good", account: null, sentence: null });

/** What the supervisor renews with, over a vault and a log of their own. */
export function renewing(
  { vault, log }: World,
  folder: DataFolder,
  now: () => number = () => Date.now(),
  handOver: () => Promise<Verdict | null> = takes,
) {
  const keeper = new VaultKeeper({
    vault,
    log,
    keepers: folder.keepers,
    probe: () => Promise.resolve("absent"),
    locking: () => Promise.resolve(),
    unlocked: () => Promise.resolve(),
  });
  const state = State.open(join(folder.path, "state.db"), vault.stateSealer());
  const lines: string[] = [];
  const line = (sentence: string): void => void lines.push(sentence);
  const credentials = new Credentials({
    log,
    keeper,
    people: new People(log, state, now, () => Promise.resolve()),
    check,
    now,
    lastUses: () => new Map(),
    channelAdded: () => Promise.resolve([]),
    channelRemoved: () => Promise.resolve(),
    providerAdded: () => Promise.resolve([]),
    providerRemoved: () => Promise.resolve(),
    knowsProvider: () => true,
    proxyChanged,
  });
  const rotation = new CredentialRotation({ log, keeper, credentials, check, now, handOver, line, proxyChanged });
  const renewal = new CredentialRenewal({ log, keeper, credentials, rotation, now, line });
  return { keeper, credentials, rotation, renewal, lines };
}

/** Every value of the newest version. */
export function valuesOf({ vault }: World): Record<string, string> {
  const secret = secretOf(vault, SCOPE);
  if (secret === null) throw new Error("there is no credential");
  return Object.fromEntries(secret.names.map((name) => [name, textOf(vault.take(SCOPE, name, secret.version))]));
}

/** A process that asks a platform. */
export function processOf(
  world: World,
  platform: TokenPlatform,
  more: Partial<Renewing> & { grace?: boolean } = {},
): Renewing & { readonly told: string[] } {
  const secret: SecretOf | null = secretOf(world.vault, SCOPE);
  if (secret === null) throw new Error("there is no credential");
  const { grace = false, ...changed } = more;
  const told: string[] = [];
  return {
    told,
    secret,
    grant: async () => await Promise.resolve(platform.renew(valuesOf(world)["refresh-token"] ?? "", grace)),
    deny: async () => void (await Promise.resolve(told.push("denied"))),
    unkept: () => Promise.resolve(null),
    kept: async ({ version }) => {
      told.push(`kept ${version}`);
      return await Promise.resolve({ works: true, account: "@wirken" });
    },
    ...changed,
  };
}

/** What takes the place of {@link FIRST}. */
export const NEXT = { ...FIRST, "bot-token": "xoxe.xoxb-1-other", "refresh-token": "xoxe-1-other" };
export const WHO = { by: `p_${"0".repeat(26)}`, via: "terminal" } as const;
