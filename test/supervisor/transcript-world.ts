import type { Action } from "../../audit/action.ts";
import type { CommittedRow } from "../../audit/log.ts";
import type { Say } from "../../src/agent/loop.ts";
import { BEFORE_START, type Heard, step, type Turn } from "../../src/agent/loop.ts";
import type { Answer, ChatMessage } from "../../src/ipc/completion.ts";
import { SKILL_MARK } from "../../src/ipc/skill-text.ts";
import { packRequest } from "../../src/ipc/items.ts";
import type { Said } from "../../src/supervisor/projection.ts";
import { BY_NAME, type SaidRow, Transcript } from "../../src/supervisor/transcript.ts";

const IDS = { turn: "t", session: "s" } as const;
const UNDER = { agent: "default", principal: "p", policy: "", settings: "" } as const;

/** Rows as a log would hold them. */
export class Rows {
  readonly all: SaidRow[] = [];
  readonly #rows: CommittedRow[] = [];
  readonly #erased = new Set<number>();
  readonly of = (seq: number): CommittedRow | null => this.#rows[seq] ?? null;

  add(action: Action, cause: number | null, content: Readonly<Record<string, string>>, what: Said | null): number {
    const seq = this.#rows.length;
    const part = (name: string): string | null => (this.#erased.has(seq) ? null : (content[name] ?? null));
    const row: CommittedRow = {
      seq,
      at: "2026-11-29T20:00:00.000Z",
      commitments: {},
      cause,
      action,
      content: part,
      bytes: (name) => {
        const text = part(name);
        return text === null ? null : Buffer.from(text);
      },
    };
    this.#rows.push(row);
    if (what !== null) this.all.push({ row, what });
    return seq;
  }

  erase(seq: number): void {
    this.#erased.add(seq);
  }

  /** What they make, from the first one on. */
  get transcript(): Transcript {
    const transcript = new Transcript(this.of);
    for (const said of this.all) transcript.take(said);
    return transcript;
  }
  get messages(): ChatMessage[] {
    return this.transcript.now.map(({ message }) => message);
  }

  message(text: string): number {
    const received = this.add(
      { kind: "message.received", message: "m", session: "s", conversation: "c", channel: "web", principal: "p" },
      null,
      { text },
      null,
    );
    return this.add({ kind: "turn.started", ...IDS, ...UNDER, message: "m" }, received, {}, "message");
  }
  answer(answer: Answer): number {
    const action = {
      kind: "model.answered",
      model: "m",
      inputTokens: 1,
      outputTokens: 1,
      microDollars: 0,
      stop: "stop",
    } as const;
    return this.add(action, null, { answer: JSON.stringify(answer) }, "answer");
  }
  called(tool: string, id: string): number {
    const action = {
      kind: "tool.called",
      ...IDS,
      ...UNDER,
      call: "k",
      tool,
      key: "file.read",
      tier: 1,
      authority: "free",
      rests: null,
    } as const;
    return this.add(action, null, { call: id }, "call");
  }
  result(call: number, text: string): number {
    return this.add({ kind: "tool.finished", outcome: "done", status: null }, call, { result: text }, "result");
  }
  refusal(tool: string, id: string, told: string): number {
    const action = { kind: "tool.refused", ...IDS, ...UNDER, call: "k", tool, key: null, reason: "policy" } as const;
    return this.add(action, null, { call: id, told, why: told }, "refusal");
  }
}

/** What happens next: numbers that a property draws, in their order. */
type Draw = (most: number) => number;

/** An agent's own loop, and the rows that its supervisor would write of what it does. */
export class Life {
  readonly rows = new Rows();
  readonly #setup: {
    readonly instructions: string;
    readonly tools: Heard extends infer H ? (H extends { tools: infer T } ? T : never) : never;
  };
  #turn: Turn = BEFORE_START;
  /** Requests whose bytes are not those that the rows make. */
  readonly differs: string[] = [];
  requests = 0;
  readonly #draw: Draw;

  constructor(draw: Draw) {
    this.#draw = draw;
    this.#setup = { instructions: "be brief", tools: [] };
    this.#start();
  }

  #start(): void {
    this.#turn = step(BEFORE_START, {
      type: "start",
      rounds: 3,
      ...this.#setup,
      transcript: this.rows.transcript.between.map(({ message }) => message),
    }).turn;
  }

  #hear(heard: Heard): readonly Say[] {
    const next = step(this.#turn, heard);
    this.#turn = next.turn;
    return next.say;
  }

  /** The daemon ends and begins again. */
  restart(): void {
    this.#start();
  }

  turn(text: string): void {
    const { rows } = this;
    rows.message(text);
    let given = text;
    if (this.#draw(4) === 0) {
      given = `${text}\n\n[a file]`;
      rows.add({ kind: "message.told", ...IDS, message: "m" }, null, { text: given }, "told");
    }
    if (this.#draw(5) === 0) {
      rows.result(rows.called("skill", BY_NAME), "how it is done");
      given = `${given}${SKILL_MARK}how it is done`;
    }
    let say = this.#hear({ type: "turn", text: given });
    for (;;) {
      const end = say.find((one) => one.type === "turn.end");
      if (end !== undefined) {
        // What did not end well is begun anew from its rows.
        if (end.reason !== "done") this.#start();
        return;
      }
      const asked = say.find((one) => one.type === "complete");
      say = asked === undefined ? this.#act(say) : this.#complete(asked);
    }
  }

  #complete({ ref, request }: Extract<Say, { type: "complete" }>): readonly Say[] {
    this.requests += 1;
    const made = Buffer.from(packRequest({ ...this.#setup, messages: this.rows.messages }, 0));
    if (!made.equals(packRequest(request, 0)))
      this.differs.push(`${JSON.stringify(request.messages)}\n${JSON.stringify(this.rows.messages)}`);
    const draw = this.#draw(12);
    if (draw === 0) return this.#hear({ type: "turn.stop" });
    if (draw === 1) {
      this.#hear({ type: "delta", ref, text: "half an" });
      this.rows.add({ kind: "answer.cut", ...IDS }, null, { text: "half an" }, "cut");
      return this.#hear({ type: "failed", ref, code: "other", sentence: "it broke" });
    }
    const calls = Array.from({ length: draw < 7 ? this.#draw(4) : draw === 7 ? 66 : 0 }, (_, at) => ({
      // Models use an id twice now and then.
      id: `call_${this.#draw(3) === 0 ? 0 : at}`,
      name: this.#draw(6) === 0 ? "skill" : "look",
      arguments: "{}",
    }));
    const answer = { text: draw === 11 ? " " : `answer ${this.requests}`, calls };
    this.rows.answer(answer);
    return this.#hear({ type: "completed", ref, stop: "stop", answer });
  }

  #act(say: readonly Say[]): readonly Say[] {
    const asks = say.filter((one) => one.type === "tool");
    if (this.#draw(15) === 0) return this.#hear({ type: "turn.stop" });
    const open = asks.map((ask) => ({ ask, row: this.#draw(5) === 0 ? null : this.rows.called(ask.name, ask.call) }));
    let next: readonly Say[] = [];
    // Results of calls with one id are told apart by nothing but their order.
    const same = new Set(asks.map(({ call }) => call)).size < asks.length;
    while (open.length > 0) {
      if (this.#draw(30) === 0) return this.#hear({ type: "turn.stop" });
      const [one] = open.splice(same ? 0 : this.#draw(open.length), 1);
      if (one === undefined) break;
      const { ask, row } = one;
      const text = `what came of it ${ask.ref} ${"x".repeat(this.#draw(80))}`;
      if (row === null) this.rows.refusal(ask.name, ask.call, text);
      else this.rows.result(row, text);
      next = this.#hear({ type: "result", ref: ask.ref, outcome: row === null ? "refused" : "done", text });
    }
    return next;
  }
}
