import type { Checked, Credentials, Start } from "../adapter.ts";
import { BAD_TOKEN, openApi, tokenOf, trouble } from "./api.ts";
import { gatewayOf } from "./gateway.ts";
import { accountOf, introduce, OddAnswer } from "./identity.ts";

/** Asks Discord whose token this is, whether its application may read messages, and whether it may connect today. */
export async function check(credentials: Credentials, start: Start): Promise<Checked> {
  const token = tokenOf(credentials);
  if (token === null) return { failure: "refused", sentence: BAD_TOKEN };
  const rest = openApi(token, start);
  try {
    const introduced = await introduce(rest);
    if ("failure" in introduced) return introduced;
    const { waitMs, sentence } = await gatewayOf(rest, start);
    if (waitMs > 0) return { failure: "other", sentence };
    return { account: accountOf(introduced.bot) };
  } catch (error) {
    if (error instanceof OddAnswer) return { failure: "other", sentence: error.message };
    return trouble(error);
  } finally {
    rest.clearHashSweeper();
    rest.clearHandlerSweeper();
  }
}
