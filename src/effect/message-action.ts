import * as z from "zod/mini";
import { AdapterChannel, LOCAL_CHANNELS } from "../ipc/channel.ts";
import { ConversationId } from "../ipc/ids.ts";
import { Digest, Folders, Path, Workspace } from "./place-action.ts";

/** Text that survives UTF-8: a lone surrogate would be shown as one thing and written as another. */
const Text = z.string().check(z.refine((text) => text.isWellFormed(), "holds half a character"));

/** Of a message that an agent sends elsewhere, in characters. */
export const MAX_MESSAGE = 16_384;

/** Of an answer that somebody is asked about, in characters: as much as a person can be expected to read before they press. */
export const MAX_ASKED_REPLY = 65_536;

/** An answer into the conversation that the turn is in, where others read it than whom it is for. */
export const Reply = z.strictObject({
  type: z.literal("reply"),
  conversation: ConversationId,
  channel: z.union([AdapterChannel, z.enum(LOCAL_CHANNELS)]),
  /** Those who have written there, as we know them. */
  readers: z.array(Text.check(z.maxLength(200))).check(z.maxLength(32)),
  text: Text.check(z.minLength(1), z.maxLength(MAX_ASKED_REPLY)),
});

/** Files of the workspace that one message takes along: as many as any platform takes. */
export const MAX_SENT_FILES = 10;

/** A message into another conversation than the one that the turn is in; with files, into that one too. */
export const MessageSend = z.strictObject({
  type: z.literal("message.send"),
  conversation: ConversationId,
  channel: z.union([AdapterChannel, z.enum(LOCAL_CHANNELS)]),
  talk: z.enum(["direct", "group"]),
  /** Who reads it there, as we know them; in a group those who have written there. */
  readers: z.array(Text.check(z.maxLength(200))).check(z.maxLength(32)),
  /** Its one reader is the person whose turn it is. */
  own: z.boolean(),
  text: Text.check(z.minLength(1), z.maxLength(MAX_MESSAGE)),
  /** Files of the workspace that go along, as they were when this was asked. */
  attached: z.optional(
    z.strictObject({
      workspace: Workspace,
      folders: Folders,
      files: z.array(z.strictObject({ path: Path, digest: Digest })).check(z.minLength(1), z.maxLength(MAX_SENT_FILES)),
    }),
  ),
});
