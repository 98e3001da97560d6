import type { AuditLog } from "../../audit/log.ts";
import type { Vault } from "../../vault/vault.ts";
import type { AnswerTo } from "../ipc/operator.ts";

/** Where a stolen credential is made worthless, by the platform or provider that it is of. */
const REVOKE: Readonly<Record<string, string>> = {
  telegram: "message @BotFather: /revoke",
  slack:
    "https://api.slack.com/apps → the app → OAuth & Permissions → Revoke All OAuth Tokens; Basic Information → App-Level Tokens",
  anthropic: "https://console.anthropic.com/settings/keys",
  openai: "https://platform.openai.com/api-keys",
  openrouter: "https://openrouter.ai/settings/keys",
  google: "https://aistudio.google.com/apikey",
  mistral: "https://console.mistral.ai/api-keys",
  bedrock: "https://console.aws.amazon.com/bedrock → API keys",
  discord: "https://discord.com/developers/applications → the app → Bot → Reset Token",
  matrix: "the account's sessions, at its homeserver: sign this one out",
  teams: "https://portal.azure.com → App registrations → the app → Certificates & secrets",
  whatsapp: "https://business.facebook.com/settings → System users → Revoke tokens",
  signal: "on the phone: Settings → Linked devices",
  "google-chat": "https://console.cloud.google.com/iam-admin/serviceaccounts → the account → Keys",
};

/** @returns null where we know no place. */
export function revokeAt(scope: string): string | null {
  const [kind, subject = ""] = scope.split("/");
  const [platform = ""] = subject.split(":");
  return kind !== "secret" && Object.hasOwn(REVOKE, platform) ? (REVOKE[platform] ?? null) : null;
}

/** What to have on paper for the day on which this machine is lost or stolen: how the log is checked, who else holds it, and what to revoke where. No secret is on it. */
export function recoverySheet(parts: {
  readonly log: AuditLog;
  readonly vault: Vault;
  readonly anchors: AnswerTo<"audit.anchor.list">["anchors"];
}): AnswerTo<"recovery.sheet"> {
  const { log, vault, anchors } = parts;
  return {
    origin: log.origin,
    vkey: log.vkey,
    protector: vault.protector,
    recovery: vault.recoverable,
    anchors: anchors.map(({ name, type, place }) => ({ name, type, place })),
    credentials: vault.credentials().map(({ scope, account }) => ({ scope, account, revoke: revokeAt(scope) })),
  };
}
