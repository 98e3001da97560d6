import { createHmac } from "node:crypto";
import * as z from "zod/mini";
import { type Answer, ask } from "../ask.ts";
import type { Checked, Credentials, Start } from "../adapter.ts";

const GRAPH = "https://graph.facebook.com/v25.0";

const Phone = z.object({ display_phone_number: z.string(), verified_name: z._default(z.string(), "") });
const App = z.object({ id: z.string() });
const Refusal = z.object({ error: z.object({ code: z.int(), message: z._default(z.string(), "") }) });

/** The token is refused, expired or revoked. @see https://developers.facebook.com/docs/graph-api/guides/error-handling */
const BAD_TOKEN = 190;
/** A parameter is wrong: among others a proof that was not made with this app's secret, or an object that the token does not see. */
const BAD_PARAMETER = 100;

/** Asks WhatsApp whose number this is, and whether token, app and secret belong together: the proof is made of the secret, which itself is not sent. */
export async function check(credentials: Credentials, start: Start): Promise<Checked> {
  const of = (name: string): string => (credentials.get(name) ?? "").trim();
  const token = of("access-token");
  const proof = createHmac("sha256", of("app-secret")).update(token).digest("hex");
  const root = start.apiRoot ?? GRAPH;
  const headers = { authorization: `Bearer ${token}` };
  const app = await ask({ url: `${root}/app?fields=id&appsecret_proof=${proof}`, headers });
  const wrong = troubleOf(app, "the app secret is not that of the token's app: copy it from Settings, Basic");
  if (wrong !== null) return wrong;
  const found = App.safeParse(app.state === "answered" ? app.body : null);
  if (found.success && found.data.id !== of("app-id"))
    return { failure: "mixed-up", sentence: "the access token belongs to another app than that of the App ID" };
  const fields = "display_phone_number,verified_name";
  const number = encodeURIComponent(of("phone-number-id"));
  const phone = await ask({ url: `${root}/${number}?fields=${fields}&appsecret_proof=${proof}`, headers });
  const unseen = troubleOf(
    phone,
    "the token does not see this phone number: give the system user the WhatsApp account, with whatsapp_business_messaging",
  );
  if (unseen !== null) return unseen;
  const { data } = Phone.safeParse(phone.state === "answered" ? phone.body : null);
  if (!found.success || data === undefined) return { failure: "other", sentence: "WhatsApp answered in another form" };
  return { account: `${data.verified_name} (${data.display_phone_number})`.trim() };
}

/** @param parameter what it means here that a parameter is wrong. */
function troubleOf(answer: Answer, parameter: string): Checked | null {
  if (answer.state === "unreachable")
    return { failure: "unreachable", sentence: `WhatsApp cannot be reached (${answer.detail})` };
  if (answer.status === 200) return null;
  const refusal = Refusal.safeParse(answer.body);
  const code = refusal.success ? refusal.data.error.code : null;
  if (code === BAD_TOKEN)
    return {
      failure: "refused",
      sentence: "WhatsApp refuses the access token: make a permanent one for a system user in Business Settings",
    };
  if (code === BAD_PARAMETER) return { failure: "mixed-up", sentence: parameter };
  return {
    failure: code === null ? "other" : "refused",
    sentence: `WhatsApp answered ${answer.status}${code === null ? "" : ` (code ${code})`}`,
  };
}
