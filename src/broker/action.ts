import type { ActionOfType, ToolAction } from "../effect/action.ts";
import { SHARED } from "../effect/effects.ts";
import { type ActionKey, type KeyClass, readKey, type Tier } from "./keys.ts";

/** How an action can carry bytes to somebody else, and to whom. What is said here is what exemptions go by, so it says everything that the model chose. */
export type WayOut =
  /** GET or HEAD with no body, no credential and no header of the model's: what it says, it says in its URL. */
  | { readonly by: "get"; readonly host: string; readonly url: string }
  /** To the configured search. */
  | { readonly by: "search"; readonly query: string }
  /** Any other request, or a command that reaches hosts. */
  | { readonly by: "request"; readonly hosts: readonly string[] }
  /** `readers`: who reads it there, as the person knows them; `own`: nobody but the person whose turn it is. */
  | {
      readonly by: "message";
      readonly conversation: string;
      readonly readers?: readonly string[];
      readonly own?: boolean;
    }
  /** Into what other people read: their folders. */
  | { readonly by: "folder"; readonly folder: string }
  /** A reply that is read by others than the person whose turn it is. */
  | { readonly by: "reply" };

/** What the result of an action puts into the context, as far as that follows from what it is. */
export interface Brings {
  /** Bytes that no paired principal typed and no operator wrote. `files`: if the files that it may have read are. */
  readonly untrusted: boolean | "files";
  /** Bytes that are somebody's: of whoever the turn is for, or of everybody who uses this workspace; `workspace`: as the workspace is. */
  readonly private: "nothing" | "own" | "workspace";
}

export const BRINGS_NOTHING: Brings = { untrusted: false, private: "nothing" };

/** What bears on a decision. */
export interface Facts {
  /** At least one. The first is what the row names; all must be free or granted, and an approval that is remembered remembers them all. */
  readonly keys: readonly [ActionKey, ...ActionKey[]];
  /** That of the key that is asked for most strictly, or stricter. */
  readonly tier: Tier;
  /** Can it only be done in the sandbox? */
  readonly needsSandbox: boolean;
  readonly leaves: WayOut | null;
  readonly brings: Brings;
}

/** What a class of action is, for an action whose keys these are.
 *  @param more what the keys alone do not say. `tier` only ever makes it stricter. */
export function factsOfKeys(
  keys: readonly [ActionKey, ...ActionKey[]],
  more: { readonly leaves: WayOut | null; readonly brings: Brings; readonly tier?: Tier },
): Facts {
  const classes = keys.map((key) => readKey(key)?.is ?? UNKNOWN);
  const tiers = new Set([more.tier ?? 1, ...classes.map(({ tier }) => tier)]);
  return {
    keys,
    tier: tiers.has(3) ? 3 : tiers.has(2) ? 2 : 1,
    needsSandbox: classes.some(({ needsSandbox }) => needsSandbox),
    leaves: more.leaves,
    brings: more.brings,
  };
}

/** What is no key is asked for every time, and refused by the rules before that. */
const UNKNOWN: KeyClass = { form: "", tier: 3, needsSandbox: true, leaves: true, means: (text) => text };

const FILES: Brings = { untrusted: "files", private: "workspace" };

/** What bears on the decision about an action. A new type of action does not compile until it has a case here. */
export function factsOf(action: ToolAction): Facts {
  switch (action.type) {
    case "file.read": {
      if (action.outside === true)
        return factsOfKeys(["file.read:outside"], { leaves: null, brings: { untrusted: "files", private: "own" } });
      const folder = folderOf(action);
      return factsOfKeys([folder === null ? "file.read:workspace" : `folder.read:${folder}`], {
        leaves: null,
        brings: FILES,
      });
    }
    case "file.list":
      return factsOfKeys(["file.list:workspace"], { leaves: null, brings: FILES });
    case "file.search":
      return factsOfKeys(["file.search:workspace"], { leaves: null, brings: FILES });
    case "file.write": {
      if (action.outside === true) return factsOfKeys(["file.write:outside"], { leaves: null, brings: BRINGS_NOTHING });
      const folder = folderOf(action);
      const key = folder === null ? "file.write:workspace" : (`folder.write:${folder}` as const);
      return factsOfKeys([action.protected ? "file.write:protected" : key], {
        leaves: folder === SHARED ? { by: "folder", folder } : null,
        brings: BRINGS_NOTHING,
      });
    }
    case "memory.read":
      return factsOfKeys([action.everywhere ? "memory.read:other" : "memory.read:own"], {
        leaves: null,
        brings: { untrusted: false, private: "own" },
      });
    case "memory.write":
      return factsOfKeys(["memory.write:own"], { leaves: null, brings: BRINGS_NOTHING });
    case "skill.read":
      // Whose words they are, its result says.
      return factsOfKeys(["skill:read"], { leaves: null, brings: BRINGS_NOTHING });
    case "process":
      return factsOfKeys(["process:own"], {
        leaves: null,
        brings: action.do === "list" ? BRINGS_NOTHING : action.network ? { ...FILES, untrusted: true } : FILES,
      });
    case "exec": {
      const hosts = action.hosts ?? [];
      const folders = (action.folders ?? []).filter(({ write }) => write).map(({ name }) => name);
      const keys = [
        ...hosts.map((host) => `exec:net:${host}` as const),
        ...folders.map((folder) => `folder.write:${folder}` as const),
      ];
      const others = folders.includes(SHARED) ? ({ by: "folder", folder: SHARED } as const) : null;
      return factsOfKeys([action.write ? "exec:rw" : "exec:ro", ...keys], {
        leaves: hosts.length === 0 ? others : { by: "request", hosts },
        brings: hosts.length === 0 ? FILES : { ...FILES, untrusted: true },
      });
    }
    case "http.request":
      return requestFacts(action);
    case "agent.spawn":
      // What it does is decided when it does it, with the labels of this session.
      return factsOfKeys(["agent:spawn"], { leaves: null, brings: BRINGS_NOTHING });
    case "message.send":
      return factsOfKeys([`message:${action.conversation}`], {
        leaves: {
          by: "message",
          conversation: action.conversation,
          readers: action.talk === "direct" ? action.readers : [],
          own: action.own,
        },
        brings: BRINGS_NOTHING,
        // What somebody else reads is asked for every time.
        tier: action.own ? 2 : 3,
      });
    case "reply":
      return factsOfKeys([`reply:${action.conversation}`], { leaves: { by: "reply" }, brings: BRINGS_NOTHING });
    case "schedule.add":
      return factsOfKeys(["schedule:add"], { leaves: null, brings: BRINGS_NOTHING });
    case "schedule.list":
      return factsOfKeys(["schedule:list"], { leaves: null, brings: { untrusted: false, private: "own" } });
    case "schedule.remove":
      return factsOfKeys(["schedule:remove"], { leaves: null, brings: BRINGS_NOTHING });
    // What a server says of its tools is no authority: where it can carry what it is told, the sandbox says.
    case "mcp.call":
      return mcpFacts(`mcp:${action.server}/${action.key}`, action);
    case "mcp.read":
    case "mcp.prompt":
      return mcpFacts(`mcp.read:${action.server}`, action);
    case "mcp.sample":
      return mcpFacts(`mcp.sample:${action.server}`, { ...action, public: true });
    case "mcp.tell":
      return mcpFacts(`mcp.tell:${action.server}`, { ...action, public: true });
    case "web.search":
      return factsOfKeys(["search:web"], {
        leaves: { by: "search", query: action.query },
        brings: { untrusted: true, private: "nothing" },
      });
  }
}

function mcpFacts(key: ActionKey, of: { readonly hosts: readonly string[]; readonly public: boolean }): Facts {
  return factsOfKeys([key], {
    leaves: of.hosts.length === 0 ? null : { by: "request", hosts: of.hosts },
    brings: { untrusted: true, private: of.public ? "nothing" : "own" },
  });
}

/** The folder of the workspace that a path lies in; null: in the person's own directory. */
function folderOf({ path, folders }: ActionOfType<"file.read" | "file.write">): string | null {
  const [first] = path.split("/");
  return folders?.find(({ name }) => name === first)?.name ?? null;
}

/** What comes back is a stranger's; with a credential it is also whose the credential is. A request that only gets, and says nothing but its URL, can be
 *  exempt by that URL, as the model wrote it. */
function requestFacts(action: ActionOfType<"http.request">): Facts {
  const { method, url, written, host, headers, body, credential } = action;
  const gets = (method === "GET" || method === "HEAD") && body === null && credential === null;
  const key: ActionKey =
    credential !== null ? `http:${host}:secret/${credential.name}` : gets ? `http.get:${host}` : `http:${host}`;
  return factsOfKeys([key], {
    leaves: gets && headers.length === 0 ? { by: "get", host, url: written ?? url } : { by: "request", hosts: [host] },
    brings: { untrusted: true, private: credential === null ? "nothing" : "own" },
  });
}

/** The same from a key alone, with nothing known of the action: for what would be decided about any of its class. @returns null for what is no key. */
export function factsOfKey(text: string): Facts | null {
  const read = readKey(text);
  if (read === null) return null;
  return factsOfKeys([read.key], { leaves: read.is.leaves ? someWay(read.destination) : null, brings: BRINGS_NOTHING });
}

function someWay(destination: string): WayOut {
  return { by: "request", hosts: [destination] };
}
