import type { McpFailure, OfferedPrompt, OfferedResource, OfferedTool, ServerInfo } from "../ipc/mcp-frames.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

/** An authorization leads to a host that is on no list: somebody has to allow it first. */
export class HostNeededError extends OperatorError {
  readonly host: string;
  constructor(server: string, host: string) {
    super(
      "bad-answer",
      `it is authorized by ${host}, which it may not reach yet`,
      `allow that host with mcp.${server}.hosts in config.json: ${host}`,
    );
    this.host = host;
  }
}

/** Where a server stands. `off`: not enabled. `stopped`: by its owner, until a start. `waiting`: between two starts. `given-up`: it never came up. */
export type McpServerState = "off" | "stopped" | "starting" | "up" | "waiting" | "given-up";

export interface McpServerStatus {
  readonly name: string;
  readonly state: McpServerState;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly restarts: number;
  /** Why it is not up, in a sentence; null: it is, or nothing is known. */
  readonly why: string | null;
  /** As it was when it was up last; null: it never was since the daemon's start. */
  readonly protocol: string | null;
  readonly info: ServerInfo | null;
}

/** `accepted`: agents have it. `new`: nobody accepted it yet. `changed`: what its server says of it is another thing than what was accepted: no agent has
 *  it until it is accepted again. `gone`: it was accepted and is not offered. */
export type McpToolStanding = "accepted" | "new" | "changed" | "gone";

export interface McpToolState {
  readonly standing: McpToolStanding;
  /** As agents are offered it, such as mcp__files__read_file; null: it has no name that models take. */
  readonly offeredAs: string | null;
  /** As its server offers it now; null: not at all. */
  readonly now: OfferedTool | null;
  /** SHA-256 of `now`, as {@link McpServersControl.accept} takes it; null: it is not offered. */
  readonly digest: string | null;
  /** As it was accepted; null: never, or what it was has been erased. */
  readonly accepted: OfferedTool | null;
  readonly acceptedDigest: string | null;
}

/** What a server was found to be, as it was asked just now. */
export type McpTrial =
  | {
      readonly state: "works";
      readonly protocol: string;
      readonly info: ServerInfo;
      readonly tools: readonly McpToolState[];
      /** Offered and not taken: too many, or malformed. */
      readonly left: number;
      readonly resources: readonly OfferedResource[];
      readonly prompts: readonly OfferedPrompt[];
      readonly ms: number;
    }
  | { readonly state: "failed"; readonly reason: McpFailure; readonly sentence: string };

/** A running authorization: its address is for the owner's browser, and what comes back of it goes to `finish`. */
export interface McpAuthorization {
  readonly url: string;
  /** @param query all of what came back to the redirect. @returns in words why there are no tokens; null: there are, and they are in the vault. */
  finish(query: string): Promise<string | null>;
  cancel(): Promise<void>;
}

/** What commands about MCP servers ask of those that run. The entries are `mcp` in config.json: whoever changes that need not tell anybody here. */
export interface McpServersControl {
  /** All that the configuration names, in order. */
  readonly names: readonly string[];
  /** Null: there is none of that name. */
  state(name: string): McpServerStatus | null;
  /** Starts one, also after it was given up or stopped. @throws {OperatorError} if there is none, or it is off. */
  start(name: string): void;
  stop(name: string): Promise<void>;
  restart(name: string): Promise<void>;
  /** As offered and as accepted, in order of their names; what is offered is known once it was up. */
  tools(name: string): readonly McpToolState[];
  /** Waits until a server is up, starting it where it is enabled, and asks it what it offers. It calls no tool. */
  test(name: string, signal: AbortSignal): Promise<McpTrial>;
  /** These very tools may be used from here on, and no other ones of that server: what is left out is not accepted any more.
   *  @param tools by name and digest, as they were shown. @throws {OperatorError} if one of them is another by now. */
  accept(name: string, tools: readonly { readonly name: string; readonly digest: string }[], who: By): Promise<void>;
  /** Begins OAuth with a server that has a URL. @param redirect where that ends on this machine.
   *  @throws {OperatorError} in words why it cannot be begun; where it leads to a host that is on no list, that host is named. */
  authorize(name: string, redirect: string, scope: string | null, signal: AbortSignal): Promise<McpAuthorization>;
}
