import { join } from "node:path";
import type { AuditLog } from "../../audit/log.ts";
import { mint, TurnId } from "../ipc/ids.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { putBack } from "../sandbox/put-back.ts";
import { type State, stateAt } from "../sandbox/snapshot.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import { ANY_MODE, planOf, turnsWithCopies, type Undone, undoneBefore } from "./undo-plan.ts";

/** Turns that a list shows. */
const MAX_LISTED = 50;

export interface UndoParts {
  readonly log: Pick<AuditLog, "search" | "record">;
  readonly sandbox: Pick<Sandbox, "change">;
}

type Answer = AnswerTo<"undo">;
type Fate = Answer["files"][number];

/** Takes back what a turn did to files. */
export class Undo {
  readonly #parts: UndoParts;

  constructor(parts: UndoParts) {
    this.#parts = parts;
  }

  async list(): Promise<AnswerTo<"undo.list">> {
    const turns = await turnsWithCopies(this.#parts.log, MAX_LISTED);
    return { turns: turns.map(({ turn, ...rest }) => ({ turn: TurnId.parse(turn), ...rest })) };
  }

  /** @throws {OperatorError} if there is no such turn, it runs, or there is nothing of it to take back. */
  async undo({ turn, force, preview }: Extract<OperatorCall, { call: "undo" }>, who: By): Promise<Answer> {
    const { log, sandbox } = this.#parts;
    const plan = await planOf(log, turn);
    if (plan === null)
      throw new OperatorError("not-found", `there is no turn ${turn}`, "wirken undo without one lists those there are");
    if (!plan.ended)
      throw new OperatorError("not-ready", "this turn has not ended", "end it first: wirken stop --session");
    const answer = {
      turn,
      session: plan.session,
      before: await undoneBefore(log, turn, plan.session),
      beyond: [...plan.beyond],
    };
    const roots = [...new Set(plan.files.map(({ root }) => root))];
    // Nothing else writes there meanwhile.
    const place = {
      workspace: roots[0] ?? "",
      folders: roots.slice(1).map((path) => ({ name: "root", path, write: true, identity: "" })),
    };
    const inOrder = ordered(plan.files);
    if (preview || inOrder.length === 0)
      return { ...answer, row: null, files: inOrder.map((step) => fateOf(step, force).fate) };
    return await sandbox.change(place, async () => {
      const names = inOrder.map(({ root, path }) => join(root, path));
      await using recorded = await log.record<"undo.begun">(
        {
          kind: "undo.begun",
          undo: mint("undo"),
          turn,
          session: plan.session,
          files: names.length,
          force: force ? "yes" : "no",
          ...who,
        },
        { cause: plan.seq, seal: plan.session, content: { files: JSON.stringify(names) } },
      );
      recorded.redeem();
      const files = inOrder.map((step) => carryOut(step, force));
      const row = await recorded.finish<"undo.done">(
        {
          kind: "undo.done",
          restored: files.filter(({ state }) => state === "restored").length,
          conflicts: files.filter(({ state }) => state === "conflict").length,
          failed: files.filter(({ state }) => state === "failed").length,
        },
        { files: JSON.stringify(files) },
      );
      return { ...answer, row: row.seq, files };
    });
  }
}

function depth({ path }: Undone): number {
  return path.split("/").length;
}

/** What goes is taken away from below; what comes back is put back from above. */
function ordered(files: readonly Undone[]): Undone[] {
  const gone = files.filter(({ before }) => before === null).toSorted((a, b) => depth(b) - depth(a));
  const back = files.filter(({ before }) => before !== null).toSorted((a, b) => depth(a) - depth(b));
  return [...gone, ...back];
}

function fateOf(step: Undone, force: boolean): { readonly fate: Fate; readonly act: boolean } {
  const path = join(step.root, step.path);
  const now = stateAt(step.root, step.path);
  if (same(now, step.before)) return { act: false, fate: { path, state: "as it was", why: null } };
  const conflict = !same(now, step.after);
  if (conflict && !force)
    return { act: false, fate: { path, state: "conflict", why: `it was changed since: ${words(now)}` } };
  return { act: true, fate: { path, state: "restored", why: conflict ? "although it was changed since" : null } };
}

function carryOut(step: Undone, force: boolean): Fate {
  const { act, fate } = fateOf(step, force);
  if (!act) return fate;
  try {
    putBack(step.root, step.path, withMode(step), step.bytes);
    return fate;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const why = code === "ENOTEMPTY" ? "there are files in it" : error instanceof Error ? error.message : "error";
    return { ...fate, state: "failed", why };
  }
}

/** With the mode that the file has now, where a file tool left that as it was. */
function withMode({ root, path, before }: Undone): State | null {
  if (before?.kind !== "file" || before.mode !== ANY_MODE) return before;
  const now = stateAt(root, path);
  return { ...before, mode: now?.kind === "file" ? now.mode : 0o644 };
}

/** Are these the same, as far as both are known? A file that is too large to be compared is like no other. */
function same(one: State | null, other: State | null): boolean {
  if (one === null || other === null) return one === other;
  if (one.kind === "file" && other.kind === "file") {
    const modes = one.mode === other.mode || one.mode === ANY_MODE || other.mode === ANY_MODE;
    return one.digest !== null && one.digest === other.digest && modes;
  }
  if (one.kind === "link" && other.kind === "link") return one.target === other.target;
  if (one.kind === "directory" && other.kind === "directory") return one.mode === other.mode;
  return false;
}

function words(state: State | null): string {
  if (state === null) return "nothing is there any more";
  if (state.kind !== "file") return `a ${state.kind} is there`;
  return `a file of ${state.size} bytes is there`;
}
