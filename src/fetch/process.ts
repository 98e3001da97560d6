import { BUILD } from "../ipc/build.ts";
import { type FromFetch, HttpOrder, MAX_DOWNLOAD, MAX_URL, ToFetch } from "../ipc/fetch-frames.ts";
import { PROTOCOL } from "../ipc/frame-common.ts";
import { ownPipe } from "../ipc/pipe.ts";
import { tunnelAgents } from "../tunnel/agents.ts";
import type { Dialler } from "../tunnel/dialler.ts";
import { Credential } from "./credential.ts";
import { type Exchanged, exchange } from "./exchange.ts";
import { FetchError } from "./fetch-error.ts";
import { readable } from "./readable.ts";
import { searchOrder, searchText } from "./search.ts";

type Order = Extract<ToFetch, { type: "request" | "search" | "download" }>;
type Said = readonly [frame: Exclude<FromFetch, { type: "ready" }>, text: string | Uint8Array];

/** Performs one request, says what came of it, and ends: nothing that a server sent outlives its own answer. */
export function runFetch(dialler: Dialler): void {
  let credential: Credential | null = null;
  let busy = false;
  const agent = tunnelAgents(dialler).https;
  const pipe = ownPipe<ToFetch, FromFetch>(ToFetch, {
    frame(frame, payload) {
      switch (frame.type) {
        case "stop":
          pipe.close();
          return;
        case "secret":
          if (credential !== null || busy) throw new TypeError("a request carries one credential, given before it");
          credential = Credential.take(payload);
          return;
        default:
          if (busy) throw new TypeError("this process performs one request");
          busy = true;
          void answer(frame, payload);
      }
    },
    end: () => credential?.[Symbol.dispose](),
  });

  async function answer(frame: Order, payload: Uint8Array): Promise<void> {
    const [said, text] = await performed(frame, payload).catch((error: unknown): Said => failed(error));
    // Whatever is said may quote what the server was shown.
    const clean = typeof text === "string" ? (credential?.remove(text) ?? text) : text;
    const whole: Said =
      said.type === "redirected" && clean !== text
        ? [{ type: "failed", reason: "refused" }, "the server would lead to an address that holds the credential"]
        : [said, clean];
    credential?.[Symbol.dispose]();
    await pipe.send(whole[0], Buffer.from(whole[1])).catch(() => undefined);
    pipe.close();
  }

  async function performed(frame: Order, payload: Uint8Array): Promise<Said> {
    if (frame.type === "search") {
      const { order, place } = searchOrder(Buffer.from(payload).toString("utf8"), frame);
      if ((place === null) !== (credential === null))
        throw new FetchError("refused", `${frame.service} ${place === null ? "takes no" : "wants a"} key`);
      const secret = place === null || credential === null ? [] : [credential.header(place)];
      const found = await exchange(order, secret, agent);
      return [{ type: "answered", status: found.status }, searchText(found, frame)];
    }
    if (frame.type === "download") return await downloaded(payload);
    const order = HttpOrder.parse(JSON.parse(Buffer.from(payload).toString("utf8")));
    if ((frame.credential === null) !== (credential === null))
      throw new TypeError("a credential comes with the place that it goes to");
    const secret = frame.credential === null || credential === null ? [] : [credential.header(frame.credential)];
    return toldOf(await exchange(order, secret, agent), order.url);
  }

  async function downloaded(payload: Uint8Array): Promise<Said> {
    if (credential !== null) throw new TypeError("what is downloaded carries no credential");
    const order = HttpOrder.parse(JSON.parse(Buffer.from(payload).toString("utf8")));
    const found = await exchange(order, [], agent, MAX_DOWNLOAD);
    const told = toldOf(found, order.url);
    if (told[0].type === "redirected") return told;
    const { hostname } = new URL(order.url);
    if (found.status !== 200) throw new FetchError("bad-answer", `${hostname} answered ${found.status} ${found.words}`);
    if (!found.whole || found.encoding !== null)
      throw new FetchError(
        "too-large",
        `the file is longer than ${MAX_DOWNLOAD} bytes, or packed in a way that is not known here`,
      );
    return [{ type: "downloaded", status: 200 }, found.body];
  }

  void pipe.send({ type: "ready", protocol: PROTOCOL, build: BUILD }).catch(() => undefined);
}

/** Statuses that name another address for the same thing. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

function toldOf(answer: Exchanged, url: string): Said {
  const { status, headers } = answer;
  const { location } = headers;
  const to = REDIRECTS.has(status) && location !== undefined ? URL.parse(location, url) : null;
  if (to === null) return [{ type: "answered", status }, readable(answer, url)];
  to.hash = "";
  if (to.href.length > MAX_URL) throw new FetchError("bad-answer", "the server leads to an address that is too long");
  return [{ type: "redirected", status }, to.href];
}

function failed(error: unknown): Said {
  const known = error instanceof FetchError ? error : null;
  // A fault of ours: its kind helps to find it, its message might quote a header.
  const kind = error instanceof Error ? error.name : typeof error;
  return [
    { type: "failed", reason: known?.code ?? "other" },
    known?.message ?? `the request could not be made (${kind})`,
  ];
}
