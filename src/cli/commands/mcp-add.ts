import { readSync } from "node:fs";
import { Command } from "commander";
import type { AnswerTo } from "../../ipc/operator.ts";
import { encodeNamedBytes } from "../../ipc/named-bytes.ts";
import { CredentialScope } from "../../ipc/vault-calls.ts";
import { readBounded } from "../bounded-file.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { collect } from "../credential-options.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { mcpTrialLines } from "../mcp-lines.ts";
import { credentialUse, McpAddOptions, settled, unseen, variables, wholePath } from "../mcp-options.ts";
import { type FoundSecret, refuseSecretWords, type ServerOrder, serversIn } from "../mcp-order.ts";
import type { OperatorPort } from "../operator-port.ts";
import { printable } from "../printable.ts";
import { needDaemon } from "../reach.ts";
import { protectFirst } from "./vault-add.ts";
import { everyCredential } from "./vault-list.ts";

/** Of a file with servers. */
const MAX_FILE = 1 << 18;
const NAMED = "a file as other assistants keep it, with mcpServers in it";

export function mcpAddCommand(context: Context): Command {
  return new Command("add")
    .summary("add a server: it is started in its sandbox, and you are shown what it offers and what it may do")
    .description(
      [
        "What is named with npx or uvx is installed once, at an exact version, in a sandbox that reaches its registry only; from then on it",
        "runs read-only from there, and reaches no host that you do not name. No agent has a tool of it before you said yes.",
      ].join("\n"),
    )
    .argument("[name]", "what you call it; with --from it may be left out")
    .argument("[program...]", "behind --: npx -y PACKAGE …, uvx PACKAGE …, or a program with its arguments")
    .option("--url <address>", "a server that is reached over HTTPS, instead of a program")
    .option("--from <file>", `${NAMED}; - for what is typed or piped in`)
    .option(
      "--read <path>",
      "a folder or file of this machine that it may read; may be given more than once",
      collect,
      [],
    )
    .option("--write <path>", "one that it may change as well", collect, [])
    .option("--host <name>", "a host that it may reach", collect, [])
    .option("--env <name=value>", "a variable of its environment, which is no secret", collect, [])
    .option(
      "--credential <name=how>",
      "a credential of the vault: NAME=env:VARIABLE or NAME=file:FILE; with --url NAME=bearer or NAME=header:HEADER",
      collect,
      [],
    )
    .option("--agent <name>", "only this agent has it; may be given more than once", collect, [])
    .option("--memory <mb>", "how much memory it may use, in MB (512)")
    .option("--public", "nothing that it says is anybody's own")
    .option("--yes", "take what it offers without being asked")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      [
        "",
        "  wirken mcp add files --write ~/notes -- npx -y @modelcontextprotocol/server-filesystem ~/notes",
        "  wirken mcp add time -- uvx mcp-server-time",
        "  wirken mcp add tracker --url https://mcp.example.com/mcp",
        "  wirken mcp add --from ~/.config/assistant/mcp.json",
      ].join("\n"),
    )
    .action((name: string | undefined, program: string[], options: unknown) =>
      context.run(async () => await add(context, name ?? null, program, McpAddOptions.parse(options)), {
        network: true,
      }),
    );
}

async function add(
  context: Context,
  name: string | null,
  program: readonly string[],
  options: McpAddOptions,
): Promise<ExitStatus> {
  const { terminal } = context;
  const orders = ordersOf(name, program, options);
  if (!options.yes && !terminal.interactive)
    throw usage("there is no terminal to ask on", "to take what it offers without being asked: --yes");
  await using daemon = await needDaemon(context);
  let worst: ExitStatus = EXIT.ok;
  try {
    for (const order of orders) {
      const status = await addOne(context, daemon, order, options);
      if (status !== EXIT.ok) worst = status;
    }
  } finally {
    for (const { secrets } of orders) for (const { bytes } of secrets) bytes.fill(0);
  }
  return worst;
}

function ordersOf(name: string | null, program: readonly string[], options: McpAddOptions): ServerOrder[] {
  const ways = [program.length > 0, options.url !== undefined, options.from !== undefined].filter(Boolean).length;
  if (ways !== 1)
    throw usage(
      ways === 0 ? "it is not said what the server is" : "a server is one of: a program behind --, --url, --from",
      "wirken mcp add NAME -- npx -y PACKAGE; or with --url https://…, or with --from FILE",
    );
  if (options.from !== undefined) return serversIn(textOf(options.from), name);
  if (name === null) throw usage("the server has no name", "wirken mcp add NAME …");
  refuseSecretWords(program);
  return [{ name, words: program.length === 0 ? null : program, url: options.url ?? null, env: {}, secrets: [] }];
}

function textOf(from: string): string {
  const bytes = from === "-" ? readInput() : readBounded("--from", from, MAX_FILE + 1, `give ${NAMED}`);
  if (bytes.length > MAX_FILE) throw usage(`--from: it has more than ${MAX_FILE} bytes`, `give ${NAMED}`);
  return bytes.toString("utf8");
}

function readInput(): Buffer {
  const bytes = Buffer.alloc(MAX_FILE + 1);
  let length = 0;
  while (length < bytes.length) {
    const read = readSync(0, bytes, length, bytes.length - length, null);
    if (read === 0) break;
    length += read;
  }
  return bytes.subarray(0, length);
}

async function addOne(
  context: Context,
  daemon: OperatorPort,
  order: ServerOrder,
  options: McpAddOptions,
): Promise<ExitStatus> {
  const { terminal } = context;
  const { name } = order;
  const say = (line: string): void => {
    if (!options.json) terminal.say(printable(line));
  };
  const words = order.words === null ? null : settled(order.words);
  const places = await placesOf(context, name, words, options);
  let command = words;
  let installed: string | null = null;
  if (words !== null && /^(?:npx|npm|uvx|uv)$/.test(words[0] ?? "")) {
    say(`installing ${words.join(" ")} in a sandbox; this may take a minute …`);
    const answer = await daemon.call({ call: "mcp.install", words });
    command = answer.command;
    if (answer.installed !== null) {
      const { package: what, version, digest, host, packages } = answer.installed;
      installed = digest;
      say(
        `installed ${what} ${version} from ${host} (${packages === 1 ? "1 package" : `${packages} packages`}, no script of which ran); its files are ${digest.slice(0, 16)}`,
      );
    }
  }
  const enrolled = await enrol(context, daemon, order, say);
  try {
    const entry = entryOf(order, command, places, enrolled, options);
    const { wants } = await daemon.call({ call: "mcp.add", name, entry, installed });
    say(`${name}:`);
    for (const want of wants) say(`  ${want}`);
  } catch (error) {
    await forget(daemon, enrolled);
    throw error;
  }
  const trial: AnswerTo<"mcp.test"> = await daemon.call({ call: "mcp.test", name });
  for (const line of mcpTrialLines(name, trial)) say(line);
  const keep = await isKept(context, name, trial, options);
  if (keep === "no") {
    await daemon.call({ call: "mcp.remove", name, credentials: false });
    await forget(daemon, enrolled);
    if (options.json) terminal.print(JSON.stringify({ name, added: false, trial }));
    terminal.say(`${name} was not added`);
    return trial.state === "works" ? EXIT.refused : EXIT.bad;
  }
  const tools =
    trial.state === "works"
      ? trial.tools.flatMap(({ name: tool, digest }) => (digest === null ? [] : [{ name: tool, digest }]))
      : [];
  if (trial.state === "works") await daemon.call({ call: "mcp.accept", name, tools, only: true });
  if (options.json) terminal.print(JSON.stringify({ name, added: true, trial }));
  else if (keep === "authorize") terminal.print(`${name} is added; log in with it: wirken mcp authorize ${name}`);
  else terminal.print(`${name} is added; agents have ${tools.length === 1 ? "1 tool" : `${tools.length} tools`} of it`);
  return trial.state === "works" ? EXIT.ok : EXIT.notReady;
}

interface Places {
  readonly read: string[];
  readonly write: string[];
}

/** What of this machine it sees. A folder that it is told of, and would not see, is asked about. */
async function placesOf(
  { terminal }: Context,
  name: string,
  words: readonly string[] | null,
  options: McpAddOptions,
): Promise<Places> {
  const read = options.read.map((path) => wholePath("--read", path));
  const write = options.write.map((path) => wholePath("--write", path));
  for (const path of words === null ? [] : unseen(words, [...read, ...write])) {
    if (options.yes || !terminal.interactive) {
      terminal.say(printable(`${name} is told of ${path}, and does not see it: --read ${path}, or --write ${path}`));
      continue;
    }
    const answer = await terminal.ask(
      printable(`${name} is told of ${path}: may it read it, or change it too? [no/read/write] `),
    );
    if (/^r(ead)?$/i.test(answer.trim())) read.push(path);
    if (/^w(rite)?$/i.test(answer.trim())) write.push(path);
  }
  return { read, write };
}

interface Enrolled extends Pick<FoundSecret, "given"> {
  readonly name: string;
}

/** What was found to be secret goes to the vault, and is said to. */
async function enrol(
  context: Context,
  daemon: OperatorPort,
  order: ServerOrder,
  say: (line: string) => void,
): Promise<Enrolled[]> {
  if (order.secrets.length === 0) return [];
  if (context.terminal.interactive) await protectFirst(daemon, context);
  const taken = new Set((await everyCredential(daemon)).credentials.map(({ scope }) => scope));
  const hosts = order.url === null ? [] : [new URL(order.url).hostname];
  const enrolled: Enrolled[] = [];
  try {
    for (const { credential, bytes, given, place } of order.secrets) {
      const name = freeName(credential, taken);
      taken.add(`secret/${name}`);
      const payload = encodeNamedBytes([{ name: "value", bytes }]);
      await daemon.call(
        { call: "vault.add", scope: CredentialScope.parse(`secret/${name}`), check: false, hosts },
        { payload },
      );
      enrolled.push({ name, given });
      say(`${place} looks like a secret: it is in the vault as secret/${name}, and nowhere else`);
    }
  } catch (error) {
    await forget(daemon, enrolled);
    throw error;
  }
  if (order.secrets.length > 0) say("the file that it came from still has it: take it out there");
  return enrolled;
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  if (!taken.has(`secret/${wanted}`)) return wanted;
  for (let n = 2; ; n += 1) if (!taken.has(`secret/${wanted}-${n}`)) return `${wanted}-${n}`;
}

async function forget(daemon: OperatorPort, enrolled: readonly Enrolled[]): Promise<void> {
  for (const { name } of enrolled)
    await daemon.call({ call: "vault.remove", scope: CredentialScope.parse(`secret/${name}`) });
}

function entryOf(
  order: ServerOrder,
  command: readonly string[] | null,
  { read, write }: Places,
  enrolled: readonly Enrolled[],
  options: McpAddOptions,
): Record<string, unknown> {
  const credentials = [
    ...options.credential.map((text) => credentialUse(text, order.url !== null)),
    ...enrolled.map(({ name, given }) => ({ name, ...given })),
  ];
  const env = { ...order.env, ...variables(options.env) };
  const memory = options.memory === undefined ? null : Number(options.memory);
  if (memory !== null && !Number.isSafeInteger(memory)) throw usage("--memory takes a number of megabytes", null);
  return {
    ...(order.url === null ? { command } : { url: order.url }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    ...(options.host.length === 0 ? {} : { hosts: options.host.map((host) => host.toLowerCase()) }),
    ...(read.length === 0 ? {} : { read }),
    ...(write.length === 0 ? {} : { write }),
    ...(credentials.length === 0 ? {} : { credentials }),
    ...(options.public ? { public: true } : {}),
    ...(options.agent.length === 0 ? {} : { agents: options.agent }),
    ...(memory === null ? {} : { limits: { memoryMb: memory } }),
  };
}

async function isKept(
  { terminal }: Context,
  name: string,
  trial: AnswerTo<"mcp.test">,
  { yes }: McpAddOptions,
): Promise<"yes" | "no" | "authorize"> {
  if (trial.state === "failed" && trial.reason === "unauthorized") return "authorize";
  if (yes) return trial.state === "works" ? "yes" : "no";
  const question =
    trial.state === "works"
      ? `may agents use ${name}, as it is described here? [y/N] `
      : `keep ${name} all the same? [y/N] `;
  return /^y(es)?$/i.test((await terminal.ask(question)).trim()) ? "yes" : "no";
}
