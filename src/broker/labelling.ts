import { type ActionOfType, placeOf, type ToolAction } from "../effect/action.ts";
import { type Effects, rootsOf } from "../effect/effects.ts";
import type { ToolResult } from "../effect/tool.ts";
import { type Brings, factsOf } from "./action.ts";
import type { FileLabel, FileLabels } from "./file-labels.ts";
import { EVERYBODY, type Labels, NO_LABELS, union } from "./labels.ts";
import type { TurnContext } from "./turn.ts";

interface Gates {
  readonly effects: Pick<Effects, "surveyed" | "surveyedSince">;
  readonly files: FileLabels;
}

/** What the result of an action may be, as it is known before it runs. */
export function labelsBefore(action: ToolAction, turn: TurnContext, gates: Gates): Labels {
  const { brings } = factsOf(action);
  return union(
    { untrusted: brings.untrusted === true, private: whose(brings, turn) },
    brings.untrusted === "files" ? filesOf(action, gates) : NO_LABELS,
  );
}

/** Is an address in the result one that was found, and not one that a model may have made? What a command prints, or an agent below says, it can make of
 *  anything; so can it a file or a note that was written beside something untrusted. */
export function mayBeFound(action: ToolAction, labels: Labels): boolean {
  switch (action.type) {
    case "http.request":
    case "web.search":
      return true;
    case "file.read":
    case "file.list":
    case "file.search":
    case "memory.read":
      return !labels.untrusted;
    default:
      return false;
  }
}

function whose({ private: of }: Brings, { talk, principal }: TurnContext): string[] {
  if (of === "nothing") return [];
  return [of === "workspace" && talk === "group" ? EVERYBODY : principal];
}

function filesOf(action: ToolAction, { effects, files }: Gates): Labels {
  if (!("workspace" in action)) return NO_LABELS;
  if (action.type !== "file.read") {
    const { workspace, folders } = placeOf(action);
    return files.below([workspace, ...folders.map(({ path }) => path)]);
  }
  const file = effects.surveyed(placeOf(action), action.path);
  return file === null ? NO_LABELS : files.of(file);
}

/** What a turn writes carries its labels. That it is about to be written is on the log before it is: what a crash leaves is found labelled. */
export class Written {
  readonly #action: ToolAction;
  readonly #turn: TurnContext;
  readonly #gates: Gates;
  readonly #cause: number;
  readonly #labels: Labels;
  /** What was on the log beforehand, until it is known better. */
  readonly #roots: readonly string[];
  readonly #began: number;

  private constructor(
    given: { readonly action: ToolAction; readonly turn: TurnContext; readonly gates: Gates; readonly cause: number },
    labels: Labels,
    roots: readonly string[],
    began: number,
  ) {
    this.#action = given.action;
    this.#turn = given.turn;
    this.#gates = given.gates;
    this.#cause = given.cause;
    this.#labels = labels;
    this.#roots = roots;
    this.#began = began;
  }

  /** @param cause the row of the call. @throws {AuditError} */
  static async before(action: ToolAction, turn: TurnContext, gates: Gates, cause: number): Promise<Written> {
    const began = Date.now();
    const given = { action, turn, gates, cause };
    const { now } = turn.labels;
    if (action.type === "file.write") {
      const base = action.tool === "edit_file" ? gates.effects.surveyed(placeOf(action), action.path) : null;
      const labels = union(now, base === null ? NO_LABELS : gates.files.of(base));
      return new Written(given, labels, [], began);
    }
    if (action.type !== "exec" || !action.write || !now.untrusted) return new Written(given, now, [], began);
    const roots = rootsOf(placeOf(action));
    // A second command that writes while a first one does finds this on the log already.
    const files = roots.map((path) => ({ path, inode: null, digest: null, since: began, labels: now }));
    await gates.files.file(turn, cause, { files, gone: [] });
    return new Written(given, now, roots, began);
  }

  /** It has run, or was kept from it. @throws {AuditError} */
  async after(outcome: ToolResult["outcome"]): Promise<void> {
    const action = this.#action;
    if (action.type === "file.write" && outcome === "done") await this.#wroteFile(action);
    // What goes on in the background may still write: what was said beforehand goes on to hold.
    if (action.type === "exec" && action.write && action.background !== true) await this.#ranCommand(action);
  }

  async #wroteFile(action: ActionOfType<"file.write">): Promise<void> {
    const { effects, files } = this.#gates;
    const file = effects.surveyed(placeOf(action), action.path);
    if (file === null) return;
    // What was written by a turn without labels has none, whatever lay there before; where nothing was known, nothing need be said.
    if (!this.#labels.untrusted && !files.of(file).untrusted) return;
    const { inode, digest } = file;
    await files.file(this.#turn, this.#cause, {
      files: [{ path: file.path, inode, digest, since: null, labels: this.#labels }],
      gone: [],
    });
  }

  async #ranCommand(action: ActionOfType<"exec">): Promise<void> {
    const { effects, files } = this.#gates;
    if (!this.#labels.untrusted) return;
    const { files: found, complete } = effects.surveyedSince(placeOf(action), this.#began, files.inodes);
    // Whatever it may have read of, it may have written: a session that runs commands beside such files has their labels already.
    const labelled = found.map(
      ({ path, inode, digest }): FileLabel => ({ path, inode, digest, since: null, labels: this.#labels }),
    );
    await files.file(this.#turn, this.#cause, { files: labelled, gone: complete ? this.#roots : [] });
  }
}
