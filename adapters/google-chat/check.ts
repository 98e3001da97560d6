import { createSign } from "node:crypto";
import * as z from "zod/mini";
import { type Answer, ask } from "../ask.ts";
import type { Checked, Credentials, Start } from "../adapter.ts";

/** Where each is asked; `apiRoot` takes the place of all three. */
const TOKEN = "https://oauth2.googleapis.com";
const CHAT = "https://chat.googleapis.com";
const PUBSUB = "https://pubsub.googleapis.com";
const SCOPES = "https://www.googleapis.com/auth/chat.bot https://www.googleapis.com/auth/pubsub";
/** An assertion lives this long. @see https://developers.google.com/identity/protocols/oauth2/service-account */
const ASSERTION_SECONDS = 300;

const KeyFile = z.object({ type: z.literal("service_account"), client_email: z.string(), private_key: z.string() });
const Token = z.object({ access_token: z.string() });

/** Logs in as the service account, and asks whether it may chat and read its subscription. */
export async function check(credentials: Credentials, start: Start): Promise<Checked> {
  const key = KeyFile.safeParse(parsed(credentials.get("service-account") ?? ""));
  if (!key.success) return { failure: "refused", sentence: "the key file is none of a service account" };
  const assertion = assertionOf(key.data);
  if (assertion === null) return { failure: "refused", sentence: "the private key in the key file cannot be read" };
  const answer = await ask({
    url: `${start.apiRoot ?? TOKEN}/token`,
    form: { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion },
  });
  if (answer.state === "unreachable") return unreachable(answer.detail);
  if (answer.status === 400 || answer.status === 401)
    return {
      failure: "refused",
      sentence:
        "Google refuses the service account's key: make a new one under IAM, Service Accounts, Keys (and check this clock)",
    };
  const token = Token.safeParse(answer.body);
  if (answer.status !== 200 || !token.success)
    return { failure: "other", sentence: `Google's login answered ${answer.status}` };
  const headers = { authorization: `Bearer ${token.data.access_token}` };
  const chat = await ask({ url: `${start.apiRoot ?? CHAT}/v1/spaces?pageSize=1`, headers });
  const noChat = troubleOf(chat, "the Google Chat API is not on for this project, or no Chat app is configured in it");
  if (noChat !== null) return noChat;
  const subscription = (credentials.get("subscription") ?? "").trim();
  const pull = await ask({ url: `${start.apiRoot ?? PUBSUB}/v1/${subscription}`, headers });
  const noPull = troubleOf(
    pull,
    "the service account may not read the subscription: give it the role Pub/Sub Subscriber and Viewer",
  );
  return noPull ?? { account: key.data.client_email };
}

function troubleOf(answer: Answer, refused: string): Checked | null {
  if (answer.state === "unreachable") return unreachable(answer.detail);
  if (answer.status === 200) return null;
  if (answer.status === 401 || answer.status === 403) return { failure: "scope-missing", sentence: refused };
  if (answer.status === 404) return { failure: "mixed-up", sentence: "there is no such Pub/Sub subscription" };
  return { failure: "other", sentence: `Google answered ${answer.status}` };
}

function unreachable(detail: string): Checked {
  return { failure: "unreachable", sentence: `Google cannot be reached (${detail})` };
}

/** @returns a signed assertion of who we are; null for a key that is none. */
function assertionOf({ client_email: issuer, private_key: key }: z.infer<typeof KeyFile>): string | null {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, scope: SCOPES, aud: `${TOKEN}/token`, iat: now, exp: now + ASSERTION_SECONDS };
  const signed = `${part({ alg: "RS256", typ: "JWT" })}.${part(claims)}`;
  try {
    return `${signed}.${createSign("RSA-SHA256").update(signed).sign(key, "base64url")}`;
  } catch {
    return null;
  }
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
