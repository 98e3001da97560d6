import * as z from "zod/mini";
import { type ActionOfType, placed } from "../../effect/action.ts";
import { MAX_MESSAGE, MAX_SENT_FILES } from "../../effect/message-action.ts";
import type { Recipient } from "../../effect/outgoing.ts";
import { inertFor } from "../reply.ts";
import { ArgumentsError, type CallTurn, defineTool, type Look, unchanged } from "./tool.ts";

/** Choices that a model is told. */
const MAX_CHOICES = 10;

export const sendMessage = defineTool({
  name: "send_message",
  description:
    "Sends a message into another conversation than this one, as plain text. What you write here is your answer in this conversation already; with files it may go into this one too. Somebody may be asked first; a message to somebody else is asked for every time.",
  schema: z.strictObject({
    to: z
      .string()
      .check(
        z.minLength(1),
        z.maxLength(200),
        z.describe(
          "A person's name, `me` for the person you talk with on another channel, or the id of a conversation (c_…).",
        ),
      ),
    text: z.string().check(z.minLength(1), z.maxLength(MAX_MESSAGE), z.describe("The message, to the letter.")),
    files: z
      ._default(z.array(z.string().check(z.minLength(1), z.maxLength(4096))).check(z.maxLength(MAX_SENT_FILES)), [])
      .check(
        z.describe(
          'Files of the workspace that go along, such as ["report.pdf"], 50 MiB together. With files, `to` may be this conversation: say `me`.',
        ),
      ),
  }),
  prepare: ({ to, text, files }, turn, look) => {
    if (!text.isWellFormed()) throw new ArgumentsError("the text holds half a character (a lone surrogate)");
    if (text.trim() === "") throw new ArgumentsError("the text says nothing");
    const found = look.recipients(to, turn);
    const named = filesNamed(files, turn, look);
    const here = found.filter(({ conversation }) => conversation === turn.conversation);
    // A file is no part of an answer: it goes to where it was asked for, if that may be meant.
    const elsewhere =
      named !== null && here.length > 0 ? here : found.filter(({ conversation }) => conversation !== turn.conversation);
    const [recipient, ...others] = elsewhere;
    if (recipient === undefined)
      throw new ArgumentsError(
        found.length > 0
          ? "that is this conversation: what you answer is read here"
          : `${JSON.stringify(to)} is nobody whom you talk with: give the name as it is written, or the id of a conversation`,
      );
    if (others.length > 0)
      throw new ArgumentsError(
        `${JSON.stringify(to)} may be several; name one of them by its id, or ask which is meant:\n${elsewhere.slice(0, MAX_CHOICES).map(choice).join("\n")}`,
      );
    return {
      type: "message.send",
      ...recipient,
      readers: [...recipient.readers],
      text: inertFor(turn, text),
      ...(named === null ? {} : { attached: named }),
    };
  },
});

/** The files as they are now. @throws {ArgumentsError} for what is no file of the workspace. */
function filesNamed(
  paths: readonly string[],
  turn: CallTurn,
  look: Look,
): ActionOfType<"message.send">["attached"] | null {
  if (paths.length === 0) return null;
  const files = paths.map((path) => {
    const [file] = look.named(turn, [path]);
    if (file === undefined) throw new ArgumentsError(`${JSON.stringify(path)} is no file of the workspace`);
    return file;
  });
  return { ...placed({ workspace: turn.workspace, folders: unchanged(turn.folders) }), files };
}

function choice({ conversation, channel, talk, readers }: Recipient): string {
  const who = readers.length === 0 ? "nobody known by name" : readers.join(", ");
  return `${conversation}: ${talk === "group" ? `a group of ${who}` : who}, on ${channel}`;
}
