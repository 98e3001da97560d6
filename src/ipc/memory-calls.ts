import * as z from "zod/mini";
import { MemoryId, Name, PrincipalId } from "./ids.ts";

/** What the owner may ask about what agents keep between conversations. */

const MAX_LISTED = 1_000;

export const MEMORY_CALLS = [
  z.strictObject({
    call: z.literal("memory.list"),
    agent: z.nullable(Name),
    principal: z.nullable(PrincipalId),
    /** Words that stand in it; null: the newest. */
    query: z.nullable(z.string().check(z.maxLength(500))),
    limit: z.int().check(z.gte(1), z.lte(MAX_LISTED)),
  }),
  z.strictObject({ call: z.literal("memory.show"), memory: MemoryId }),
  z.strictObject({ call: z.literal("memory.remove"), memory: MemoryId }),
] as const;

const MemoryView = z.strictObject({
  memory: z.string(),
  text: z.string(),
  agent: z.string(),
  principal: z.string(),
  /** What that person is called. */
  person: z.string(),
  channel: z.string(),
  session: z.string(),
  row: z.int(),
  at: z.string(),
  untrusted: z.boolean(),
  private: z.array(z.string()),
});

export const MEMORY_ANSWERS = {
  "memory.list": z.strictObject({
    entries: z.array(MemoryView),
    more: z.int(),
    /** Entries that nothing opens now: the vault is locked. */
    unread: z.int(),
  }),
  "memory.show": MemoryView,
  "memory.remove": MemoryView,
} as const;
