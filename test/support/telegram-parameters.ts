import { z } from "zod/mini";

/** What each method takes, as the Bot API documents it. A parameter that the real one does not have is refused.
 *  @see https://core.telegram.org/bots/api */

const Chat = z.int();
const Entity = z.strictObject({
  type: z.enum(["bold", "italic", "strikethrough", "code", "pre", "blockquote"]),
  offset: z.int().check(z.gte(0)),
  length: z.int().check(z.gte(1)),
  language: z.optional(z.string().check(z.minLength(1))),
});
export type Entity = z.infer<typeof Entity>;
const Entities = z.optional(z.array(Entity).check(z.maxLength(100)));
const Keyboard = z.strictObject({
  inline_keyboard: z.array(
    z
      .array(
        z.strictObject({
          text: z.string().check(z.minLength(1), z.maxLength(64)),
          callback_data: z.string().check(z.refine((data) => bytes(data) >= 1 && bytes(data) <= 64)),
        }),
      )
      .check(z.minLength(1)),
  ),
});
const Preview = z.optional(z.strictObject({ is_disabled: z.boolean() }));
const Reply = z.optional(z.strictObject({ message_id: z.int(), allow_sending_without_reply: z.optional(z.boolean()) }));
const Thread = z.optional(z.int());
/** Of a form with files every value is text. */
const FormNumber = z.pipe(z.string().check(z.regex(/^-?\d+$/)), z.transform(Number));
const formJson = <T>(form: z.ZodMiniType<T>) =>
  z.pipe(
    z.pipe(
      z.string(),
      z.transform((text: string): unknown => JSON.parse(text)),
    ),
    form,
  );
const fileParameters = {
  chat_id: FormNumber,
  message_thread_id: z.optional(FormNumber),
  reply_parameters: z.optional(
    formJson(z.strictObject({ message_id: z.int(), allow_sending_without_reply: z.optional(z.boolean()) })),
  ),
};
const Attached = z.string().check(z.startsWith("attach://"));
/** Those that a bot may set, of which we use a few. */
const EMOJI = z.enum(["👍", "👎", "❤", "🔥", "🤔", "👀", "✍", "🤷", "👌", "🙈"]);

export const PARAMETERS = {
  getMe: z.strictObject({}),
  getWebhookInfo: z.strictObject({}),
  deleteWebhook: z.strictObject({ drop_pending_updates: z.optional(z.boolean()) }),
  getUpdates: z.strictObject({
    offset: z.optional(z.int()),
    timeout: z.int().check(z.gte(0), z.lte(50)),
    allowed_updates: z.array(z.string()),
  }),
  sendMessage: z.strictObject({
    chat_id: Chat,
    text: z.string(),
    entities: Entities,
    link_preview_options: Preview,
    message_thread_id: Thread,
    reply_parameters: Reply,
    reply_markup: z.optional(Keyboard),
  }),
  editMessageText: z.strictObject({
    chat_id: Chat,
    message_id: z.int(),
    text: z.string(),
    entities: Entities,
    link_preview_options: Preview,
    reply_markup: z.optional(Keyboard),
  }),
  deleteMessage: z.strictObject({ chat_id: Chat, message_id: z.int() }),
  sendMessageDraft: z.strictObject({
    chat_id: Chat,
    draft_id: z.int().check(z.refine((id) => id !== 0)),
    text: z.string(),
    entities: Entities,
    message_thread_id: Thread,
  }),
  setMessageReaction: z.strictObject({
    chat_id: Chat,
    message_id: z.int(),
    reaction: z.array(z.strictObject({ type: z.literal("emoji"), emoji: EMOJI })).check(z.maxLength(1)),
  }),
  answerCallbackQuery: z.strictObject({
    callback_query_id: z.string(),
    text: z.optional(z.string().check(z.maxLength(200))),
    show_alert: z.optional(z.boolean()),
  }),
  sendChatAction: z.strictObject({
    chat_id: Chat,
    action: z.literal("typing"),
    message_thread_id: Thread,
  }),
  getFile: z.strictObject({ file_id: z.string() }),
  sendPhoto: z.strictObject({ ...fileParameters, photo: Attached }),
  sendDocument: z.strictObject({
    ...fileParameters,
    document: Attached,
    disable_content_type_detection: z.optional(z.enum(["true", "false"])),
  }),
} as const;

export type Given<M extends keyof typeof PARAMETERS> = z.infer<(typeof PARAMETERS)[M]>;

/** A no of Telegram's. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly details: object;
  constructor(status: number, description: string, details: object = {}) {
    super(description);
    this.status = status;
    this.details = details;
  }
}

/** @throws {Refusal} */
export function read<M extends keyof typeof PARAMETERS>(method: M, given: unknown): Given<M> {
  const form: z.ZodMiniType = PARAMETERS[method];
  const known = form.safeParse(given);
  if (!known.success) throw new Refusal(400, `Bad Request: ${z.prettifyError(known.error)}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the form of a method is what its parameters are read by
  return known.data as Given<M>;
}

/** Telegram's own rules for a text and its entities. @returns the text as it is shown. @throws {Refusal} */
export function checked(text: string, entities: readonly Entity[]): string {
  if (text.trim() === "") throw new Refusal(400, "Bad Request: message text is empty");
  if (text.length > 4_096) throw new Refusal(400, "Bad Request: message is too long");
  if (!text.isWellFormed()) throw new Refusal(400, "Bad Request: strings must be encoded in UTF-8");
  for (const [i, one] of entities.entries()) {
    const end = one.offset + one.length;
    const bad = end > text.length || splits(text, one.offset) || splits(text, end);
    const crossed = entities.slice(i + 1).some((other) => {
      const [first, second] = one.offset <= other.offset ? [one, other] : [other, one];
      return second.offset < first.offset + first.length && second.offset + second.length > first.offset + first.length;
    });
    const filled = entities.some(
      (other) =>
        other !== one &&
        (one.type === "pre" || one.type === "code") &&
        other.offset >= one.offset &&
        other.offset + other.length <= end,
    );
    if (bad || crossed || filled)
      throw new Refusal(400, `Bad Request: can't parse entities: bad ${one.type} at byte offset ${one.offset}`);
  }
  return text.trim();
}

function splits(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  const before = text.charCodeAt(at - 1);
  return unit >= 0xdc00 && unit <= 0xdfff && before >= 0xd800 && before <= 0xdbff;
}

export function buttons(
  markup: z.infer<typeof Keyboard> | undefined,
): readonly { readonly text: string; readonly data: string }[] {
  return (markup?.inline_keyboard ?? []).flat().map(({ text, callback_data: data }) => ({ text, data }));
}

function bytes(text: string): number {
  return Buffer.byteLength(text);
}
