import type { REST } from "@discordjs/rest";
import { Routes } from "discord-api-types/v10";
import * as z from "zod/mini";
import { FileFailure, type Start } from "../adapter.ts";
import { download, tooLarge } from "../download.ts";
import { errorCode, trouble, UNKNOWN_CHANNEL, UNKNOWN_MESSAGE } from "./api.ts";

/** Where Discord keeps what people send. Its addresses are signed and good for a day, so each is asked for when it is wanted. */
const HOST = "cdn.discordapp.com";

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
  if ((size ?? 0) > limit) throw tooLarge(limit);
  if (!isDiscords(url, start)) throw new FileFailure("refused", "the file lies elsewhere than with Discord");
  const got = await download({ platform: "Discord", url, limit, fetch: async (at, how) => await fetch(at, how) });
  return got.bytes;
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
