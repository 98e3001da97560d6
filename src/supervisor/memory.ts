import { contentId } from "../../audit/content.ts";
import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import type { Recorded } from "../../audit/recorded.ts";
import type { Removal } from "../../audit/removal.ts";
import type { ActionOfType } from "../effect/action.ts";
import { type Found, type MemoryEntry, MemoryError, type MemoryPort } from "../effect/memory-port.ts";
import { mint } from "../ipc/ids.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import type { Holds } from "./holds.ts";
import { MemoryIndex } from "./memory-index.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

/** What one agent keeps for one person, at the most. */
export const MAX_MEMORY_ENTRIES = 1_000;
export const MAX_MEMORY_BYTES = 1_048_576;

export interface MemoryParts {
  readonly log: Pick<AuditLog, "append" | "row"> & { readonly removal: Pick<Removal, "delete" | "truncate"> };
  /** The rows of what is kept, by the projection. */
  readonly kept: () => readonly number[];
  readonly holds: Pick<Holds, "over">;
  /** Makes the key that what is kept for a person is sealed under: theirs alone. */
  readonly contentKey: (scope: string) => Promise<void>;
  /** What they are called; null: nobody has that id. */
  readonly nameOf: (principal: string) => string | null;
}

type View = AnswerTo<"memory.list">["entries"][number];

/** What agents keep between conversations, each entry for one person. It lies in the log's content, sealed under that person's key; what is searched is in memory. */
export class Memory implements MemoryPort {
  readonly #parts: MemoryParts;
  readonly #index = new MemoryIndex();
  /** Rows that nothing opened when they were read: the vault was locked. */
  #unread: readonly number[];

  constructor(parts: MemoryParts) {
    this.#parts = parts;
    this.#unread = parts.kept();
    this.#fill();
  }

  #fill(): void {
    this.#unread = this.#unread.filter((seq) => {
      const entry = entryOf(this.#parts.log.row(seq));
      if (entry !== null) this.#index.put(entry);
      return entry === null;
    });
  }

  /** Content was erased, or is older than it may become: what nothing opens any more is not found any more either. */
  refresh(): void {
    for (const { memory, row } of this.#index.rows())
      if (entryOf(this.#parts.log.row(row)) === null) this.#index.remove(memory);
  }

  find({ agent, principal, channel, everywhere, query, limit }: ActionOfType<"memory.read">): Promise<Found> {
    this.#fill();
    const scope = { agent, principal, ...(everywhere ? {} : { channel }) };
    return Promise.resolve(this.#index.find(scope, query, limit));
  }

  async keep(
    { seq, action: called }: Pick<Recorded<"tool.called">, "seq" | "action">,
    { agent, principal, channel, text, replaces, untrusted, private: whose }: ActionOfType<"memory.write">,
  ): Promise<string> {
    const { log, contentKey } = this.#parts;
    this.#fill();
    const old = replaces === null ? null : this.#own(replaces, agent, principal);
    const { entries, bytes } = this.#index.size(agent, principal);
    const more = Buffer.byteLength(text);
    if (old === null && entries >= MAX_MEMORY_ENTRIES)
      throw new MemoryError(`${entries} entries are kept already, and no more are: replace one`);
    if (bytes + more - (old === null ? 0 : Buffer.byteLength(old.text)) > MAX_MEMORY_BYTES)
      throw new MemoryError(`${bytes} bytes are kept already, and at most ${MAX_MEMORY_BYTES} are: replace an entry`);
    if (old !== null) this.#refuseHeld(old, (why) => new MemoryError(why));
    await contentKey(principal);
    const memory = mint("memory");
    const row = await log.append(
      {
        kind: "memory.written",
        memory,
        agent,
        principal,
        session: called.session,
        channel,
        untrusted: untrusted ? "yes" : "no",
        bytes: more,
        replaces: old?.memory ?? null,
      },
      { cause: seq, seal: principal, content: { text, private: whose.join(" ") } },
    );
    if (old !== null) await this.#forget(old);
    const { session } = called;
    this.#index.put({
      memory,
      text,
      agent,
      principal,
      channel,
      session,
      row: row.seq,
      at: row.at,
      untrusted,
      private: whose,
    });
    return memory;
  }

  #own(memory: string, agent: string, principal: string): MemoryEntry {
    const found = this.#index.get(memory);
    if (found === null || found.agent !== agent || found.principal !== principal)
      throw new MemoryError(`there is no entry ${JSON.stringify(memory)} to replace`);
    return found;
  }

  #refuseHeld({ session, principal, memory }: MemoryEntry, refused: (why: string) => Error): void {
    const hold = this.#parts.holds.over([session], principal);
    if (hold !== null) throw refused(`${memory} stays: hold ${hold.hold} exempts it`);
  }

  /** Its content is deleted and overwritten; its row stays. */
  async #forget({ memory, row }: MemoryEntry): Promise<void> {
    const { removal } = this.#parts.log;
    await removal.delete([contentId(row, "memory.written", "text"), contentId(row, "memory.written", "private")]);
    await removal.truncate();
    this.#index.remove(memory);
  }

  list({ agent, principal, query, limit }: Extract<OperatorCall, { call: "memory.list" }>): AnswerTo<"memory.list"> {
    this.#fill();
    const scope = { agent: agent ?? undefined, principal: principal ?? undefined };
    const { entries, more } = this.#index.find(scope, query, limit);
    return { entries: entries.map((entry) => this.#view(entry)), more, unread: this.#unread.length };
  }

  /** @throws {OperatorError} */
  show(memory: string): View {
    return this.#view(this.#known(memory));
  }

  /** What an agent keeps, whoever it is for. `held`: why some of it may not go, a sentence each. */
  ofAgent(agent: string): { readonly entries: readonly string[]; readonly held: readonly string[] } {
    this.#fill();
    const { entries } = this.#index.find({ agent }, null, Number.MAX_SAFE_INTEGER);
    const held = entries.flatMap(({ session, principal, memory }) => {
      const hold = this.#parts.holds.over([session], principal);
      return hold === null ? [] : [`${memory} stays: hold ${hold.hold} exempts it`];
    });
    return { entries: entries.map(({ memory }) => memory), held };
  }

  async remove(memory: string, who: By): Promise<View> {
    const entry = this.#known(memory);
    this.#refuseHeld(entry, (why) => new OperatorError("refused", why, "wirken audit hold list shows why"));
    await this.#parts.log.append({ kind: "memory.removed", memory: entry.memory, ...who }, { cause: entry.row });
    await this.#forget(entry);
    return this.#view(entry);
  }

  #known(memory: string): MemoryEntry {
    this.#fill();
    const entry = this.#index.get(memory);
    if (entry === null)
      throw new OperatorError("not-found", `nothing is kept as ${memory}`, "wirken memory list shows what is");
    return entry;
  }

  #view({ private: whose, ...entry }: MemoryEntry): View {
    return { ...entry, private: [...whose], person: this.#parts.nameOf(entry.principal) ?? entry.principal };
  }

  close(): void {
    this.#index.close();
  }
}

/** @returns null if its content is erased, or nothing opens it now. */
function entryOf(row: CommittedRow | null): MemoryEntry | null {
  if (row?.action.kind !== "memory.written") return null;
  const text = row.content("text");
  if (text === null) return null;
  const { memory, agent, principal, channel, session, untrusted } = row.action;
  const whose = (row.content("private") ?? "").split(" ").filter((one) => one !== "");
  return {
    memory,
    text,
    agent,
    principal,
    channel,
    session,
    row: row.seq,
    at: row.at,
    untrusted: untrusted === "yes",
    private: whose,
  };
}
