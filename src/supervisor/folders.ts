import { realpathSync } from "node:fs";
import { basename } from "node:path";
import type { AuditLog } from "../../audit/log.ts";
import { FOLDER_NAME, type Folder, identityOf, MAX_FOLDERS, SHARED, wrongWith } from "../sandbox/folder.ts";
import { FolderId, mint } from "../ipc/ids.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import { type Places, refusalOf, within } from "../sandbox/refusal.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

export interface FolderRecord extends Folder {
  readonly folder: FolderId;
  readonly agent: string;
  /** Whose alone it is; null: everybody's who talks to the agent. */
  readonly principal: string | null;
  readonly at: string;
  readonly seq: number;
}

export interface FolderParts {
  readonly log: Pick<AuditLog, "row" | "append">;
  /** The rows of those there are, by the projection. */
  readonly added: () => readonly number[];
  readonly places: Places;
  readonly knowsAgent: (agent: string) => boolean;
  /** What they are called; null: nobody has that id. */
  readonly nameOf: (principal: string) => string | null;
  /** Makes the key that what is one person's is sealed under. */
  readonly contentKey: (scope: string) => Promise<void>;
  /** Something else that has this name in a workspace that the folder would be part of; null: nothing. */
  readonly taken: (agent: string, principal: string | null, name: string) => string | null;
  /** The folders of an agent are others now: it is put on the record what is in force. */
  readonly changed: (name: string, agent: string, who: By) => Promise<void>;
}

type AddCall = Extract<OperatorCall, { call: "folder.add" }>;
type View = AnswerTo<"folder.list">["folders"][number];

/** The folders of this machine that the owner made part of an agent's workspace. The rows are what counts. */
export class Folders {
  readonly #parts: FolderParts;
  #records: Map<string, FolderRecord> | null = null;

  constructor(parts: FolderParts) {
    this.#parts = parts;
  }

  /** Read when they are first asked for, and again while the vault was locked then. */
  #all(): Map<string, FolderRecord> {
    if (this.#records !== null) return this.#records;
    const records = new Map<string, FolderRecord>();
    let unread = false;
    for (const row of this.#parts.added()) {
      const found = this.#parts.log.row(row);
      if (found?.action.kind !== "folder.added") continue;
      const { seq, at, action, content } = found;
      const [path, identity] = [content("path"), content("identity")];
      if (path === null || identity === null) {
        unread = true;
        continue;
      }
      const { folder, agent, name, principal, access } = action;
      records.set(folder, {
        folder: FolderId.parse(folder),
        agent,
        name,
        principal,
        path,
        identity,
        write: access === "write",
        at,
        seq,
      });
    }
    if (!unread) this.#records = records;
    return records;
  }

  /** Those that are part of a workspace: everybody's, and this person's. */
  of(agent: string, principal: string | null): FolderRecord[] {
    return [...this.#all().values()].filter(
      (one) => one.agent === agent && (one.principal === null || one.principal === principal),
    );
  }

  /** All of an agent's, whoever's they are. */
  ofAgent(agent: string): FolderRecord[] {
    return [...this.#all().values()].filter((one) => one.agent === agent);
  }

  /** As they stand in the settings of an agent that are in force. */
  inForce(agent: string): { name: string; path: string; write: boolean; for: string | null }[] {
    return this.ofAgent(agent).map(({ name, path, write, principal }) => ({ name, path, write, for: principal }));
  }

  list(agent: string | null): { folders: View[] } {
    const records = [...this.#all().values()].filter((one) => agent === null || one.agent === agent);
    return { folders: records.map((one) => this.#view(one)) };
  }

  /** A sentence for each that is not as it was added. */
  notes(): string[] {
    return [...this.#all().values()].flatMap((one) => {
      const wrong = wrongWith(one);
      return wrong === null ? [] : [`${wrong}; wirken folder remove ${one.name} --agent ${one.agent}`];
    });
  }

  /** @throws {OperatorError} if it may not be a part of any workspace, or of this one. */
  async add(call: AddCall, who: By): Promise<View> {
    const { log, knowsAgent, nameOf, contentKey, changed } = this.#parts;
    const { agent, principal, write } = call;
    if (!knowsAgent(agent))
      throw new OperatorError("not-found", `there is no agent ${agent}`, "see: wirken agents list");
    if (principal !== null && nameOf(principal) === null)
      throw new OperatorError("not-found", `nobody has the id ${principal}`, "wirken pair list has the people");
    const path = resolved(call.path);
    const refusal = await refusalOf(path, this.#parts.places);
    if (refusal !== null) throw new OperatorError("refused", `this folder is not added: ${refusal}`);
    const name = call.name ?? nameFor(path);
    this.#checkName(name, agent, principal);
    this.#checkNesting(path);
    const identity = identityOf(path);
    if (identity === null) throw new OperatorError("usage", `${path} is not a directory any more`);
    const folder = mint("folder");
    const seal = principal ?? "daemon";
    if (principal !== null) await contentKey(principal);
    const row = await log.append(
      { kind: "folder.added", folder, agent, name, access: write ? "write" : "read", principal, ...who },
      { cause: null, seal, content: { path, identity } },
    );
    const made = { folder, agent, name, principal, path, identity, write, at: row.at, seq: row.seq };
    this.#all().set(folder, made);
    await changed(name, agent, who);
    return this.#view(made);
  }

  /** @throws {OperatorError} if there is none of that name. */
  async remove(call: Extract<OperatorCall, { call: "folder.remove" }>, who: By): Promise<View> {
    const found = [...this.#all().values()].filter(
      (one) =>
        one.agent === call.agent &&
        one.name === call.name &&
        (call.principal === undefined || one.principal === call.principal),
    );
    const [one, ...others] = found;
    if (one === undefined)
      throw new OperatorError(
        "not-found",
        `agent ${call.agent} has no folder ${call.name}`,
        "wirken folder list shows those there are",
      );
    if (others.length > 0)
      throw new OperatorError("usage", `${found.length} folders are called ${call.name}`, "say whose it is with --for");
    await this.#parts.log.append({ kind: "folder.removed", folder: one.folder, ...who }, { cause: one.seq });
    this.#all().delete(one.folder);
    await this.#parts.changed(one.name, one.agent, who);
    return this.#view(one);
  }

  /** All of an agent's: it is removed. @param cause the row that says so. */
  async removeOf(agent: string, who: By, cause: number): Promise<void> {
    for (const { folder } of this.ofAgent(agent)) {
      await this.#parts.log.append({ kind: "folder.removed", folder, ...who }, { cause });
      this.#all().delete(folder);
    }
  }

  #checkName(name: string, agent: string, principal: string | null): void {
    if (!FOLDER_NAME.test(name))
      throw new OperatorError("usage", `${JSON.stringify(name)} cannot be a folder's name`, NAMING);
    if (name === SHARED)
      throw new OperatorError("usage", `${SHARED} is what all people share with an agent already`, NAMING);
    const own = [...this.#all().values()].filter((one) => one.agent === agent);
    if (own.length >= MAX_FOLDERS - 1)
      throw new OperatorError("usage", `agent ${agent} has ${own.length} folders: no more can be added`);
    const clash = own.find(
      (one) => one.name === name && (one.principal === null || principal === null || one.principal === principal),
    );
    if (clash !== undefined)
      throw new OperatorError("usage", `agent ${agent} has a folder ${name} already: ${clash.path}`, NAMING);
    const taken = this.#parts.taken(agent, principal, name);
    if (taken !== null)
      throw new OperatorError("usage", `something in the workspace is called ${name} already: ${taken}`, NAMING);
  }

  /** A command that may change one folder could otherwise put a link in the place of another one. */
  #checkNesting(path: string): void {
    const other = [...this.#all().values()].find(
      (one) => one.path !== path && (within(one.path, path) || within(path, one.path)),
    );
    if (other === undefined) return;
    const how = within(other.path, path) ? "holds" : "lies in";
    throw new OperatorError(
      "refused",
      `this folder is not added: ${path} ${how} the folder ${other.name} (${other.path}) of agent ${other.agent}`,
      `one of the two: wirken folder remove ${other.name} --agent ${other.agent}`,
    );
  }

  #view({ folder, agent, name, path, write, principal, at, ...rest }: FolderRecord): View {
    const person = principal === null ? null : (this.#parts.nameOf(principal) ?? principal);
    return { folder, agent, name, path, write, principal, person, at, wrong: wrongWith({ name, path, ...rest }) };
  }
}

const NAMING = "choose another one with --name: a-z, 0-9 and -, at most 32";

/** @throws {OperatorError} for what is no directory. */
function resolved(path: string): string {
  let real: string;
  try {
    real = realpathSync(path);
  } catch (cause) {
    throw new OperatorError("usage", `${path} cannot be added: there is nothing there that we can enter`, null, {
      cause,
    });
  }
  if (identityOf(real) === null)
    throw new OperatorError("usage", `${path} is not a directory`, "a folder is added whole");
  return real;
}

/** A name made of the directory's own. */
function nameFor(path: string): string {
  return basename(path)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 32)
    .replace(/-+$/, "");
}
