/** The class of an action: what a grant remembers. It says what the action is let do and towards whom, never what its arguments look like. Several
 *  have a destination: a host, a conversation, a folder. */
export type ActionKey =
  | "file.read:workspace"
  | "file.list:workspace"
  | "file.search:workspace"
  | "file.write:workspace"
  | "file.write:protected"
  | "file.read:outside"
  | "file.list:outside"
  | "file.write:outside"
  | `folder.read:${string}`
  | `folder.write:${string}`
  | "exec:ro"
  | "exec:rw"
  | `exec:net:${string}`
  | "process:own"
  | `http.get:${string}`
  | `http:${string}`
  | "search:web"
  | "memory.read:own"
  | "memory.read:other"
  | "memory.write:own"
  | `message:${string}`
  | `reply:${string}`
  | "schedule:add"
  | "schedule:list"
  | "schedule:remove"
  | "skill:read"
  | "agent:spawn"
  | `mcp:${string}/${string}`
  | `mcp.read:${string}`
  | `mcp.sample:${string}`
  | `mcp.tell:${string}`;

/** 1 free, 2 ask once and remember, 3 ask every time. */
export type Tier = 1 | 2 | 3;

/** What is true of every action of one class. */
export interface KeyClass {
  /** As a person writes it, with its destination in angle brackets: `exec:net:<host>`. */
  readonly form: string;
  readonly tier: Tier;
  /** Can it only be done in the sandbox? */
  readonly needsSandbox: boolean;
  /** Can it carry bytes to anybody else? */
  readonly leaves: boolean;
  /** What it covers, for the person who is asked to remember it. */
  readonly means: (destination: string) => string;
}

/** Lower case, as `URL.hostname` writes it. */
const HOST = "(?=.{1,253}$|.{1,253}:)[a-z0-9_-]+(?:\\.[a-z0-9_-]+)*";
const DESTINATION: Readonly<Record<string, string>> = {
  host: HOST,
  credential: "[a-z][a-z0-9_./-]{0,214}",
  conversation: "c_[0-9a-hjkmnp-tv-z]{26}",
  folder: "[a-z0-9][a-z0-9_.-]{0,63}",
  server: "[a-z0-9][a-z0-9-]{0,31}",
  tool: "[a-z0-9_.-]{1,80}",
};

function key(
  form: string,
  tier: Tier,
  means: string | ((destination: string) => string),
  has: { readonly sandbox?: boolean; readonly leaves?: boolean } = {},
): KeyClass {
  const { sandbox = false, leaves = false } = has;
  return { form, tier, needsSandbox: sandbox, leaves, means: typeof means === "string" ? () => means : means };
}

/** Reading is free: a person who may talk to an agent may have it look into its own workspace, and neither a read-only mount nor a missing network
 *  lets it do more. Fetching a page without a credential is free too, for it says nothing of anybody; that changes with what the conversation
 *  holds, which are labels. Changing the workspace, or anything beyond this machine, is asked once for each destination. What steers an agent, an
 *  editor, git or a package manager is asked every time, because it takes effect later and outside the sandbox; so is what reaches beyond the
 *  workspace, another conversation's memory, and what goes on when nobody is there. */
export const KEYS: readonly KeyClass[] = [
  key("file.read:workspace", 1, "reading files of the workspace"),
  key("file.list:workspace", 1, "listing the workspace"),
  key("file.search:workspace", 1, "searching the files of the workspace", { sandbox: true }),
  key("file.write:workspace", 2, "writing files of the workspace"),
  key("file.write:protected", 3, "writing a protected file"),
  key("file.read:outside", 3, "reading a file outside the workspace"),
  key("file.list:outside", 3, "listing a directory outside the workspace"),
  key("file.write:outside", 3, "writing a file outside the workspace"),
  key("folder.read:<folder>", 1, (folder) => `reading the folder ${folder}`),
  key("folder.write:<folder>", 2, (folder) => `changing the folder ${folder}`),
  key("exec:ro", 1, "running commands that can only read the workspace", { sandbox: true }),
  key("exec:rw", 2, "running commands that can change the workspace", { sandbox: true }),
  key("exec:net:<host>", 2, (host) => `running commands that can reach ${host}`, { sandbox: true, leaves: true }),
  key("process:own", 1, "looking after commands that it started itself"),
  key("http.get:<host>", 1, (host) => `fetching pages of ${host}, without a credential`, { leaves: true }),
  key("http:<host>", 2, (host) => `requests to ${host}`, { leaves: true }),
  key("http:<host>:<credential>", 2, credentialRequest, { leaves: true }),
  key("search:web", 1, "searching the web", { leaves: true }),
  key("memory.read:own", 1, "remembering what was kept for this person"),
  key("memory.read:other", 3, "reading what was kept for another conversation"),
  key("memory.write:own", 1, "keeping something in memory for this person"),
  key("message:<conversation>", 2, (conversation) => `messages into the conversation ${conversation}`, {
    leaves: true,
  }),
  key("reply:<conversation>", 1, (conversation) => `answers in the conversation ${conversation}, which others read`, {
    leaves: true,
  }),
  key("schedule:add", 3, "doing something later, when nobody has just asked for it"),
  key("schedule:list", 1, "looking at what is scheduled for this person"),
  key("schedule:remove", 3, "removing what is scheduled"),
  key("skill:read", 1, "reading a skill that the owner accepted"),
  key("agent:spawn", 1, "giving a part of the work to another agent"),
  key("mcp:<server>/<tool>", 2, mcpTool, { leaves: true }),
  key("mcp.read:<server>", 2, (server) => `reading what the MCP server ${server} has, its prompts too`, {
    leaves: true,
  }),
  key("mcp.sample:<server>", 3, (server) => `completions for the MCP server ${server}`, { leaves: true }),
  key("mcp.tell:<server>", 3, (server) => `telling the MCP server ${server} what it asks of a person`, {
    leaves: true,
  }),
];

function mcpTool(destination: string): string {
  const [server = "", tool = ""] = destination.split(":");
  return `the tool ${tool} of the MCP server ${server}`;
}

function credentialRequest(destination: string): string {
  const [host = "", ...scope] = destination.split(":");
  return `requests to ${host} with the credential ${scope.join(":")}`;
}

const PATTERNS = KEYS.map((one) => ({
  one,
  pattern: new RegExp(
    `^${one.form
      .replaceAll(".", "\\.")
      .replaceAll(/<(\w+)>/g, (_, name: string) => `(${DESTINATION[name] ?? "(?!)"})`)}$`,
  ),
}));

/** A key taken apart. */
export interface ReadKey {
  readonly key: ActionKey;
  readonly is: KeyClass;
  /** Empty where the class has none; a host and a credential stand with a colon between them. */
  readonly destination: string;
}

/** Reads a key. @returns null for what is none: such an action is refused, whatever it is. */
export function readKey(text: string): ReadKey | null {
  for (const { one, pattern } of PATTERNS) {
    const match = pattern.exec(text);
    // A template type says no more than that it begins so: the pattern is what says that it is one.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    if (match !== null) return { key: text as ActionKey, is: one, destination: match.slice(1).join(":") };
  }
  return null;
}

/** Is it one of those? */
export function isActionKey(text: string): text is ActionKey {
  return readKey(text) !== null;
}

/** What a key covers, for the person who is asked to remember it. */
export function meaningOf(text: ActionKey): string {
  const read = readKey(text);
  return read === null ? text : read.is.means(read.destination);
}
