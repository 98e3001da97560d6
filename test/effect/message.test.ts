import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AuditError } from "../../audit/error.ts";
import type { AuditLog } from "../../audit/log.ts";
import type { Recorded } from "../../audit/recorded.ts";
import { editMessage, sendMessage, streamMessage } from "../../src/effect/message.ts";
import { mint } from "../../src/ipc/ids.ts";
import { type Carrier, type Delivery, withLink } from "../../src/session/link.ts";
import { newKeys, openLog, TestClock } from "../broker/real-log.ts";
import { NOTHING_MORE } from "../support/carrier.ts";

const SHAPE = { style: "plain", card: null, replyTo: null } as const;
const PLACE = { place: "1", thread: null };
let directory = "";
let log: AuditLog;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "wirken-message-"));
  log = await openLog(join(directory, "audit.db"), new TestClock(), newKeys());
});
afterEach(async () => {
  await log.close();
  rmSync(directory, { recursive: true });
});

/** What a channel would see, and how it answers. */
class Seen implements Carrier {
  readonly texts: string[] = [];
  readonly streams: boolean;
  readonly typing = NOTHING_MORE.typing;
  readonly react = NOTHING_MORE.react;
  readonly file = NOTHING_MORE.file;
  readonly openDirect = NOTHING_MORE.openDirect;
  readonly lookUp = NOTHING_MORE.lookUp;
  readonly #delivery: Delivery;
  constructor(delivery: Delivery, streams = false) {
    this.#delivery = delivery;
    this.streams = streams;
  }
  send(_: unknown, out: { readonly text: Uint8Array }): Promise<Delivery> {
    this.texts.push(Buffer.from(out.text).toString());
    return Promise.resolve(this.#delivery);
  }
  edit(_: unknown, ids: readonly string[], text: Uint8Array): Promise<Delivery> {
    this.texts.push(`${ids.join(",")}: ${Buffer.from(text).toString()}`);
    return Promise.resolve(this.#delivery);
  }
  stream(): { piece(text: Uint8Array): void; end(): Delivery } | null {
    if (!this.streams) return null;
    return { piece: (text) => void this.texts.push(Buffer.from(text).toString()), end: () => this.#delivery };
  }
}

function record(text: string | null): Promise<Recorded<"message.sent">> {
  return log.record<"message.sent">(
    {
      kind: "message.sent",
      message: mint("message"),
      session: null,
      conversation: mint("conversation"),
      channel: "telegram",
      purpose: "reply",
    },
    { cause: null, ...(text === null ? {} : { content: { text } }) },
  );
}
const last = () => log.rows({ limit: 1 })[0];

test("the recorded text is what is sent, and what became of it is on the record", async () => {
  const seen = new Seen({ state: "delivered", ids: ["7", "8"] });
  const recorded = await record("grüße");
  await withLink("web", seen, (link) => sendMessage(recorded, link, link.address(mint("conversation"), PLACE), SHAPE));
  expect(seen.texts).toEqual(["grüße"]);
  expect(last()?.action).toMatchObject({ kind: "message.delivered", parts: 2, bytes: 7 });
  expect(last()?.cause).toBe(recorded.seq);
  expect(last()?.content("platform")).toBe('["7","8"]');
});

test("a message is sent once: the same intent does not send a second", async () => {
  const seen = new Seen({ state: "delivered", ids: [] });
  const recorded = await record("once");
  await withLink("web", seen, async (link) => {
    const to = link.address(mint("conversation"), PLACE);
    await sendMessage(recorded, link, to, SHAPE);
    await expect(sendMessage(recorded, link, to, SHAPE)).rejects.toThrow(AuditError);
  });
  expect(seen.texts).toEqual(["once"]);
});

test("a platform that refuses is on the record in its own words", async () => {
  const seen = new Seen({ state: "failed", reason: "refused", ids: [], error: "chat not found" });
  await withLink("web", seen, async (link) => {
    const to = link.address(mint("conversation"), PLACE);
    expect(await editMessage(await record("changed"), link, to, ["7"])).toMatchObject({ state: "failed" });
  });
  expect(seen.texts).toEqual(["7: changed"]);
  expect(last()?.action).toMatchObject({ kind: "message.failed", reason: "refused" });
  expect(last()?.content("error")).toBe("chat not found");
});

test("a streamed reply is recorded before its first byte, and all of it after its last", async () => {
  const seen = new Seen({ state: "delivered", ids: [] }, true);
  const recorded = await record(null);
  await withLink("web", seen, async (link) => {
    const reply = streamMessage(recorded, link, link.address(mint("conversation"), PLACE));
    reply?.piece(Buffer.from("one "));
    reply?.piece(Buffer.from("two"));
    await reply?.end();
  });
  expect(seen.texts).toEqual(["one ", "two"]);
  expect(last()?.action).toMatchObject({ kind: "message.delivered", bytes: 7 });
  expect(last()?.content("text")).toBe("one two");
});

test("where nothing can be shown while it grows the intent is not used up", async () => {
  const seen = new Seen({ state: "delivered", ids: [] });
  const recorded = await record("whole");
  await withLink("web", seen, async (link) => {
    const to = link.address(mint("conversation"), PLACE);
    expect(streamMessage(recorded, link, to)).toBeNull();
    await sendMessage(recorded, link, to, SHAPE);
  });
  expect(seen.texts).toEqual(["whole"]);
});
