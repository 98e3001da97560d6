import type { REST } from "@discordjs/rest";
import { Routes } from "discord-api-types/v10";
import * as z from "zod/mini";
import { FileFailure, type Start } from "../adapter.ts";
import { whyUnreachable } from "../failure.ts";
import { errorCode, readAtMost, trouble, UNKNOWN_CHANNEL, UNKNOWN_MESSAGE } from "./api.ts";

/** Where Discord keeps what people send. Its addresses are signed and good for a day, so each is asked for when it is wanted. */
const HOST = "cdn.discordapp.com";
const FETCH_MS = 120_000;

const Attachments = z._default(z.array(z.object({ id: z.string(), url: z.string(), size: z.nullish(z.int()) })), []);
const Message = z.object({
  attachments: Attachments,
  message_snapshots: z.nullish(z.array(z.object({ message: z.object({ attachments: Attachments }) }))),
});

/** @param handle `channel/message/attachment`. @param limit bytes. @throws {FileFailure} */
export async function fetchFile(rest: REST, start: Start, handle: string, limit: number): Promise<Uint8Array> {
  const [, channel = "", message = "", id = ""] = /^(\d{1,20})\/(\d{1,20})\/(\d{1,20})$/.exec(handle) ?? [];
  if (id === "") throw new FileFailure("refused", "there is no such file on Discord");
  const { url, size } = await ask(rest, channel, message, id);
  if ((size ?? 0) > limit) throw new FileFailure("too-large", `the file has over ${limit} bytes`);
  if (!isDiscords(url, start)) throw new FileFailure("refused", "the file lies elsewhere than with Discord");
  let response: Response;
  try {
    response = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(FETCH_MS) });
  } catch (error) {
    throw new FileFailure("unreachable", `Discord's files cannot be reached (${whyUnreachable(error)})`);
  }
  if (response.status === 404 || response.status === 403) throw new FileFailure("gone", "the file is no longer there");
  if (response.status !== 200) throw new FileFailure("unreachable", `Discord answered ${response.status}`);
  const bytes = await readAtMost(response, limit).catch((error: unknown) => {
    throw new FileFailure("unreachable", `the file was cut short (${whyUnreachable(error)})`);
  });
  if (bytes === null) throw new FileFailure("too-large", `the file has over ${limit} bytes`);
  return bytes;
}

async function ask(
  rest: REST,
  channel: string,
  message: string,
  id: string,
): Promise<z.infer<typeof Attachments>[number]> {
  let said: unknown;
  try {
    said = await rest.get(Routes.channelMessage(channel, message));
  } catch (error) {
    const code = errorCode(error);
    if (code === UNKNOWN_MESSAGE || code === UNKNOWN_CHANNEL)
      throw new FileFailure("gone", "the message that the file came with is no longer there");
    const { failure, sentence } = trouble(error);
    throw new FileFailure(code === null && failure !== "refused" ? "unreachable" : "refused", sentence);
  }
  const known = Message.safeParse(said).data;
  const all = (known?.attachments ?? []).concat(
    (known?.message_snapshots ?? []).flatMap((one) => one.message.attachments),
  );
  const found = all.find((one) => one.id === id);
  if (found === undefined) throw new FileFailure("gone", "the file was taken out of its message");
  return found;
}

function isDiscords(address: string, start: Start): boolean {
  const url = URL.parse(address);
  if (url === null) return false;
  if (start.apiRoot !== null) return url.origin === URL.parse(start.apiRoot)?.origin;
  return url.origin === `https://${HOST}`;
}
