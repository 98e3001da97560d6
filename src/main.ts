import { fstatSync } from "node:fs";
import { isSea } from "node:sea";
import { requireCode } from "./executable/asset.ts";
import { restoreDurability } from "./executable/durable-files.ts";
import { settleSoon } from "./executable/settle.ts";

/** Every program inside the executable, by the name of its asset, and the file it is built from. */
export const ENTRIES = {
  cli: "src/cli/main.ts",
  "adapter-telegram": "adapters/telegram/main.ts",
  "adapter-slack": "adapters/slack/main.ts",
  "adapter-discord": "adapters/discord/main.ts",
  "adapter-matrix": "adapters/matrix/main.ts",
  "adapter-teams": "adapters/teams/main.ts",
  "adapter-whatsapp": "adapters/whatsapp/main.ts",
  "adapter-signal": "adapters/signal/main.ts",
  "adapter-google-chat": "adapters/google-chat/main.ts",
  "adapter-imessage": "adapters/imessage/main.ts",
  model: "src/model/main.ts",
  agent: "src/agent/main.ts",
  ingress: "src/ingress/main.ts",
  web: "src/web/main.ts",
  egress: "src/egress/main.ts",
  relay: "src/relay/main.ts",
  launch: "src/launch/main.ts",
  keychain: "src/keychain/main.ts",
  anchor: "src/anchor/main.ts",
  fetch: "src/fetch/main.ts",
  unpack: "src/unpack/main.ts",
  mcp: "src/mcp/main.ts",
  probe: "src/probe/main.ts",
} as const;
type Entry = keyof typeof ENTRIES;

/** No programs, but parts that a program asks for when it needs them: most processes never do. */
export const PARTS = {
  /** What loads a native addon. */
  addon: "src/executable/addon.ts",
  /** What a thread runs that verifies a span of a log. */
  "span-thread": "audit/span-thread.ts",
  "sdk-anthropic": "src/model/sdk-anthropic.ts",
  "sdk-bedrock": "src/model/sdk-bedrock.ts",
  "sdk-gemini": "src/model/sdk-gemini.ts",
  "sdk-openai-compatible": "src/model/sdk-openai-compatible.ts",
} as const;

/** The words that a process of ours is started with, and the program it then is. What is not here is the command line's. */
const ROLES: ReadonlyMap<string, Entry> = new Map([
  ["adapter telegram", "adapter-telegram"],
  ["adapter slack", "adapter-slack"],
  ["adapter discord", "adapter-discord"],
  ["adapter matrix", "adapter-matrix"],
  ["adapter teams", "adapter-teams"],
  ["adapter whatsapp", "adapter-whatsapp"],
  ["adapter signal", "adapter-signal"],
  ["adapter google-chat", "adapter-google-chat"],
  ["adapter imessage", "adapter-imessage"],
  ["model", "model"],
  ["agent", "agent"],
  ["ingress", "ingress"],
  ["web", "web"],
  ["egress", "egress"],
  ["relay", "relay"],
  ["launch", "launch"],
  ["keychain", "keychain"],
  ["anchor", "anchor"],
  ["fetch", "fetch"],
  ["unpack", "unpack"],
  ["mcp", "mcp"],
]);

/** Words that a person types too: without the supervisor's pipe they are the command. */
const COMMANDS: ReadonlySet<string> = new Set(["web", "egress", "mcp"]);

/** Roles whose walls can be tried: see src/probe. */
const PROBED: ReadonlySet<string> = new Set(
  Array.from(ROLES.keys(), (words) => words.split(" ")[0] ?? "").filter((role) => role !== "launch"),
);

/** The supervisor gives each of its children one end of a socket pair as descriptor 3; nothing else speaks to them. */
const PIPE = 3;
/** A relay is started by what runs beside it in a sandbox: it has a lane, and no pipe. */
const LANE = 4;

function hasPipe(role: string): boolean {
  try {
    const found = fstatSync(role === "relay" ? LANE : PIPE);
    // A launcher becomes a command: it is told which in a file, and nothing speaks to it.
    if (role === "launch") return found.isFile();
    return found.isSocket() || (process.platform === "win32" && !found.isFile());
  } catch {
    return false;
  }
}

function start(words: readonly string[]): void {
  const [first = "", second = ""] = words;
  const role = first === "adapter" ? `${first} ${second}` : first;
  // Any role but with nothing to do: it tries its own walls.
  const entry = words.length === 2 && second === "probe" && PROBED.has(first) ? "probe" : ROLES.get(role);
  if (entry === undefined || (COMMANDS.has(role) && !hasPipe(role))) {
    restoreDurability(); // commands and the supervisor write files; no other process does
    requireCode("cli");
  } else if (hasPipe(entry === "probe" ? "probe" : role)) {
    settleSoon();
    requireCode(entry);
  } else {
    process.stderr.write(`wirken: ${role} is a part of the daemon and is started by it: run wirken start\n`);
    process.exitCode = 2;
  }
}

if (isSea()) start(process.argv.slice(2));
