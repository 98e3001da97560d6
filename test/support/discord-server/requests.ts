import { z } from "zod/mini";

/** What Discord's API takes, as its published description states it. A field that it does not have is refused, where the real one would only leave it out: what we
 *  send must be right.
 *  @see https://github.com/discord/discord-api-spec */

/** A no of Discord's. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly code: number;
  readonly more: object;
  constructor(status: number, code: number, message: string, more: object = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.more = more;
  }
}

/** Bits that a bot may set on a message: no previews, shown to one person. */
const SUPPRESS_EMBEDS = 4;
const EPHEMERAL = 64;

const Snowflake = z.string().check(z.regex(/^[1-9][0-9]{0,19}$/));
const Mentions = z.strictObject({
  parse: z.array(z.enum(["users", "roles", "everyone"])),
  replied_user: z.optional(z.boolean()),
});
const Button = z.strictObject({
  type: z.literal(2),
  style: z.int().check(z.gte(1), z.lte(4)),
  label: z.string().check(z.minLength(1), z.maxLength(80)),
  custom_id: z.string().check(z.minLength(1), z.maxLength(100)),
});
const Row = z.strictObject({ type: z.literal(1), components: z.array(Button).check(z.minLength(1), z.maxLength(5)) });
export type Button = z.infer<typeof Button>;

const Content = z.string().check(z.maxLength(2_000));

export const MessageCreate = z.strictObject({
  content: z.optional(Content),
  flags: z.int(),
  allowed_mentions: Mentions,
  nonce: z.string().check(z.minLength(1), z.maxLength(25)),
  enforce_nonce: z.literal(true),
  message_reference: z.optional(z.strictObject({ message_id: Snowflake, fail_if_not_exists: z.optional(z.boolean()) })),
  components: z.optional(z.array(Row).check(z.maxLength(5))),
});
export const MessageEdit = z.strictObject({
  content: z.optional(Content),
  flags: z.int(),
  allowed_mentions: Mentions,
  components: z.optional(z.array(Row).check(z.maxLength(5))),
});
const Ephemeral = z.strictObject({ content: Content, flags: z.int(), allowed_mentions: Mentions });
export const Callback = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal(4), data: Ephemeral }),
  z.strictObject({ type: z.literal(6) }),
]);
export const FollowUp = Ephemeral;
export const DirectCreate = z.strictObject({ recipient_id: Snowflake });
export const HistoryQuery = z.strictObject({
  after: Snowflake,
  limit: z.string().check(z.regex(/^([1-9]|[1-9][0-9]|100)$/)),
});

/** @throws {Refusal} as Discord words it */
export function read<T>(form: z.ZodMiniType<T>, given: unknown): T {
  const known = form.safeParse(given);
  if (known.success) return known.data;
  const errors: Record<string, object> = {};
  for (const { path, code, message } of known.error.issues) {
    const long = code === "too_big";
    errors[String(path[0] ?? "_")] = {
      _errors: [
        { code: long ? "BASE_TYPE_MAX_LENGTH" : "BASE_TYPE_BAD", message: long ? "Must be shorter." : message },
      ],
    };
  }
  throw new Refusal(400, 50_035, "Invalid Form Body", { errors });
}

export function isPreviewed(flags: number): boolean {
  return (flags & SUPPRESS_EMBEDS) === 0;
}

export function isForOne(flags: number): boolean {
  return (flags & EPHEMERAL) !== 0;
}
