import { createHash } from "node:crypto";
import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import type { RecordedItem } from "../effect/request.ts";
import type { ChatMessage } from "../ipc/completion.ts";
import { itemDigest, NO_ITEMS, rootAfter } from "../ipc/item-digest.ts";
import { filesOf, ItemHead, packRequest, type PackedItem, Setup, unpack } from "../ipc/items.ts";
import * as z from "zod/mini";
import type { MessageView, StepView } from "../ipc/session-calls.ts";
import type { Told } from "./transcript.ts";

/** A request goes on from one that goes on from one, so many times at the most. */
const MAX_BACK = 100_000;

const Recorded = z.object({
  root: z.string(),
  after: z.nullable(z.int()),
  kept: z.int(),
  items: z.array(
    z.object({
      head: z.string(),
      sha256: z.string(),
      bytes: z.int(),
      row: z.exactOptional(z.int()),
      part: z.exactOptional(z.string()),
      text: z.exactOptional(z.string()),
    }),
  ),
});
type Recorded = z.infer<typeof Recorded>;

/** What a row says that its request was made of. */
export interface RequestRecord {
  /** Stands for every byte of it. */
  readonly root: string;
  readonly items: readonly RecordedItem[];
}

export interface Verdict {
  readonly verdict: StepView["verdict"];
  readonly why: string | null;
}

/** Reads what requests were made of, row by row. */
export class Requests {
  readonly #log: Pick<AuditLog, "row">;
  readonly #known = new Map<number, readonly RecordedItem[]>();

  constructor(log: Pick<AuditLog, "row">) {
    this.#log = log;
  }

  /** @returns null where that is erased, or a row that it goes on from is. */
  of(seq: number): RequestRecord | null {
    const request = this.#read(seq);
    const items = request === null ? null : this.#items(seq);
    return request === null || items === null ? null : { root: request.root, items };
  }

  #read(seq: number): Recorded | null {
    const json = this.#log.row(seq)?.content("items") ?? null;
    const parsed = json === null ? null : Recorded.safeParse(JSON.parse(json));
    return parsed?.success === true ? parsed.data : null;
  }

  #items(seq: number): readonly RecordedItem[] | null {
    const chain: { readonly seq: number; readonly request: Recorded }[] = [];
    let items: readonly RecordedItem[] = [];
    for (let at: number | null = seq; at !== null; ) {
      const known = this.#known.get(at);
      if (known !== undefined) {
        items = known;
        break;
      }
      const request = this.#read(at);
      if (request === null || chain.length === MAX_BACK) return null;
      chain.push({ seq: at, request });
      at = request.after;
    }
    for (const one of chain.toReversed()) {
      items = [...items.slice(0, one.request.kept), ...one.request.items];
      this.#known.set(one.seq, items);
    }
    return items;
  }
}

/** Compares a request that was made again of rows with what its own row commits to.
 *  @param setup of the request, as its row holds it; null: erased. @param told what the rows make. */
export function compared(record: RequestRecord | null, setup: Setup | null, told: readonly Told[]): Verdict {
  if (record === null || setup === null) return ERASED;
  const made = unpack(packRequest({ ...setup, messages: told.map(({ message }) => message) }, 0)).map((item) => ({
    item,
    sha256: sha256(item.body),
  }));
  const { items } = record;
  const differs = made.findIndex(({ item, sha256: is }, at) => {
    const was = items[at];
    return was === undefined || was.sha256 !== is || was.head !== textOf(item.head);
  });
  const erased = told.some((one) => one.erased);
  if (differs < 0 && made.length === items.length) {
    const root = made.reduce(
      (sum, { item, sha256: is }) => rootAfter(sum, itemDigest(item.head, Buffer.from(is, "hex"))),
      NO_ITEMS,
    );
    if (Buffer.from(root).toString("hex") === record.root) return { verdict: "same", why: null };
    return { verdict: "different", why: "its row commits to other bytes than those of the items that it lists" };
  }
  const at = differs < 0 ? made.length : differs;
  // What was erased cannot be compared, and it may have been what the rest follows from.
  if (
    erased &&
    (made.length !== items.length || told.every((one, nth) => one.erased || isSame(made[nth + 1], items[nth + 1])))
  )
    return ERASED;
  return { verdict: "different", why: difference(at, told, items.length - 1) };
}

const ERASED: Verdict = { verdict: "not provable", why: "content erased" };

function isSame(
  made: { readonly item: PackedItem; readonly sha256: string } | undefined,
  was: RecordedItem | undefined,
): boolean {
  return made !== undefined && was !== undefined && made.sha256 === was.sha256 && textOf(made.item.head) === was.head;
}

function difference(at: number, told: readonly Told[], was: number): string {
  if (at === 0) return "the system prompt or the tools are other ones";
  const one = told[at - 1];
  if (one === undefined) return `the request had ${was} messages, and its rows make ${told.length}`;
  if (at > was)
    return `the request had ${was} messages, and its rows make ${told.length}: the first that is new is row ${one.row}`;
  return `message ${at} (${WHOSE[one.message.role]}, row ${one.row}) is another`;
}

const WHOSE = { user: "what was written", assistant: "the model's own", tool: "a result" } as const;

/** A request as far as its items say themselves what they hold: for those that no transcript of a session makes. */
export function byItems(
  record: RequestRecord | null,
  rowOf: (seq: number) => CommittedRow | null,
): Verdict & { readonly told: readonly Told[] } {
  if (record === null) return { ...ERASED, told: [] };
  const told: Told[] = [];
  let root = NO_ITEMS;
  let verdict: Verdict = { verdict: "same", why: null };
  for (const [at, item] of record.items.entries()) {
    const { head, row, part, text } = item;
    const bytes =
      text !== undefined
        ? Buffer.from(text)
        : row === undefined || part === undefined
          ? null
          : (rowOf(row)?.bytes(part) ?? null);
    root = rootAfter(root, itemDigest(Buffer.from(head), Buffer.from(item.sha256, "hex")));
    if (bytes === null && verdict.verdict === "same")
      verdict = row === undefined ? { verdict: "not provable", why: `message ${at} is in no row` } : ERASED;
    if (bytes !== null && sha256(bytes) !== item.sha256)
      verdict = { verdict: "different", why: `message ${at} is not the ${part ?? "text"} of row ${row ?? "-"}` };
    if (at > 0) told.push(toldOf(head, bytes, row ?? null));
  }
  if (Buffer.from(root).toString("hex") !== record.root)
    verdict = { verdict: "different", why: "its row commits to other bytes than those of the items that it lists" };
  return { ...verdict, told };
}

function toldOf(head: string, bytes: Uint8Array | null, row: number | null): Told {
  const is = ItemHead.parse(JSON.parse(head));
  const text = bytes === null ? "[erased]" : Buffer.from(bytes).toString("utf8");
  const rest = { row: row ?? -1, origin: null, erased: bytes === null };
  if (is.role === "tool") return { ...rest, message: { role: "tool", call: is.call, name: is.name, text } };
  if (is.role !== "assistant") return { ...rest, message: { role: "user", text } };
  const parsed = bytes === null ? null : Answered.safeParse(JSON.parse(text));
  return {
    ...rest,
    message: {
      role: "assistant",
      text: parsed?.success === true ? parsed.data.text : text,
      calls: parsed?.success === true ? parsed.data.calls : [],
    },
  };
}

const Answered = z.object({
  text: z.string(),
  calls: z.array(z.object({ id: z.string(), name: z.string(), arguments: z.string() })),
});

/** The setup of a request; null: erased. */
export function setupOf(record: RequestRecord | null): Setup | null {
  const text = record?.items[0]?.text;
  const parsed = text === undefined ? null : Setup.safeParse(JSON.parse(text));
  return parsed?.success === true ? parsed.data : null;
}

/** One message as it is shown. */
export function messageView({ message, row, erased }: Told): MessageView {
  return {
    role: message.role,
    row: row < 0 ? null : row,
    text: message.text,
    tool: message.role === "tool" ? message.name : null,
    calls:
      message.role === "assistant"
        ? message.calls.map(({ id, name, arguments: given }) => ({ id, name, arguments: given }))
        : [],
    files: shownIn(message),
    erased,
  };
}

function shownIn(message: ChatMessage): MessageView["files"] {
  if (message.role === "assistant") return [];
  const [, item] = unpack(packRequest({ instructions: "", tools: [], messages: [message] }, 0));
  return item === undefined
    ? []
    : filesOf(item).map(({ media, bytes, sha256: digest }) => ({ media, bytes, sha256: digest }));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
