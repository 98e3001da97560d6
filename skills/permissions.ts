/** What a skill may have done under it: at most what is listed. What is not listed is nothing. */
export interface Permissions {
  /** Tools by name: `exec`, `http_request`. */
  readonly tools: readonly string[];
  /** Hosts by name; `*` alone is any host. */
  readonly hosts: readonly string[];
  /** Paths of the workspace, and what is below them; `.` is all of it. */
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** Names of credentials. */
  readonly credentials: readonly string[];
  /** Programs that `exec` may start by name. The skill's own scripts need no entry. */
  readonly commands: readonly string[];
}

export const PERMISSION_NAMES = ["commands", "credentials", "hosts", "read", "tools", "write"] as const;
export type PermissionName = (typeof PERMISSION_NAMES)[number];

/** Entries of one list. */
const MAX_ENTRIES = 64;

/** Relative, with no step up; only visible characters pass, see below. */
const PATH = /^(\.|(?!.*(^|\/)\.\.?(\/|$))[^\\/]+(\/[^\\/]+)*)$/;

const FORMS: Readonly<Record<PermissionName, { readonly form: RegExp; readonly is: string }>> = {
  tools: { form: /^[a-z][a-z0-9_]{0,63}$/, is: "a tool's name, such as read_file" },
  hosts: {
    form: /^(\*|(?=.{1,253}$)[a-z0-9_-]+(\.[a-z0-9_-]+)+)$/,
    is: "a host's name in lower case, such as api.example.com",
  },
  read: {
    form: PATH,
    is: "a path in the workspace",
  },
  write: {
    form: PATH,
    is: "a path in the workspace",
  },
  credentials: { form: /^[a-z][a-z0-9_./-]{0,214}$/, is: "a credential's name" },
  commands: { form: /^[A-Za-z0-9._+-]{1,64}$/, is: "a program's name without a path, such as git" },
};

export const NO_PERMISSIONS: Permissions = { tools: [], hosts: [], read: [], write: [], credentials: [], commands: [] };

/** Brings lists into their one form: sorted, each entry once. */
export function permissionsOf(given: Partial<Permissions>): Permissions {
  const list = (name: PermissionName): string[] => [...new Set(given[name] ?? [])].toSorted();
  return {
    commands: list("commands"),
    credentials: list("credentials"),
    hosts: list("hosts"),
    read: list("read"),
    tools: list("tools"),
    write: list("write"),
  };
}

/** What is wrong with them, in a sentence; null: nothing. */
export function wrongPermissions(permissions: Permissions): string | null {
  for (const name of PERMISSION_NAMES) {
    const list = permissions[name];
    if (list.length > MAX_ENTRIES) return `${name} has more than ${MAX_ENTRIES} entries`;
    const { form, is } = FORMS[name];
    const wrong = list.find((entry) => entry.length > 256 || !form.test(entry) || !/^[\x20-\x7e]+$/.test(entry));
    if (wrong !== undefined) return `${name} has an entry that is not ${is}`;
    if (list.some((entry, at) => at > 0 && entry <= (list[at - 1] ?? ""))) return `${name} is not in order`;
  }
  // A command sees the whole workspace, and one that may write changes any of it: it says so.
  if (permissions.tools.includes("exec") && !permissions.read.includes("."))
    return "a skill that runs commands (exec) reads the whole workspace: its read has to hold .";
  return null;
}

/** What `next` has and `before` has not. */
export function beyond(next: Permissions, before: Permissions): Permissions {
  const list = (name: PermissionName): string[] =>
    next[name].filter((entry) => {
      if (name === "read" || name === "write") return !covers(before[name], entry);
      return !before[name].includes(entry) && !(name === "hosts" && before.hosts.includes("*"));
    });
  return permissionsOf(Object.fromEntries(PERMISSION_NAMES.map((name) => [name, list(name)])));
}

/** Does one of these paths, or one above it, hold that path? @param path of the workspace, resolved; `.` is all of it. */
export function covers(allowed: readonly string[], path: string): boolean {
  return allowed.some((one) => one === "." || one === path || path.startsWith(`${one}/`));
}

/** In plain words, a sentence for each kind. */
export function permissionSentences(permissions: Permissions): string[] {
  const { tools, hosts, read, write, credentials, commands } = permissions;
  const paths = (list: readonly string[]): string =>
    list.includes(".") ? "the whole workspace" : `of the workspace ${listed(list)}`;
  return [
    ...(tools.length === 0 ? [] : [`use the tools ${listed(tools)}`]),
    ...(commands.length === 0 ? [] : [`run ${listed(commands)} in the sandbox`]),
    ...(hosts.length === 0 ? [] : [`reach ${hosts.includes("*") ? "ANY host" : listed(hosts)} over the network`]),
    ...(read.length === 0 ? [] : [`read ${paths(read)}`]),
    ...(write.length === 0 ? [] : [`change ${paths(write)}`]),
    ...(credentials.length === 0 ? [] : [`use the credentials ${listed(credentials)}`]),
  ];
}

function listed(words: readonly string[]): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} and ${last}`;
}
