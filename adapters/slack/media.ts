import * as z from "zod/mini";
import { type FileRef, MAX_FILES } from "../../src/ipc/adapter-frames.ts";
import { claimedType, kindOf, seen } from "../untrusted.ts";

/** Files of a message: named by their ids, which Slack says more about when they are wanted. */

const Text = z.nullish(z.string());
const File = z.object({
  id: z.optional(z.string()),
  name: Text,
  title: Text,
  mimetype: Text,
  subtype: Text,
  mode: Text,
  size: z.nullish(z.number()),
});

export const FILES = z._default(z.array(z.unknown()), []);
export const FILE_ID = /^F[A-Z0-9]{2,63}$/;
/** The file was deleted, or the workspace's plan hides it. */
const GONE: ReadonlySet<string> = new Set(["tombstone", "hidden_by_limit"]);

export interface Files {
  readonly files: FileRef[];
  /** Beyond {@link MAX_FILES}. */
  readonly left: number;
  /** For what is there and cannot be had. */
  readonly words: string[];
}

export function filesOf(given: readonly unknown[]): Files {
  const files: FileRef[] = [];
  const words: string[] = [];
  for (const one of given.slice(0, MAX_FILES)) {
    const file = fileOf(one);
    if (file === null) words.push("[file]");
    else files.push(file);
  }
  return { files, words, left: Math.max(0, given.length - MAX_FILES) };
}

function fileOf(given: unknown): FileRef | null {
  const known = File.safeParse(given);
  if (!known.success) return null;
  const { id = "", name, title, mimetype, subtype, mode, size } = known.data;
  if (!FILE_ID.test(id) || GONE.has(mode ?? "")) return null;
  const type = claimedType(mimetype ?? "");
  return {
    handle: id,
    name: seen(name ?? "", 255) || seen(title ?? "", 255) || "file",
    type,
    bytes: Number.isSafeInteger(size) && (size ?? -1) >= 0 ? (size ?? null) : null,
    what: subtype === "slack_audio" ? "voice" : kindOf(type),
  };
}
