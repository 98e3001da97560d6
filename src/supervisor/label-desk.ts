import { resolve } from "node:path";
import type { AuditLog } from "../../audit/log.ts";
import type { FileLabels } from "../broker/file-labels.ts";
import { EVERYBODY, type LabelBook } from "../broker/labels.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import type { State } from "./state.ts";

export interface LabelDeskParts {
  readonly log: Pick<AuditLog, "append">;
  readonly state: State;
  readonly labels: LabelBook;
  readonly files: FileLabels;
}

/** Labels, as the owner sees and clears them. */
export class LabelDesk {
  readonly #parts: LabelDeskParts;

  constructor(parts: LabelDeskParts) {
    this.#parts = parts;
  }

  show(): AnswerTo<"label.show"> {
    const { state, files } = this.#parts;
    const name = (person: string): string =>
      person === EVERYBODY ? EVERYBODY : (state.person(person)?.name ?? person);
    return {
      sessions: state.labelledSessions().map((session) => {
        const { untrusted, private: whose } = state.labelsOf(session);
        return { session, channel: state.session(session)?.channel ?? null, untrusted, private: whose.map(name) };
      }),
      files: files
        .list()
        .map(({ path, since }) => ({ path, since: since === null ? null : new Date(since).toISOString() })),
      lost: files.lost,
    };
  }

  /** Gives way to more: recorded first, and then done. @throws {OperatorError} if there is nothing of it. */
  async clear(
    { session, path }: Extract<OperatorCall, { call: "label.clear" }>,
    who: By,
  ): Promise<AnswerTo<"label.clear">> {
    const { log, state, labels, files } = this.#parts;
    if (session !== null) {
      if (!state.labelledSessions().includes(session))
        throw new OperatorError("not-found", `no label is in session ${session}`, "wirken label show lists them");
      await log.append({ kind: "label.cleared", session, ...who }, { cause: null, seal: session });
      labels.of(session).clear();
      return { cleared: 1 };
    }
    const below = path === null ? null : resolve(path);
    const there = files
      .list()
      .filter((file) => below === null || file.path === below || file.path.startsWith(`${below}/`));
    if (there.length === 0 && !(below === null && files.lost))
      throw new OperatorError("not-found", "no file there has a label", "wirken label show lists them");
    await log.append(
      { kind: "label.cleared", session: null, ...who },
      { cause: null, ...(below === null ? {} : { content: { path: below } }) },
    );
    if (below === null) files.clearAll();
    else files.clear(below);
    return { cleared: there.length };
  }
}
