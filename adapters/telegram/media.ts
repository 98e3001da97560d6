import * as z from "zod/mini";
import type { FileRef } from "../../src/ipc/adapter-frames.ts";
import { claimedType, kindOf, seen } from "../untrusted.ts";

/** What is in a message besides its text: files, named by what Telegram hands them out for, and what is no file. */

const Anything = z.optional(z.unknown());
const File = z.object({
  file_id: z.string().check(z.minLength(1), z.maxLength(2_048)),
  file_size: z.optional(z.int().check(z.gte(0))),
  file_name: z._default(z.string(), ""),
  mime_type: z._default(z.string(), ""),
});
type File = z.infer<typeof File>;
/** Telegram has no more sizes of one picture. */
const MAX_SIZES = 20;

/** @see https://core.telegram.org/bots/api#message */
export const MEDIA = {
  photo: Anything,
  voice: Anything,
  audio: Anything,
  video: Anything,
  video_note: Anything,
  animation: Anything,
  document: Anything,
  sticker: Anything,
  location: Anything,
  venue: Anything,
  contact: Anything,
  poll: Anything,
  dice: Anything,
  story: Anything,
} as const;
const Media = z.object(MEDIA);
export type Media = z.infer<typeof Media>;

/** `word`: what stands for something that is no file, or of no form that we know. */
export type Held = { readonly file: FileRef } | { readonly word: string };

/** @returns null where there is nothing but text. */
export function held(message: Media): Held | null {
  const { photo, voice, video_note: note, video, audio, animation, document } = message;
  if (photo !== undefined) return fileOf(largest(photo), "image", "photo.jpg", "image/jpeg") ?? { word: "[photo]" };
  if (voice !== undefined) return fileOf(voice, "voice", "voice.ogg", "audio/ogg") ?? { word: "[voice message]" };
  if (note !== undefined) return fileOf(note, "video", "video.mp4", "video/mp4") ?? { word: "[video message]" };
  if (video !== undefined) return fileOf(video, "video", "video.mp4", "video/mp4") ?? { word: "[video]" };
  if (audio !== undefined) return fileOf(audio, "audio", "audio.mp3", "audio/mpeg") ?? { word: "[audio]" };
  // An animation is a document too, for programs that do not know animations; so is a venue a location.
  if (animation !== undefined)
    return fileOf(animation, "video", "animation.mp4", "video/mp4") ?? { word: "[animation]" };
  if (document !== undefined) return fileOf(document, null, "document", "") ?? { word: "[document]" };
  const word = wordOf(message);
  return word === null ? null : { word };
}

function wordOf(message: Media): string | null {
  if (message.sticker !== undefined) return stickerOf(message.sticker);
  if (message.venue !== undefined) return "[venue]";
  if (message.location !== undefined) return "[location]";
  if (message.contact !== undefined) return "[contact]";
  if (message.poll !== undefined) return "[poll]";
  if (message.dice !== undefined) return "[dice]";
  if (message.story !== undefined) return "[story]";
  return null;
}

const Sticker = z.object({ emoji: z._default(z.string(), "") });

/** A word inside a bracket of ours cannot close the bracket. */
function stickerOf(sticker: unknown): string {
  const known = Sticker.safeParse(sticker);
  const emoji = known.success ? seen(known.data.emoji.replaceAll(/[[\]]/g, " "), 32) : "";
  return emoji === "" ? "[sticker]" : `[sticker ${emoji}]`;
}

/** The last size is the largest. */
function largest(photo: unknown): unknown {
  return Array.isArray(photo) && photo.length <= MAX_SIZES ? photo.at(-1) : undefined;
}

/** @param what null: as its type says. @param name,type where the sender gives none. */
function fileOf(given: unknown, what: FileRef["what"] | null, name: string, type: string): Held | null {
  const known = File.safeParse(given);
  if (!known.success) return null;
  const { file_id: handle, file_size: bytes, file_name: called, mime_type: mime }: File = known.data;
  const claimed = claimedType(mime) || type;
  return {
    file: {
      handle,
      name: seen(called, 255) || name,
      type: claimed,
      bytes: bytes ?? null,
      what: what ?? kindOf(claimed),
    },
  };
}
