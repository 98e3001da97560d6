import { Buffer } from "node:buffer";
import type { FileRef } from "../src/ipc/adapter-frames.ts";

/** What somebody else wrote, made fit for a frame: names that cannot hide or reorder what stands beside them, texts that are not endless. */

/** So much of a name is looked at: the rest of one of a megabyte is nobody's name. */
const LOOKED_AT = 2_000;
/** Controls, marks of direction and all else that is not seen but changes what is. The joiner stays: it makes one picture of several. */
const UNSEEN = /[\p{Cc}\p{Co}\p{Zl}\p{Zp}]|(?!\u200d)\p{Cf}/gu;

/** @returns at most `limit` UTF-16 units, each of them to be seen, and no half of a surrogate pair. */
export function seen(name: string, limit: number): string {
  const shown = name.slice(0, LOOKED_AT).toWellFormed().replaceAll(UNSEEN, " ").trim();
  return shown.slice(0, limit).toWellFormed();
}

/** Bytes of the text of one message: the supervisor takes 1 MiB, and no platform lets a person write nearly as much. */
const MAX_TEXT_BYTES = 786_432;
/** A UTF-16 unit has at most three bytes in UTF-8. */
const MAX_UNITS = MAX_TEXT_BYTES / 3;

/** @returns the text, or as much of it as one message may have, with a word that it is cut. */
export function withinMessage(text: string): string {
  if (text.length <= MAX_UNITS || Buffer.byteLength(text) <= MAX_TEXT_BYTES) return text;
  return `${text.slice(0, MAX_UNITS).toWellFormed()}\n[the message is longer: it is cut here]`;
}

/** A type of content as a sender claims it; "" where it is none. */
export function claimedType(type: string): string {
  return /^[a-z0-9][\w.+-]{0,62}\/[\w.+-]{1,62}$/i.test(type) ? type.toLowerCase() : "";
}

/** What a file is, by the type that is claimed for it. */
export function kindOf(type: string): "file" | "image" | "audio" | "video" {
  const [kind] = type.split("/");
  return kind === "image" || kind === "audio" || kind === "video" ? kind : "file";
}

/** What stands for a message that has no words of its own: a name inside a bracket of ours cannot close it. */
export function wordFor({ what, name }: Pick<FileRef, "what" | "name">): string {
  return `[${what} ${name.replaceAll(/[[\]]/g, " ").trim()}]`;
}
