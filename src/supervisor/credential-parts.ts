import type { AuditLog } from "../../audit/log.ts";
import { expiredSentence, type Vault } from "../../vault/vault.ts";
import type { Config } from "../config/schema.ts";
import { AdapterChannel, platformOf, talks } from "../ipc/channel.ts";
import type { NamedBytes } from "../ipc/named-bytes.ts";
import { KNOWN_PROVIDERS } from "../ipc/provider.ts";
import type { Agents } from "./agents.ts";
import type { Channels } from "./channels.ts";
import type { Withheld } from "./channel-process.ts";
import type { ConfigFile } from "./config-file.ts";
import { CredentialChecks } from "./credential-checks.ts";
import { CredentialDates } from "./credential-dates.ts";
import { CredentialRenewal } from "./credential-renewal.ts";
import { CredentialRotation } from "./credential-rotation.ts";
import { type Checked, Credentials } from "./credentials.ts";
import type { KeptRecords } from "./kept-records.ts";
import type { Models } from "./models.ts";
import type { Outward } from "./outward.ts";
import type { People } from "./people.ts";
import type { SecretOf } from "./processes.ts";
import type { State } from "./state.ts";
import type { VaultKeeper } from "./vault-keeper.ts";

export interface CredentialParts {
  readonly log: AuditLog;
  readonly keeper: VaultKeeper;
  readonly people: People;
  readonly state: State;
  readonly config: ConfigFile;
  readonly outward: Outward;
  readonly models: Models;
  readonly channels: () => Channels;
  readonly agents: () => Agents;
  readonly kept: KeptRecords;
  /** False for a command that runs without the daemon: no channel runs. */
  readonly serve: boolean;
  readonly line: (role: string, line: string) => void;
}

/** Everything that keeps credentials good: enrolment, checks, rotation, renewal and dates, which know each other. */
export interface CredentialCare {
  readonly credentials: Credentials;
  readonly rotation: CredentialRotation;
  readonly renewals: CredentialRenewal;
  readonly checks: CredentialChecks;
  readonly dates: CredentialDates;
}

const now = (): number => Date.now();

export function careForCredentials(parts: CredentialParts): CredentialCare {
  const { log, keeper, config, outward, models, channels, serve } = parts;
  const line = (sentence: string): void => parts.line("vault", sentence);
  const proxyChanged = async (): Promise<void> => await outward.proxyChanged();
  const check = async (scope: string, candidate: readonly NamedBytes[] | SecretOf): Promise<Checked> => {
    const [kind, name = ""] = scope.split("/");
    if (kind === "provider") return await models.check(name, candidate, null);
    return await channels().check(AdapterChannel.parse(name), candidate, null);
  };
  const credentials = new Credentials({
    log,
    keeper,
    people: parts.people,
    now,
    lastUses: () => parts.state.lastUses(),
    check,
    channelAdded: async (channel, who) => {
      if (!talks(platformOf(channel))) return [`this version does not talk on ${platformOf(channel)} yet`];
      const before = config.config.channels[channel];
      if (before?.enabled !== true) {
        await config.set(["channels", channel, "enabled"], true);
        await log.append({ kind: "channel.enabled", channel, ...who }, { cause: null });
      } else if (serve) await channels().credentialsChanged(channel);
      return [`${channel} is enabled`];
    },
    channelRemoved: async (channel) => {
      await channels().release(channel);
      await parts.kept.forget(channel);
    },
    providerAdded: async (provider) => await parts.agents().providerAdded(provider),
    proxyChanged,
    providerRemoved: async (provider) => await models.end(provider),
    knowsProvider: (provider) => knowsProvider(config.config, provider),
  });
  const rotation = new CredentialRotation({
    proxyChanged,
    log,
    keeper,
    credentials,
    check,
    now,
    handOver: async (secret) => {
      const [kind, name = ""] = secret.scope.split("/");
      if (kind === "provider") return await models.handOver(name, secret);
      // Where its server is may be among what is new.
      await outward.egress.rebind();
      const verdict = await channels().handOver(AdapterChannel.parse(name), secret);
      // One that waited for a credential (it had expired, say) begins now.
      if (verdict === null && serve) await channels().align(null);
      return verdict;
    },
    line,
  });
  const renewals = new CredentialRenewal({ log, keeper, credentials, rotation, now, line });
  const checks = new CredentialChecks({
    log,
    keeper,
    credentials,
    rotation,
    check: async (secret) => await check(secret.scope, secret),
    triedByItself: (scope) => scope.startsWith("channel/") && channels().runs(AdapterChannel.parse(scope.slice(8))),
    now,
    line,
  });
  const dates = new CredentialDates({ vault: () => keeper.vault, log, now, line: parts.line });
  return { credentials, rotation, renewals, checks, dates };
}

/** Why a credential that is enrolled is not handed over; null: it may be. */
export function withheldNow(vault: Vault, scope: string): Withheld | null {
  if (vault.locked) return { state: "locked", note: "the vault is locked: run wirken vault unlock" };
  const expires = vault.credentials(scope)[0]?.expires ?? null;
  if (expires === null || Date.parse(expires) > Date.now()) return null;
  return { state: "refused", note: expiredSentence(scope, expires) };
}

/** The providers with a credential, the oldest first. */
export function enrolledProviders(vault: Vault): string[] {
  return vault
    .credentials()
    .filter((one) => one.scope.startsWith("provider/"))
    .toSorted((a, b) => a.created.localeCompare(b.created))
    .map((one) => one.scope.slice("provider/".length));
}

function knowsProvider(config: Config, provider: string): boolean {
  return Object.hasOwn(KNOWN_PROVIDERS, provider) || Object.hasOwn(config.providers, provider);
}
