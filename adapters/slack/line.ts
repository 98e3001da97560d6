import { SocketModeClient } from "@slack/socket-mode";
import * as z from "zod/mini";
import type { Start } from "../adapter.ts";
import { options } from "./api.ts";
import { type LineWay, lineWay } from "./way.ts";

/** One envelope of Slack's, and the only way to tell Slack that it was taken. */
export interface Envelope {
  readonly body: Record<string, unknown>;
  readonly ack: () => Promise<void>;
}

export interface LineEvents {
  envelope(envelope: Envelope): void;
  /** Slack will close this line soon, and wants another one opened. `link_disabled`: Socket Mode was turned off. */
  leaving(reason: string): void;
  /** Once, when the line is gone or never came about after `open` resolved. */
  closed(): void;
}

/** From the call of `apps.connections.open` to Slack's hello. */
const OPEN_MS = 30_000;
/** A line on which nothing answers for so long is dead. A machine with more to do than it can answers late, and its line must not go for that. */
const SILENT_MS = 20_000;

const Said = z.object({
  type: z.string(),
  reason: z._default(z.string(), ""),
  num_connections: z._default(z.number(), 0),
  connection_info: z.optional(z.object({ app_id: z.optional(z.string()) })),
});
const Body = z.record(z.string(), z.unknown());
const SlackEvent = z.object({
  type: z.string(),
  body: Body,
  ack: z.custom<() => Promise<void>>((value) => typeof value === "function"),
});

/** One Socket Mode connection by the SDK's own client, which opens only this one: its own way of opening the next leaves five seconds of
 *  silence in between, and ends the process where that fails. */
export class Line extends SocketModeClient {
  readonly #on: LineEvents;
  #app: string | null = null;
  #connections = 0;
  #over = false;

  constructor(appToken: string, start: Start, on: LineEvents) {
    const { logger, ...clientOptions } = options(start);
    const way: LineWay | null = lineWay();
    super({
      appToken,
      autoReconnectEnabled: false,
      clientPingTimeout: SILENT_MS,
      ...(logger === undefined ? {} : { logger }),
      ...(way === null ? {} : { dispatcher: way.dispatcher }),
      clientOptions,
    });
    this.on("close", () => way?.cut());
    this.#on = on;
    this.on("slack_event", (event: unknown) => this.#take(event));
    this.on("disconnected", () => this.#end());
  }

  /** The app that Slack says this line belongs to, once it is open. */
  get app(): string | null {
    return this.#app;
  }

  /** Lines that the app had when this one opened, with this one; 0 where Slack does not say. */
  get connections(): number {
    return this.#connections;
  }

  /** @throws what the SDK throws where Slack says no, or an Error when no hello came in time. */
  async open(): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error("Slack did not say hello in time")), OPEN_MS);
    try {
      await Promise.race([this.start(), late.promise]);
    } catch (error) {
      this.hangUp();
      if (error instanceof Error) throw error;
      throw new Error("the connection was closed before Slack said hello", { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends this line. What was not acknowledged comes again on another. */
  hangUp(): void {
    this.#over = true;
    this.disconnect().catch(() => undefined);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#on.closed();
  }

  protected override async onWebSocketMessage(data: string | ArrayBuffer, isBinary: boolean): Promise<void> {
    const said = isBinary ? null : parsed(data);
    if (said?.type === "hello") {
      this.#app = said.connection_info?.app_id ?? null;
      this.#connections = said.num_connections;
    }
    if (said?.type === "disconnect") {
      // The SDK would close at once; what is on its way to the log could then no longer be acknowledged here.
      this.#on.leaving(said.reason);
      return;
    }
    try {
      await super.onWebSocketMessage(data, isBinary);
    } catch {
      // An envelope that the SDK cannot read is not acknowledged, and nobody else would catch this.
    }
  }

  #take(event: unknown): void {
    const known = SlackEvent.safeParse(event);
    if (!known.success) return;
    this.#on.envelope(known.data);
  }
}

function parsed(data: string | ArrayBuffer): z.infer<typeof Said> | null {
  try {
    return Said.parse(JSON.parse(typeof data === "string" ? data : new TextDecoder().decode(data)));
  } catch {
    return null;
  }
}
