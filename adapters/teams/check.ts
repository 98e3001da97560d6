import * as z from "zod/mini";
import { ask } from "../ask.ts";
import type { Checked, Credentials, Start } from "../adapter.ts";

const LOGIN = "https://login.microsoftonline.com";
const SCOPE = "https://api.botframework.com/.default";

const Token = z.object({ access_token: z.string() });
const Claims = z.object({ appid: z.string() });
const Refusal = z.object({ error: z.string(), error_codes: z._default(z.array(z.int()), []) });

/** The codes of Microsoft Entra that say what is wrong. @see https://learn.microsoft.com/entra/identity-platform/reference-error-codes */
const ERRORS: ReadonlyMap<number, string> = new Map([
  [7000215, "the client secret is not right: copy its Value (not the Secret ID) from Certificates & secrets"],
  [7000222, "the client secret has expired: make a new one under Certificates & secrets"],
  [700016, "there is no application of that ID in this tenant: look at Application (client) ID on its overview"],
  [90002, "there is no such tenant: look at Directory (tenant) ID on the application's overview"],
]);

/** Logs in as the bot's application, as each message out would. */
export async function check(credentials: Credentials, start: Start): Promise<Checked> {
  const app = (credentials.get("app-id") ?? "").trim();
  const tenant = (credentials.get("tenant-id") ?? "").trim();
  const answer = await ask({
    url: `${start.apiRoot ?? LOGIN}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`,
    form: {
      grant_type: "client_credentials",
      client_id: app,
      client_secret: (credentials.get("client-secret") ?? "").trim(),
      scope: SCOPE,
    },
  });
  if (answer.state === "unreachable")
    return { failure: "unreachable", sentence: `Microsoft's login cannot be reached (${answer.detail})` };
  if (answer.status === 400 || answer.status === 401) {
    const refusal = Refusal.safeParse(answer.body);
    const codes = refusal.success ? refusal.data.error_codes : [];
    const known = codes.map((code) => ERRORS.get(code)).find((sentence) => sentence !== undefined);
    return {
      failure: "refused",
      sentence:
        known ?? `Microsoft refuses the application's login${codes.length > 0 ? ` (AADSTS${codes.join(", ")})` : ""}`,
    };
  }
  const token = Token.safeParse(answer.body);
  if (answer.status !== 200 || !token.success)
    return { failure: "other", sentence: `Microsoft's login answered ${answer.status}` };
  if (applicationOf(token.data.access_token) !== app.toLowerCase())
    return { failure: "mixed-up", sentence: "Microsoft answered with a token of another application" };
  return { account: `application ${app}` };
}

/** Whose token it is, by its own claims: it came from the login itself. Null: it is no JWT. */
function applicationOf(token: string): string | null {
  try {
    const [, body = ""] = token.split(".");
    const claims = Claims.safeParse(JSON.parse(Buffer.from(body, "base64url").toString("utf8")));
    return claims.success ? claims.data.appid.toLowerCase() : null;
  } catch {
    return null;
  }
}
