import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { NEEDS, type Role } from "../confine/role.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { FromProbe, type Reach, type ToProbe } from "../ipc/probe-frames.ts";
import type { RunningCommand } from "../effect/running-commands.ts";
import type { CommandTries, Sandbox } from "../sandbox/sandbox.ts";
import type { SandboxState } from "../sandbox/state.ts";
import { OperatorError } from "./operator-error.ts";
import type { Processes } from "./processes.ts";

type Answer = AnswerTo<"confinement">;
type Probed = Extract<FromProbe, { type: "probed" }>;

/** A probe tries some forty calls. */
const PROBE_MS = 10_000;

/** What each role has for itself, in words. Which hosts these are: `wirken egress show`. */
const ROLES: Readonly<Record<Role, Pick<Answer["roles"][number], "hosts" | "files" | "secrets">>> = {
  adapter: { hosts: "its platform's, by its lane", files: "none", secrets: "its channel's" },
  model: { hosts: "its provider's, by its lane", files: "none", secrets: "its provider's" },
  anchor: { hosts: "its anchor's, by its lane", files: "none", secrets: "none" },
  fetch: { hosts: "the one of its request, by its lane", files: "none", secrets: "its request's" },
  mcp: { hosts: "its server's, by its lane, where that has a URL", files: "none", secrets: "its server's, likewise" },
  egress: { hosts: "what the lists of its lanes name", files: "what names are resolved with", secrets: "a proxy's" },
  agent: { hosts: "none", files: "none", secrets: "none" },
  unpack: { hosts: "none", files: "none", secrets: "none" },
  web: { hosts: "none", files: "none", secrets: "none" },
  relay: { hosts: "what its command's lane names", files: "none", secrets: "none" },
  ingress: { hosts: "none; it listens on this machine", files: "none", secrets: "none" },
  keychain: { hosts: "none", files: "what libsecret loads", secrets: "the master key, while it is asked" },
};
const EVERY: readonly Role[] = [
  "adapter",
  "model",
  "anchor",
  "fetch",
  "unpack",
  "mcp",
  "egress",
  "agent",
  "web",
  "ingress",
  "relay",
  "keychain",
];

/** What a role is meant to be let through. */
function meant(role: Role): Reach | null {
  switch (NEEDS[role].sockets) {
    case "internet":
    case "internet and paths":
      return "connect outward";
    case "listening":
      return "listen";
    case "local":
      return "open a local socket";
    case "none":
      return null;
  }
}

export interface ConfinementParts {
  readonly processes: Processes;
  readonly sandbox: Pick<Sandbox, "probe" | "tries" | "layers" | "limitedBy" | "unlimited">;
  /** What runs in it. */
  readonly commands: () => readonly RunningCommand[];
  /** Puts on the record what was tried, and what came of it. */
  readonly tried: (
    what: { readonly roles: readonly string[] } & Pick<Answer, "landlockAbi" | "missing">,
  ) => Promise<void>;
  /** The row that a look is made for. */
  readonly cause: number;
}

/** The walls as they stand now: each role's are tried in a process of its own, and each process that runs is looked at. */
export class Confined {
  readonly #parts: ConfinementParts;

  constructor(parts: ConfinementParts) {
    this.#parts = parts;
  }

  /** @param roles which are tried: all if not given. */
  async look(roles: readonly Role[] = EVERY): Promise<Answer> {
    const probed: [Role, Probed][] = [];
    // One after the other: a look is not to take the machine from what runs.
    for (const role of roles) probed.push([role, await this.#tried(role)]);
    const landlockAbi = Math.min(...probed.map(([, { landlockAbi: abi }]) => abi));
    const { sandbox } = this.#parts;
    const state = await sandbox.probe();
    const tries = await sandbox.tries(process.pid);
    const missing = missingOf(probed, landlockAbi, state, tries);
    const all = [
      ...probed.map(([role, { layers, tried }]) => ({ role, layers, tried, ...ROLES[role] })),
      ...tries.map(commandRole),
    ];
    await this.#parts.tried({ roles: all.map(({ role }) => role), landlockAbi, missing });
    return {
      full: missing.length === 0,
      missing,
      landlockAbi,
      limits: { by: sandbox.limitedBy, why: sandbox.unlimited },
      roles: all,
      processes: [
        { role: "supervisor", subject: null, pid: process.pid },
        ...this.#parts.processes.list().map(({ role, subject, pid }) => ({ role, subject, pid })),
      ].map((one) => ({ ...one, ...seenOf(one.pid) })),
      commands: this.#parts.commands().map((command) => commandSeen(command, sandbox.layers)),
    };
  }

  /** @throws {OperatorError} where it could not be tried: nothing is said of walls that were not. */
  async #tried(role: Role): Promise<Probed> {
    try {
      return await this.#probe(role);
    } catch (cause) {
      throw new OperatorError(
        "not-ready",
        `the walls of ${role} could not be tried: ${cause instanceof Error ? cause.message : String(cause)}`,
        "ask again when the machine is less busy",
        { cause },
      );
    }
  }

  async #probe(role: Role): Promise<Probed> {
    const answered = Promise.withResolvers<Probed>();
    answered.promise.catch(() => undefined);
    const late = setTimeout(() => answered.reject(new Error(`the probe of ${role} does not answer`)), PROBE_MS);
    try {
      const child = await this.#parts.processes.once<FromProbe, ToProbe>({
        role,
        args: ["probe"],
        subject: "probe",
        accepts: FromProbe,
        stop: { type: "stop" },
        cause: this.#parts.cause,
        hear: (header) => {
          if (header.type === "probed") answered.resolve(header);
        },
        ended: () => answered.reject(new Error(`the probe of ${role} ended before it answered`)),
      });
      try {
        return await answered.promise;
      } finally {
        await child.stop();
      }
    } finally {
      clearTimeout(late);
    }
  }
}

/** The roles as a row names them: in the order in which they were tried. */
export function rolesInOneWord(roles: readonly string[]): string {
  return roles.map((role) => role.replaceAll(" ", "-")).join("+");
}

/** A command among the roles, as it was tried. */
function commandRole({ way, layers, tried }: CommandTries): Answer["roles"][number] {
  return {
    role: way === "bubblewrap" ? "command" : "command by launcher",
    layers: [...layers],
    // Whatever language it is written in, the same holds it.
    tried: tried.map(({ reach, by }) => ({ reach, native: by, script: by })),
    hosts: way === "bubblewrap" ? "those that were decided for it, by its lane" : "none",
    files: "its workspace, the system's programs",
    secrets: "none",
  };
}

function commandSeen(command: RunningCommand, layers: readonly string[]): Answer["commands"][number] {
  const { call, seq, agent, session, turn, since, background, words } = command;
  const pid = command.pid();
  const seen = pid === null ? UNKNOWN : seenOf(pid);
  const files = filesOf(command);
  return {
    command: call,
    seq,
    agent,
    session,
    turn,
    since,
    background,
    words,
    files,
    hosts: [...command.hosts],
    layers: [...layers],
    pid,
    ...seen,
  };
}

function filesOf({ write, folders }: RunningCommand): string {
  const shown = folders.map(({ name, write: changes }) => `${name} ${changes ? "to change" : "to read"}`);
  return [`its workspace ${write ? "to change" : "to read"}`, ...shown, "the system's programs"]
    .join(", ")
    .slice(0, 400);
}

/** A wall of a launcher counts only where commands are run by it. */
function missingOf(
  probed: readonly [Role, Probed][],
  abi: number,
  sandbox: SandboxState,
  tries: readonly CommandTries[],
): Answer["missing"] {
  const missing: Answer["missing"] = [];
  const add = (layer: string, costs: string): void => void missing.push({ layer, costs });
  if (process.platform !== "linux") {
    add(
      "the walls of the operating system",
      "not confined here: native code in a part that was taken over can do what this account can",
    );
    return missing;
  }
  if (abi === 0)
    add(
      "Landlock",
      "files and TCP are kept from native code by seccomp alone, and not from egress and the keychain's helper",
    );
  else if (abi < 4) add("Landlock's TCP (Linux 6.7)", "TCP is kept from native code by seccomp alone");
  if (abi > 0 && abi < 6)
    add("Landlock's scopes (Linux 6.12)", "signals and abstract sockets are kept from native code by seccomp alone");
  if (probed.some(([, { layers }]) => !layers.includes("no-ring")))
    add("no ring", "native code can open sockets through libuv's io_uring, past the seccomp filter");
  if (sandbox.state !== "works") add("bubblewrap", sandbox.sentence);
  const inForce = tries.filter(({ way }) => (way === "launcher") === (sandbox.state === "weaker"));
  for (const { tried } of inForce)
    for (const { reach, by } of tried)
      if (by === null) add(`command: ${reach}`, "it was tried just now, and nothing refused it");
  if (sandbox.state === "works" && inForce.length === 0)
    add("a try of what commands reach", "a command runs, and what it may not was not tried in it");
  for (const [role, { tried }] of probed)
    for (const { reach, native } of tried)
      if (native === null && reach !== meant(role))
        add(`${role}: ${reach}`, "it was tried just now, and nothing refused it");
  return missing;
}

const UNKNOWN = { seccomp: null, noNewPrivileges: null, capabilities: null, descriptors: null };

/** What the kernel says of a process. */
function seenOf(
  pid: number,
): Pick<Answer["processes"][number], "seccomp" | "noNewPrivileges" | "capabilities" | "descriptors"> {
  if (process.platform !== "linux") return UNKNOWN;
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return UNKNOWN; // It has ended.
  }
  const field = (name: string): string | null => new RegExp(`^${name}:\\s+(\\S+)$`, "m").exec(status)?.[1] ?? null;
  const [seccomp, privileges] = [field("Seccomp"), field("NoNewPrivs")];
  return {
    seccomp: seccomp === null ? null : seccomp === "2",
    noNewPrivileges: privileges === null ? null : privileges === "1",
    capabilities: field("CapEff"),
    descriptors: descriptorsOf(pid),
  };
}

function descriptorsOf(pid: number): string[] | null {
  try {
    const open = readdirSync(`/proc/${pid}/fd`);
    const seen = open.flatMap((fd) => {
      try {
        return `${fd} ${readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/:?\[\d+\]$/, "")}`;
      } catch {
        return []; // closed meanwhile
      }
    });
    // In a user namespace they may be counted and not looked at.
    return open.length > 0 && seen.length === 0 ? null : seen;
  } catch {
    // Another process that nobody may look into, as it should be: who is not root does not see even its own children's.
    return null;
  }
}
