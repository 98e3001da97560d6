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

/** A file as a server without boosts takes it. */
const MAX_FILE_BYTES = 10 * 1_048_576;

export interface File {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  bytes: Buffer;
}

/** A message with files. @throws {Refusal} */
export async function readParts(
  form: string,
  bytes: Buffer,
  id: () => string,
): Promise<{ json: unknown; files: File[] }> {
  const data = await new Response(Uint8Array.from(bytes), { headers: { "content-type": form } }).formData();
  const files: File[] = [];
  for (const [name, value] of data) {
    if (name === "payload_json") continue;
    if (!/^files\[\d\]$/.test(name) || typeof value === "string") throw new Refusal(400, 50_035, "Invalid Form Body");
    const own = Buffer.from(await value.arrayBuffer());
    if (own.length > MAX_FILE_BYTES) throw new Refusal(413, 40_005, "Request entity too large");
    files.push({ id: id(), name: value.name, type: value.type, bytes: own });
  }
  const json = data.get("payload_json");
  return { json: typeof json === "string" ? JSON.parse(json) : {}, files };
}
