import { createServer, type Server, type Socket } from "node:net";
import { z } from "zod/mini";

/** The JSON-RPC daemon of signal-cli (multi-account, `--receive-mode=manual`): a request a line, answers in any order, each message handed over once.
 *  It refuses a parameter that the real one does not have, and a second one who receives.
 *  @see https://github.com/AsamK/signal-cli/blob/master/man/signal-cli-jsonrpc.5.adoc */

const OWN_UUID = "0e5a3e0c-0000-4000-8000-00000000000a";
const ADA = "7b1f0c2a-0000-4000-8000-00000000000b";
const BOB = "3c9d41e7-0000-4000-8000-00000000000c";
export const IDS = { own: OWN_UUID, ada: ADA, bob: BOB } as const;

/** What the next call of a method meets instead of an answer. */
export type Mishap =
  | { readonly method: string; readonly error: { code: number; message: string; data?: unknown } }
  | { readonly method: string; readonly line: string }
  /** The connection is cut, before or after it was done. */
  | { readonly method: string; readonly cut: "before" | "after" };

export interface Shown {
  readonly id: number;
  /** A person's id, a group's, or `self`. */
  readonly to: string;
  text: string;
  styles: readonly string[];
  readonly quote: { readonly timestamp: number; readonly author: string } | null;
  readonly files: readonly { readonly name: string; readonly type: string; readonly bytes: Uint8Array }[];
  edits: number;
}

const Account = z.string().check(z.regex(/^\+[1-9]\d{6,14}$/));
const Style = z.string().check(z.regex(/^\d+:[1-9]\d*:(BOLD|ITALIC|STRIKETHROUGH|MONOSPACE|SPOILER)$/));
const To = {
  recipient: z.optional(z.array(z.string()).check(z.minLength(1))),
  groupId: z.optional(z.string()),
  noteToSelf: z.optional(z.literal(true)),
};
const PARAMETERS = {
  listAccounts: z.strictObject({}),
  getUserStatus: z.strictObject({ account: Account, recipient: z.array(z.string()) }),
  receive: z.strictObject({ account: Account, timeout: z.number(), maxMessages: z.int() }),
  sendTyping: z.strictObject({ account: Account, recipient: To.recipient, groupId: To.groupId }),
  sendReaction: z.strictObject({
    account: Account,
    ...To,
    emoji: z.string().check(z.minLength(1)),
    targetAuthor: z.string(),
    targetTimestamp: z.int(),
    remove: z.optional(z.boolean()),
  }),
  getAttachment: z.strictObject({
    account: Account,
    id: z.string().check(z.minLength(1)),
    recipient: z.optional(z.string()),
    groupId: z.optional(z.string()),
  }),
  send: z.strictObject({
    account: Account,
    ...To,
    message: z.string(),
    attachments: z.optional(z.array(z.string()).check(z.minLength(1))),
    textStyle: z.optional(z.array(Style)),
    quoteTimestamp: z.optional(z.int()),
    quoteAuthor: z.optional(z.string()),
    editTimestamp: z.optional(z.int()),
  }),
} as const;
type Method = keyof typeof PARAMETERS;
const Request = z.strictObject({
  jsonrpc: z.literal("2.0"),
  method: z.string(),
  id: z.string(),
  params: z.optional(z.unknown()),
});

function isMethod(method: string): method is Method {
  return Object.hasOwn(PARAMETERS, method);
}

type Waiting = { readonly hand: (envelope: object | null) => void };

export class SignalServer implements AsyncDisposable {
  readonly shown: Shown[] = [];
  readonly typings: string[] = [];
  /** Our marks on messages of theirs, as they are now. */
  readonly reactions = new Map<string, string>();
  /** Attachments that were received, by signal-cli's name. */
  readonly stored = new Map<string, Uint8Array>();
  readonly mishaps: Mishap[] = [];
  /** Groups there are, and the people whom messages reach. */
  readonly groups = new Set(["Z3JvdXBpZA=="]);
  readonly people: Set<string> = new Set([ADA, BOB]);
  readonly account = "+491701234567";
  registered = true;
  /** It waits no longer than this for a message, whatever it is asked. */
  patienceMs = 150;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #queue: object[] = [];
  #receiving: Waiting | null = null;
  #clock = Date.now();
  #behind = 0;
  /** Calls there were, by method. */
  readonly calls: string[] = [];

  private constructor() {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(port = 0): Promise<SignalServer> {
    const server = new SignalServer();
    await new Promise<void>((resolve) => server.#server.listen(port, "127.0.0.1", resolve));
    return server;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    return address.port;
  }
  get apiRoot(): string {
    return `http://127.0.0.1:${this.port}`;
  }
  /** Messages that were not handed over yet. */
  get pending(): number {
    return this.#queue.length;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => undefined);
    let text = "";
    socket.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) this.#take(socket, line);
    });
  }

  #take(socket: Socket, line: string): void {
    const request = Request.safeParse(JSON.parse(line));
    const say = (answer: object): void => void socket.write(`${JSON.stringify({ jsonrpc: "2.0", ...answer })}\n`);
    if (!request.success) {
      say({ error: { code: -32_600, message: "Invalid request", data: null }, id: null });
      return;
    }
    const { method, id, params } = request.data;
    this.calls.push(method);
    const mishap = this.mishaps.findIndex((one) => one.method === method);
    const [met] = mishap < 0 ? [] : this.mishaps.splice(mishap, 1);
    if (met !== undefined && "error" in met) {
      say({ error: { data: null, ...met.error }, id });
      return;
    }
    if (met !== undefined && "line" in met) {
      socket.write(`${met.line}\n`);
      return;
    }
    if (met?.cut === "before") {
      socket.destroy();
      return;
    }
    if (!isMethod(method)) {
      say({ error: { code: -32_601, message: "Method not implemented", data: null }, id });
      return;
    }
    const schema = PARAMETERS[method];
    const checked = schema.safeParse(params ?? {});
    if (!checked.success) {
      say({ error: { code: -32_602, message: z.prettifyError(checked.error), data: null }, id });
      return;
    }
    void this.#answer(method, checked.data).then((answer) => {
      if (met?.cut === "after") socket.destroy();
      else say({ ...answer, id });
    });
  }

  async #answer(method: Method, params: object): Promise<object> {
    switch (method) {
      case "listAccounts":
        return { result: [{ number: this.account }] };
      case "getUserStatus": {
        const uuid = this.registered ? OWN_UUID : null;
        return {
          result: [
            { recipient: this.account, number: this.account, username: null, uuid, isRegistered: this.registered },
          ],
        };
      }
      case "receive":
        return await this.#receive(PARAMETERS.receive.parse(params));
      case "sendTyping": {
        const { recipient, groupId } = PARAMETERS.sendTyping.parse(params);
        this.typings.push(groupId ?? recipient?.[0] ?? "");
        return { result: { timestamp: this.#now(), results: [] } };
      }
      case "sendReaction": {
        const { targetAuthor, targetTimestamp, emoji, remove } = PARAMETERS.sendReaction.parse(params);
        if (remove === true) this.reactions.delete(`${targetAuthor}:${targetTimestamp}`);
        else this.reactions.set(`${targetAuthor}:${targetTimestamp}`, emoji);
        return { result: { timestamp: this.#now(), results: [] } };
      }
      case "getAttachment": {
        const { id } = PARAMETERS.getAttachment.parse(params);
        const bytes = this.stored.get(id);
        if (bytes === undefined)
          return { error: { code: -1, message: `Could not find attachment with ID: ${id}`, data: null } };
        return { result: { data: Buffer.from(bytes).toString("base64") } };
      }
      case "send":
        return this.#send(PARAMETERS.send.parse(params));
    }
  }

  async #receive({ timeout, maxMessages }: z.infer<(typeof PARAMETERS)["receive"]>): Promise<object> {
    if (this.#receiving !== null)
      return {
        error: {
          code: -1,
          message: "Receive command cannot be used if messages are already being received.",
          data: null,
        },
      };
    if (maxMessages !== 1)
      return { error: { code: -1, message: "this test server hands over one at a time", data: null } };
    const queued = this.#queue.shift();
    if (queued !== undefined) return { result: [{ envelope: queued, account: this.account }] };
    const { promise, resolve } = Promise.withResolvers<object | null>();
    const late = setTimeout(() => resolve(null), Math.min(timeout * 1_000, this.patienceMs));
    this.#receiving = { hand: resolve };
    const envelope = await promise;
    clearTimeout(late);
    this.#receiving = null;
    return { result: envelope === null ? [] : [{ envelope, account: this.account }] };
  }

  #send(asked: z.infer<(typeof PARAMETERS)["send"]>): object {
    const { recipient, groupId, noteToSelf, message, attachments = [] } = asked;
    if (message === "" && attachments.length === 0)
      return { error: { code: -1, message: "Message is empty", data: null } };
    const files = attachments.map((uri) => {
      const [, type = "", name = "", data = ""] = /^data:([^;,]+);filename=([^;,]+);base64,(.*)$/.exec(uri) ?? [];
      return { name: decodeURIComponent(name), type, bytes: Buffer.from(data, "base64") };
    });
    if (files.some(({ name }) => name === ""))
      return { error: { code: -1, message: "Failed to add attachment: no data URI", data: null } };
    const to = noteToSelf === true ? "self" : (groupId ?? recipient?.[0] ?? "");
    if ([recipient, groupId, noteToSelf].filter((one) => one !== undefined).length !== 1)
      return { error: { code: -1, message: "No recipients given", data: null } };
    if (Buffer.byteLength(message) > 2_000)
      return {
        error: { code: -32_603, message: "a long text would be an attachment, which is not meant", data: null },
      };
    const styles = asked.textStyle ?? [];
    for (const style of styles) {
      const [start = 0, length = 0] = style.split(":").map(Number);
      if (start + length > message.length)
        return { error: { code: -1, message: "a style beyond the text", data: null } };
    }
    if ((recipient !== undefined && !this.people.has(to)) || (groupId !== undefined && !this.groups.has(to))) {
      const results = [{ recipientAddress: { uuid: to }, type: "UNREGISTERED_FAILURE" }];
      const data = { response: { timestamp: this.#now(), results } };
      return { error: { code: -1, message: `Failed to send message: "${to}"`, data } };
    }
    if (asked.editTimestamp !== undefined) {
      const edited = this.shown.find(({ id, to: place }) => id === asked.editTimestamp && place === to);
      if (edited === undefined) return { error: { code: -1, message: "No such message", data: null } };
      edited.text = message;
      edited.styles = styles;
      edited.edits += 1;
      return { result: { timestamp: this.#now(), results: [{ recipientAddress: { uuid: to }, type: "SUCCESS" }] } };
    }
    const id = this.#now();
    const { quoteTimestamp, quoteAuthor } = asked;
    const quote =
      quoteTimestamp === undefined || quoteAuthor === undefined
        ? null
        : { timestamp: quoteTimestamp, author: quoteAuthor };
    this.shown.push({ id, to, text: message, styles, quote, files, edits: 0 });
    return { result: { timestamp: id, results: [{ recipientAddress: { uuid: to }, type: "SUCCESS" }] } };
  }

  #now(): number {
    this.#clock += 1;
    return this.#clock - this.#behind;
  }

  /** What is done in it was so long ago. */
  late(ms: number, done: () => unknown): void {
    this.#behind = ms;
    done();
    this.#behind = 0;
  }

  /** Whatever it is, it is handed over once. */
  deliver(envelope: object): void {
    if (this.#receiving === null) this.#queue.push(envelope);
    else {
      const { hand } = this.#receiving;
      // The next is not handed to the same one.
      this.#receiving = { hand: (next) => next !== null && this.#queue.push(next) };
      hand(envelope);
    }
  }

  envelope(from: string, name: string, device = 1): { timestamp: number; [key: string]: unknown } {
    const timestamp = this.#now();
    return {
      source: null,
      sourceNumber: null,
      sourceUuid: from,
      sourceName: name,
      sourceDevice: device,
      timestamp,
      serverReceivedTimestamp: timestamp,
      serverDeliveredTimestamp: timestamp,
    };
  }

  /** Somebody writes to the account. @returns the message's timestamp. */
  direct(text: string, from: string = ADA, name = "Ada", more: object = {}): number {
    const envelope = this.envelope(from, name);
    const { timestamp } = envelope;
    this.deliver({
      ...envelope,
      dataMessage: { timestamp, message: text, expiresInSeconds: 0, viewOnce: false, ...more },
    });
    return timestamp;
  }

  /** They change what they wrote at that time. */
  edit(text: string, at: number, from: string = ADA, name = "Ada"): void {
    const envelope = this.envelope(from, name);
    const { timestamp } = envelope;
    const dataMessage = { timestamp, message: text, expiresInSeconds: 0, viewOnce: false };
    this.deliver({ ...envelope, editMessage: { targetSentTimestamp: at, dataMessage } });
  }

  /** They delete it. */
  remove(at: number, from: string = ADA, name = "Ada"): void {
    this.direct("", from, name, { message: null, remoteDelete: { timestamp: at } });
  }

  /** The owner writes something to themselves, on their telephone. */
  note(text: string, more: object = {}): number {
    const envelope = this.envelope(OWN_UUID, "Me");
    const { timestamp } = envelope;
    const sentMessage = {
      destination: this.account,
      destinationNumber: this.account,
      destinationUuid: OWN_UUID,
      timestamp,
      message: text,
      expiresInSeconds: 0,
      viewOnce: false,
      ...more,
    };
    this.deliver({ ...envelope, syncMessage: { sentMessage } });
    return timestamp;
  }

  /** Cuts every connection there is. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#receiving?.hand(null);
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
