import { createConnection } from "node:net";
import type { Readable } from "node:stream";
import * as z from "zod/mini";
import { addressOnLane } from "../../src/ipc/local-socket.ts";
import { ownTunnel } from "../../src/tunnel/own-tunnel.ts";
import type { Checked, Credentials, Start } from "../contract.ts";
import { whyUnreachable } from "../failure.ts";

/** signal-cli answers from its own files. */
const ANSWER_MS = 10_000;
/** A few accounts. */
const MAX_ANSWER_BYTES = 65_536;

/** Under which a Unix socket is asked for on a lane. */
const HTTP = 80;

/** @see https://github.com/AsamK/signal-cli/blob/master/man/signal-cli-jsonrpc.5.adoc */
const Answer = z.object({
  result: z.optional(z.unknown()),
  error: z.optional(z.object({ code: z.int() })),
});
const Accounts = z.array(z.object({ number: z.string() }));
/** It was started for one account and knows of no others. */
const NO_SUCH_METHOD = -32_601;

/** Asks the signal-cli daemon on this machine whether it holds the account. */
export async function check(credentials: Credentials, start: Start): Promise<Checked> {
  const account = (credentials.get("account") ?? "").trim();
  const daemon = (credentials.get("daemon") ?? "").trim();
  const { host, port } = placeOf(start.apiRoot ?? addressOnLane(daemon));
  const place = start.apiRoot === null ? daemon : `${host}:${port}`;
  const how = daemon.startsWith("unix:") ? `--socket ${daemon.slice("unix:".length)}` : `--tcp ${place}`;
  let line: string;
  try {
    line = await question(host, port, { jsonrpc: "2.0", method: "listAccounts", id: "wirken" });
  } catch (error) {
    const detail = whyUnreachable(error);
    return {
      failure: "unreachable",
      sentence: `signal-cli does not answer at ${place} (${detail}): start it with signal-cli daemon ${how} --receive-mode=manual`,
    };
  }
  const answer = Answer.safeParse(parsed(line));
  if (!answer.success) return { failure: "other", sentence: `what listens at ${place} is not signal-cli` };
  if (answer.data.error?.code === NO_SUCH_METHOD)
    return { failure: "other", sentence: "signal-cli was started for one account: start its daemon without --account" };
  const accounts = Accounts.safeParse(answer.data.result);
  if (!accounts.success) return { failure: "other", sentence: `signal-cli answered with an error` };
  if (!accounts.data.some(({ number }) => number === account))
    return {
      failure: "refused",
      sentence:
        "signal-cli does not hold this account: link it with signal-cli link, and scan the code with the telephone",
    };
  return { account };
}

/** @param address `host:port`, or an address as the configuration has it. */
function placeOf(address: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(address.includes("://") ? address : `tcp://${address}`);
  return { host: hostname, port: port === "" ? HTTP : Number(port) };
}

async function question(host: string, port: number, request: object): Promise<string> {
  const socket = ownTunnel()?.tunnel.connect(host, port) ?? createConnection({ host, port });
  try {
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error("no answer in time")));
    socket.write(`${JSON.stringify(request)}\n`);
    return await firstLine(socket);
  } finally {
    socket.destroy();
  }
}

async function firstLine(socket: Readable): Promise<string> {
  let text = "";
  for await (const piece of socket.setEncoding("utf8")) {
    text += String(piece);
    const end = text.indexOf("\n");
    if (end >= 0) return text.slice(0, end);
    if (text.length > MAX_ANSWER_BYTES) break;
  }
  return text;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return null;
  }
}
