import type { Checked, Credentials, Start } from "../adapter.ts";
import { client, platformCode, tokensOf, trouble } from "./api.ts";
import { accountOf, introduce, isOneApp, missingScopes, TWO_APPS } from "./identity.ts";
import { Line } from "./line.ts";

/** Asks Slack whose tokens these are, and whether they belong together. */
export async function check(credentials: Credentials, start: Start): Promise<Checked> {
  const tokens = tokensOf(credentials);
  if ("failure" in tokens) return tokens;
  const web = client(tokens.bot, start);
  let which: "bot" | "app" = "bot";
  try {
    const identity = await introduce(web);
    const scopes = missingScopes(identity);
    if (scopes !== null) return { failure: "scope-missing", sentence: scopes };
    which = "app";
    // Messages that come meanwhile are not acknowledged, and so come again.
    const line = new Line(tokens.app, start, {
      envelope: () => undefined,
      leaving: () => undefined,
      closed: () => undefined,
    });
    await line.open();
    line.hangUp();
    if (!(await isOneApp(web, identity, line.app))) return { failure: "mixed-up", sentence: TWO_APPS };
    return { account: accountOf(identity) };
  } catch (error) {
    const { failure, sentence } = trouble(error, which);
    return { failure, sentence, ...(platformCode(error) === "token_expired" ? { expired: true } : {}) };
  }
}
