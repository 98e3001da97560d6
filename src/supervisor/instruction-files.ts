import { existsSync } from "node:fs";
import { join } from "node:path";
import type { AuditLog } from "../../audit/log.ts";
import { unifiedDiff } from "../broker/diff.ts";
import type { FileLabels } from "../broker/file-labels.ts";
import { MEANS } from "../broker/injection/finding.ts";
import { scan } from "../broker/injection/scan.ts";
import { EVERYBODY, type Labels, NO_LABELS, union } from "../broker/labels.ts";
import type { TurnContext } from "../broker/turn.ts";
import { surveyFile } from "../effect/file-survey.ts";
import { INSTRUCTION_NAMES, type InstructionName } from "../ipc/instruction-calls.ts";
import { mint } from "../ipc/ids.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import { SHARED, wrongWith } from "../sandbox/folder.ts";
import { type Ours, Workspace } from "../sandbox/workspace.ts";
import { WorkspaceError } from "../sandbox/workspace-error.ts";
import type { Folders } from "./folders.ts";
import { type InstructionPiece, instructionText } from "./instruction-text.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import type { Workspaces } from "./workspaces.ts";

/** Of one file, in bytes: it goes with every request to the model, and somebody has to read it first. */
export const MAX_INSTRUCTION_BYTES = 32 * 1024;
/** Of all that one conversation is given; what is beyond is left out, and that is said. */
const MAX_ALL_BYTES = 96 * 1024;
/** Conversations of which it is kept in memory what they were told. */
const MAX_TOLD = 200;

export interface InstructionParts {
  readonly log: Pick<AuditLog, "row" | "append">;
  /** The rows of those that were accepted, by the projection. */
  readonly accepted: () => readonly number[];
  readonly workspaces: Pick<Workspaces, "directories">;
  readonly folders: Pick<Folders, "ofAgent">;
  readonly files: Pick<FileLabels, "of">;
  readonly ours: Ours;
  readonly agents: () => readonly string[];
  /** What they are called; null: nobody has that id. */
  readonly nameOf: (principal: string) => string | null;
  /** Makes the key that what is one person's is sealed under. */
  readonly contentKey: (scope: string) => Promise<void>;
  /** What an agent is told is something else now: it is put on the record what is in force. */
  readonly changed: (agent: string) => Promise<void>;
}

/** A version of a file that the owner has looked at. */
interface Accepted {
  readonly id: string;
  readonly agent: string;
  readonly path: string;
  readonly text: string;
  readonly digest: string;
  /** It was written beside something that nobody vouches for. */
  readonly untrusted: boolean;
}

/** A directory in which such files are looked for. */
interface Source {
  /** Whose alone it is; null: everybody's who talks to the agent. */
  readonly principal: string | null;
  readonly where: string;
  readonly path: string;
}

type Read = { readonly text: string; readonly digest: string } | { readonly unusable: string };
type View = AnswerTo<"instructions.show">["files"][number];

/** What a turn's agent is told beside its own instructions. */
export interface Instructed {
  readonly text: string;
  readonly labels: Labels;
  /** It was not told just this in this conversation before. */
  readonly fresh: boolean;
  /** What the people there are to be told, a sentence each. */
  readonly notices: readonly string[];
}

/** `AGENTS.md`, `SOUL.md` and `USER.md` of workspaces and their folders: told to an agent in the version that the owner has looked at, and in no other.
 *  While a changed one waits, the version of before stays in force; one that is gone is told no more. The rows are what counts. */
export class InstructionFiles {
  readonly #parts: InstructionParts;
  #accepted: Map<string, Accepted> | null = null;
  /** Versions that wait and are on the record. */
  readonly #recorded = new Set<string>();
  /** By session: what was told there, and which versions were said to wait. */
  readonly #told = new Map<string, { text: string; readonly waiting: Set<string> }>();

  constructor(parts: InstructionParts) {
    this.#parts = parts;
  }

  /** Read when they are first asked for, and again while the vault was locked then. */
  #all(): Map<string, Accepted> {
    if (this.#accepted !== null) return this.#accepted;
    const all = new Map<string, Accepted>();
    let unread = false;
    for (const seq of this.#parts.accepted()) {
      const row = this.#parts.log.row(seq);
      if (row?.action.kind !== "instructions.accepted") continue;
      const [path, text, digest] = [row.content("path"), row.content("text"), row.content("digest")];
      if (path === null || text === null || digest === null) {
        unread = true;
        continue;
      }
      const { instructions: id, agent, untrusted } = row.action;
      all.set(keyOf(agent, path), { id, agent, path, text, digest, untrusted: untrusted === "yes" });
    }
    if (!unread) this.#accepted = all;
    return all;
  }

  /** What an agent is told in this turn. What waits for the owner is on the record before this resolves. @throws {AuditError} */
  async ofTurn(turn: Pick<TurnContext, "agent" | "principal" | "talk" | "session" | "cause">): Promise<Instructed> {
    const { agent, principal, talk, session } = turn;
    const pieces: InstructionPiece[] = [];
    const notices: string[] = [];
    let labels = NO_LABELS;
    let bytes = 0;
    const told = this.#toldIn(session);
    const say = (version: string, sentence: string): void => {
      if (!told.waiting.has(version)) notices.push(sentence);
      told.waiting.add(version);
    };
    for (const { source, name, path, read, accepted } of this.#found(agent, talk === "group" ? null : principal)) {
      const version = `${path} ${"digest" in read ? read.digest : read.unusable}`;
      if (accepted === null || !("digest" in read) || read.digest !== accepted.digest) {
        await this.#recordWaiting(turn, { source, name, path, version, changed: accepted !== null });
        say(version, waitingSentence(name, source.where, read, accepted));
      }
      if (accepted === null) continue;
      bytes += Buffer.byteLength(accepted.text);
      if (bytes > MAX_ALL_BYTES) {
        say(
          `${version} too much`,
          `${name} (${source.where}) is left out: with it there are more than ${MAX_ALL_BYTES} bytes of such files.`,
        );
        continue;
      }
      pieces.push({ name, where: source.where, text: accepted.text, digest: accepted.digest });
      labels = union(labels, this.#labelsOf(accepted, source, name));
    }
    const text = instructionText(pieces);
    const fresh = text !== "" && told.text !== text;
    told.text = text;
    return { text, labels, fresh, notices };
  }

  #toldIn(session: string): { text: string; readonly waiting: Set<string> } {
    const known = this.#told.get(session) ?? { text: "", waiting: new Set<string>() };
    this.#told.set(session, known);
    const [oldest] = this.#told.keys();
    if (this.#told.size > MAX_TOLD && oldest !== undefined) this.#told.delete(oldest);
    return known;
  }

  async #recordWaiting(
    { agent, cause }: Pick<TurnContext, "agent" | "cause">,
    found: { source: Source; name: InstructionName; path: string; version: string; changed: boolean },
  ): Promise<void> {
    const { source, name, path, version, changed } = found;
    if (this.#recorded.has(`${agent} ${version}`)) return;
    const { principal } = source;
    if (principal !== null) await this.#parts.contentKey(principal);
    await this.#parts.log.append(
      { kind: "instructions.waiting", agent, name, principal, state: changed ? "changed" : "new" },
      { cause, seal: principal ?? "daemon", content: { path } },
    );
    this.#recorded.add(`${agent} ${version}`);
  }

  /** What is one person's is private to them, and what tells of people to those who use the agent. What is for everybody is the operator's, like the
   *  configuration. That the owner let it through vouches for no stranger's words in it: only clearing its label does. */
  #labelsOf({ path, digest, untrusted }: Accepted, { principal }: Source, name: InstructionName): Labels {
    const file = surveyFile(path);
    const still = file === null || file.digest !== digest || this.#parts.files.of(file).untrusted;
    return {
      untrusted: untrusted && still,
      private: principal !== null ? [principal] : name === "USER.md" ? [EVERYBODY] : [],
    };
  }

  /** The paths of those that an agent is told. */
  ofAgent(agent: string): string[] {
    return [...this.#all().values()].filter((one) => one.agent === agent).map(({ path }) => path);
  }

  /** None of an agent's is told any more: it is removed. @param cause the row that says so. */
  async withdraw(agent: string, who: By, cause: number): Promise<void> {
    for (const [key, { id, agent: whose }] of this.#all()) {
      if (whose !== agent) continue;
      await this.#parts.log.append({ kind: "instructions.withdrawn", instructions: id, ...who }, { cause });
      this.#all().delete(key);
    }
  }

  /** As they stand in the settings of an agent that are in force. */
  inForce(agent: string): { path: string; for: string | null; sha256: string }[] {
    const all = this.#all();
    if (![...all.values()].some((one) => one.agent === agent)) return [];
    return this.#everywhere(agent).flatMap(({ accepted, path, source }) =>
      accepted === null ? [] : [{ path, for: source.principal, sha256: accepted.digest }],
    );
  }

  /** A sentence for those that wait. */
  notes(): string[] {
    return this.#parts.agents().flatMap((agent) =>
      this.#everywhere(agent)
        .filter(({ read, accepted }) => !("digest" in read) || read.digest !== accepted?.digest)
        .map(({ path }) => `${path} waits for you to look at it: wirken agents instructions show`),
    );
  }

  show(agent: string | null): AnswerTo<"instructions.show"> {
    const agents = agent === null ? this.#parts.agents() : [agent];
    return {
      files: agents.flatMap((one) =>
        this.#everywhere(one).map(({ source, name, path, read, accepted }): View => {
          const state =
            "unusable" in read
              ? "unusable"
              : accepted === null
                ? "new"
                : accepted.digest === read.digest
                  ? "in force"
                  : "changed";
          const text = "text" in read ? read.text : "";
          const file = surveyFile(path);
          return {
            agent: one,
            name,
            path,
            principal: source.principal,
            person: source.principal === null ? null : (this.#parts.nameOf(source.principal) ?? source.principal),
            state,
            why: "unusable" in read ? read.unusable : null,
            digest: "digest" in read ? read.digest : null,
            difference: state === "new" || state === "changed" ? unifiedDiff(accepted?.text ?? "", text) : "",
            untrusted: file !== null && this.#parts.files.of(file).untrusted,
            noticed: scan(text).map(({ class: kind }) => `it ${MEANS[kind]}`),
          };
        }),
      ),
    };
  }

  /** The owner has looked at this version. @throws {OperatorError} if it is another one by now, or cannot be told to an agent. */
  async accept(
    { agent, path, digest }: Extract<OperatorCall, { call: "instructions.accept" }>,
    who: By,
  ): Promise<AnswerTo<"instructions.accept">> {
    const { log, contentKey, changed, files } = this.#parts;
    const found = this.#everywhere(agent).find((one) => one.path === path);
    if (found === undefined) throw new OperatorError("not-found", `agent ${agent} is told nothing of ${path}`, SHOW);
    const { read, accepted, name, source } = found;
    if ("unusable" in read) throw new OperatorError("refused", `${path} is not told to an agent: ${read.unusable}`);
    if (read.digest !== digest)
      throw new OperatorError("refused", `${path} is another one than the one that you looked at`, SHOW);
    if (accepted?.digest === digest) return { agent, path, digest };
    const { principal } = source;
    if (principal !== null) await contentKey(principal);
    const id = mint("instructions");
    const file = surveyFile(path);
    const untrusted = file !== null && files.of(file).untrusted;
    await log.append(
      {
        kind: "instructions.accepted",
        instructions: id,
        agent,
        name,
        principal,
        untrusted: untrusted ? "yes" : "no",
        replaces: this.#all().get(keyOf(agent, path))?.id ?? null,
        ...who,
      },
      { cause: null, seal: principal ?? "daemon", content: { path, text: read.text, digest } },
    );
    this.#all().set(keyOf(agent, path), { id, agent, path, text: read.text, digest, untrusted });
    await changed(agent);
    return { agent, path, digest };
  }

  /** Every such file of an agent, whoever's it is. */
  #everywhere(agent: string): Found[] {
    const { workspaces, folders } = this.#parts;
    const own = workspaces
      .directories(agent)
      .map(
        ({ principal, path }): Source => ({ principal, path, where: principal === null ? `${SHARED}/` : "workspace" }),
      );
    const added = folders
      .ofAgent(agent)
      .filter((one) => wrongWith(one) === null)
      .map(({ principal, name, path }): Source => ({ principal, path, where: `${name}/` }));
    return this.#in(agent, [...own, ...added]);
  }

  /** @param principal null: in group talk. */
  #found(agent: string, principal: string | null): Found[] {
    return this.#everywhere(agent).filter(({ source }) => source.principal === null || source.principal === principal);
  }

  #in(agent: string, sources: readonly Source[]): Found[] {
    return sources.flatMap((source) =>
      INSTRUCTION_NAMES.flatMap((name) => {
        const read = readFile(source.path, name, this.#parts.ours);
        if (read === null) return [];
        const path = join(source.path, name);
        return [{ source, name, path, read, accepted: this.#all().get(keyOf(agent, path)) ?? null }];
      }),
    );
  }
}

interface Found {
  readonly source: Source;
  readonly name: InstructionName;
  readonly path: string;
  readonly read: Read;
  readonly accepted: Accepted | null;
}

const SHOW = "wirken agents instructions show has them";

function keyOf(agent: string, path: string): string {
  return `${agent} ${path}`;
}

/** A plain file of text, and no link. @returns null where there is none. */
function readFile(directory: string, name: string, ours: Ours): Read | null {
  if (!existsSync(join(directory, name))) return null;
  try {
    const place = { workspace: directory, folders: [] };
    const { bytes, digest } = new Workspace(place, ours).read(name, MAX_INSTRUCTION_BYTES, "none");
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes), digest };
  } catch (wrong) {
    if (wrong instanceof TypeError) return { unusable: "it is no text in UTF-8" };
    if (!(wrong instanceof WorkspaceError)) throw wrong;
    return wrong.code === "PATH_MISSING" ? null : { unusable: wrong.message };
  }
}

function waitingSentence(name: string, where: string, read: Read, accepted: Accepted | null): string {
  if ("unusable" in read) return `I am not told what ${name} (${where}) says: ${read.unusable}.`;
  const is = accepted === null ? "new: it is not told to me" : "changed: what it said before is told to me";
  return `${name} (${where}) is ${is} until the owner has looked at it (wirken agents instructions show).`;
}
