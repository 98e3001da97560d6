import type { ToolAction } from "../effect/action.ts";

/** The class of an action: what a grant remembers. It says what the sandbox will let the action do, never what its arguments look like. */
export type ActionKey =
  | "file.read:workspace"
  | "file.list:workspace"
  | "file.search:workspace"
  | "file.write:workspace"
  | "file.write:protected"
  | "exec:ro"
  | "exec:rw";

/** 1 free, 2 ask once and remember, 3 ask every time. */
export type Tier = 1 | 2 | 3;

/** What bears on a decision. */
export interface Facts {
  readonly key: ActionKey;
  readonly tier: Tier;
  /** Can it only be done in the sandbox? */
  readonly needsSandbox: boolean;
  /** Can it carry bytes to anybody else? Nothing here can: commands have no network, and files stay in the workspace. */
  readonly leaves: boolean;
}

/** Reading is free: a person who may talk to an agent may have it look into its own workspace, and neither a read-only mount nor a missing network
 *  lets it do more. Changing the workspace is asked once. What steers an agent, an editor, git or a package manager is asked every time,
 *  because it takes effect later, outside the sandbox. */
export const FACTS: Readonly<Record<ActionKey, Facts>> = {
  "file.read:workspace": { key: "file.read:workspace", tier: 1, needsSandbox: false, leaves: false },
  "file.list:workspace": { key: "file.list:workspace", tier: 1, needsSandbox: false, leaves: false },
  "file.search:workspace": { key: "file.search:workspace", tier: 1, needsSandbox: true, leaves: false },
  "file.write:workspace": { key: "file.write:workspace", tier: 2, needsSandbox: false, leaves: false },
  "file.write:protected": { key: "file.write:protected", tier: 3, needsSandbox: false, leaves: false },
  "exec:ro": { key: "exec:ro", tier: 1, needsSandbox: true, leaves: false },
  "exec:rw": { key: "exec:rw", tier: 2, needsSandbox: true, leaves: false },
};

/** Is it one of those? */
export function isActionKey(key: string): key is ActionKey {
  return Object.hasOwn(FACTS, key);
}

export function keyOf(action: ToolAction): ActionKey {
  switch (action.type) {
    case "file.read":
      return "file.read:workspace";
    case "file.list":
      return "file.list:workspace";
    case "file.search":
      return "file.search:workspace";
    case "file.write":
      return action.protected ? "file.write:protected" : "file.write:workspace";
    case "exec":
      return action.write ? "exec:rw" : "exec:ro";
  }
}

export function factsOf(action: ToolAction): Facts {
  return FACTS[keyOf(action)];
}

/** What a key covers, for the person who is asked to remember it. */
export function meaningOf(key: ActionKey): string {
  switch (key) {
    case "file.read:workspace":
      return "reading files of the workspace";
    case "file.list:workspace":
      return "listing the workspace";
    case "file.search:workspace":
      return "searching the files of the workspace";
    case "file.write:workspace":
      return "writing files of the workspace";
    case "file.write:protected":
      return "writing a protected file";
    case "exec:ro":
      return "running commands that can only read the workspace";
    case "exec:rw":
      return "running commands that can change the workspace";
  }
}
