import { HttpError } from "grammy/web";
import type { Checked, Credentials, Start } from "../adapter.ts";
import { BAD_TOKEN, openApi, trouble } from "./api.ts";

/** Asks Telegram whose token this is. */
export async function check(credentials: Credentials, start: Start): Promise<Checked> {
  const { api, redact } = openApi(credentials, start);
  if (api === null) return { failure: "refused", sentence: BAD_TOKEN };
  try {
    const { username } = await api.getMe();
    return { account: `@${username}` };
  } catch (error) {
    const { kind, sentence } = trouble(error, redact);
    if (kind === "refused") return { failure: "refused", sentence };
    return { failure: error instanceof HttpError ? "unreachable" : "other", sentence };
  }
}
