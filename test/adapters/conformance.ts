import { describe, expect, test } from "vitest";
import type { Platform } from "../../adapters/adapter.ts";
import { isPlain } from "../../src/ipc/platform-credentials.ts";
import { AdapterTalk, type Said } from "../support/adapter-talk.ts";

/** What every adapter must do, whatever its platform: one suite, against that platform's test server.
 *
 *  To plug a platform in: write `test/adapters/<platform>-conformance.test.ts`, which calls {@link conformance} with the platform's name and a function that starts
 *  a test server and returns a {@link Rig} around it. Each hook makes the server do what the real one would; each test starts a server of its own.
 *  A hook that the platform has no counterpart of is left out, and {@link Lacks} says why: without that the suite fails. */

/** Direct talk with one person, as the adapter names it. */
export interface Corner {
  readonly place: string;
  readonly sender: string;
}

/** What not every platform can do, or be made to do. */
interface Hooks {
  /** The platform hands out once more what is acknowledged already. */
  repeat(): void;
  /** Ada calls us in a group. */
  mention(text: string): void;
  /** Where that is. */
  readonly group: string;
  /** The platform refuses the next message: it wants us to wait so many seconds (one is enough). */
  slow(seconds: number): void;
  /** The platform refuses the next message for how it is formatted. */
  refuseFormatting(): void;
  /** The conversation with Ada is there no more, or the platform says that we may not write there. */
  vanish(): void;
  /** We are taken out of the group. */
  kick(): void;
  /** The token is taken back: whatever is asked with it from now on is refused. */
  revoke(): void;
  /** Another program uses the same token. */
  rival(): void;
  /** The connection breaks off after the next message was taken, before that is said. */
  loseAnswer(): void;
  /** Nothing is answered from now on, and nothing accepted: until {@link Hooks.up}. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Messages that are none for us: of bots, our own, edits that nobody asked about, what a newer platform would send. */
  strange(): void;
  /** What only somebody who means harm would send: names of a megabyte, ten thousand attachments, blocks in blocks, numbers for texts. */
  hostile(): void;
  /** Addresses that the platform looked up because they stood in a message of ours: link previews. */
  previews(): readonly string[];
  /** Ada sends a file with these words. */
  file(text: string, name: string, bytes: Uint8Array): void;
  /** Ada says something in a voice message. */
  voice(): void;
  /** Files that came with messages of ours to Ada. */
  received(): readonly { readonly name: string; readonly bytes: Uint8Array }[];
  /** Ada changes what she wrote last, or deletes it. */
  edit(text: string): void;
  remove(): void;
  /** Ada answers something that she wrote before. */
  reply(text: string, to: string): void;
}

/** A platform's test server, as the suite drives it. */
export interface Rig extends AsyncDisposable, Partial<Hooks> {
  readonly platform: Platform;
  readonly secrets: Readonly<Record<string, string>>;
  readonly apiRoot: string;
  readonly ada: Corner;
  readonly bob: Corner;
  /** Somebody writes to us alone. */
  direct(text: string, from?: "ada" | "bob"): void;
  /** Whether what was not acknowledged is delivered again to an adapter that begins anew; else the next is not taken before this one is on the log. */
  readonly redelivers: boolean;
  /** Messages that the platform has not been told were taken. */
  waiting(): number;
  /** Texts that are to be read by Ada, oldest first; no parts of those are joined. */
  shown(): readonly string[];
  /** The connection is cut; the server goes on. */
  cut(): void;
  /** Questions of any kind that the server was asked. */
  asked(): number;
}

/** Why each hook that a platform does not have is left out. */
type Lacks = { readonly [H in keyof Hooks]?: string };

const HOOKS: readonly (keyof Hooks)[] = [
  "repeat",
  "mention",
  "group",
  "slow",
  "refuseFormatting",
  "vanish",
  "kick",
  "revoke",
  "rival",
  "loseAnswer",
  "down",
  "up",
  "strange",
  "hostile",
  "previews",
  "file",
  "voice",
  "received",
  "edit",
  "remove",
  "reply",
];

/** Long enough for something that must not happen. */
const QUIET_MS = 400;
/** What is heard after an outage waits for a back-off. */
const OUTAGE_MS = 20_000;

/** What people write that a program trips over. */
const UNUSUAL = [
  "👩‍👩‍👧‍👦 🇳🇴 👍🏽",
  "مرحبا بالعالم",
  "e\u0301 n\u0303 zalgo Z\u0351\u036b\u0343",
  "right-to-left \u202e override, zero\u200bwidth",
  "𝕬𝖓𝖉 𐍈 beyond the first plane",
  "a\tb  c",
] as const;

class Run implements AsyncDisposable {
  readonly rig: Rig;
  talk: AdapterTalk;
  #cursor: string | null = null;

  private constructor(rig: Rig) {
    this.rig = rig;
    this.talk = AdapterTalk.local(rig.platform);
  }

  static async start(make: () => Promise<Rig>): Promise<Run> {
    const run = new Run(await make());
    await run.#connect();
    return run;
  }

  async #connect(): Promise<void> {
    const { rig, talk } = this;
    talk.start(rig.secrets, { apiRoot: rig.apiRoot, cursor: this.#cursor });
    await talk.next("state", (frame) => frame.state === "connected");
  }

  /** As after a crash: what it had kept and its cursor are what the supervisor has, and nothing else. */
  async again(): Promise<void> {
    this.#cursor = this.talk.said.findLast(isCursor)?.cursor ?? this.#cursor;
    await this.talk[Symbol.asyncDispose]();
    const { kept } = this.talk;
    this.talk = AdapterTalk.local(this.rig.platform);
    this.talk.kept = kept;
    await this.#connect();
  }

  /** The next message, on the log. */
  async heard(text?: string): Promise<Said<"inbound">> {
    const inbound = await this.talk.next("inbound", (frame) => text === undefined || frame.text === text);
    this.talk.acknowledge(inbound);
    return inbound;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.talk[Symbol.asyncDispose]();
    await this.rig[Symbol.asyncDispose]();
  }
}

/** @param make starts a test server; called once a test. */
export function conformance(platform: string, make: () => Promise<Rig>, lacks: Lacks): void {
  const cases: { readonly title: string; readonly body: (run: Run) => Promise<void> }[] = [];
  /** A case that is there where the platform has what it is about. */
  const where = (hooks: readonly (keyof Hooks)[], title: string, body: (run: Run) => Promise<void>): void => {
    if (hooks.every((hook) => lacks[hook] === undefined)) cases.push({ title, body });
  };

  describe(`${platform} as any channel`, () => {
    test("what the platform cannot be made to do is said, with the reason", async () => {
      await using rig = await make();
      for (const hook of HOOKS) {
        const why = lacks[hook];
        expect.soft(hook in rig, `${hook}: ${why ?? "nothing says why it would be left out"}`).toBe(why === undefined);
        expect.soft(why, `why there is no ${hook}`).not.toBe("");
      }
    });

    where(
      [],
      "a message is told with who wrote it, and taken from the platform only once it is on the log",
      async ({ rig, talk }) => {
        rig.direct("list my files");
        const inbound = await talk.next("inbound");
        expect(inbound).toMatchObject({ ...rig.ada, talk: "direct", text: "list my files" });
        const before = rig.waiting();
        await quiet();
        expect(rig.waiting()).toBe(before);
        talk.acknowledge(inbound);
        await expect.poll(() => rig.waiting()).toBe(0);
      },
    );

    where(
      [],
      "what two people write comes in the order of each, and the second of one waits for the first",
      async (run) => {
        const { rig, talk } = run;
        rig.direct("one");
        rig.direct("two");
        const one = await talk.next("inbound", (frame) => frame.sender === rig.ada.sender);
        await quiet();
        expect(talk.said.filter((frame) => frame.type === "inbound" && frame.text === "two")).toEqual([]);
        talk.acknowledge(one);
        const two = await run.heard("two");
        expect(one.dedupe).not.toBe(two.dedupe);
        rig.direct("three", "bob");
        expect(await run.heard("three")).toMatchObject(rig.bob);
      },
    );

    where(
      [],
      "a message whose adapter died before it was on the log is not lost, and none comes twice",
      async (run) => {
        const { rig } = run;
        rig.direct("first");
        await run.heard("first");
        await expect.poll(() => rig.waiting()).toBe(0);
        rig.direct("second");
        const lost = await run.talk.next("inbound", (frame) => frame.text === "second");
        rig.direct("third");
        if (!rig.redelivers) run.talk.acknowledge(lost);
        await run.again();
        if (rig.redelivers) expect((await run.heard("second")).dedupe).toBe(lost.dedupe);
        await run.heard("third");
        await quiet();
        const texts = run.talk.said.filter((frame) => frame.type === "inbound").map(({ text }) => text);
        expect(texts).toEqual(rig.redelivers ? ["second", "third"] : ["third"]);
      },
    );

    where(["repeat"], "what the platform hands out again has the same name as before", async (run) => {
      run.rig.direct("once");
      const { dedupe } = await run.heard("once");
      run.rig.repeat?.();
      run.rig.direct("and then");
      await run.heard("and then");
      const again = run.talk.said.filter((frame) => frame.type === "inbound" && frame.text === "once");
      expect(again.map((frame) => ("dedupe" in frame ? frame.dedupe : ""))).toEqual(again.map(() => dedupe));
    });

    where([], "a connection that is cut is made again, and what came meanwhile is heard", async (run) => {
      run.rig.cut();
      run.rig.direct("while you were away");
      await run.heard("while you were away");
      expect(await run.talk.send(run.rig.ada.place, "here again")).toMatchObject({ type: "delivered" });
      expect(run.rig.shown()).toEqual(["here again"]);
    });

    where(["mention", "group"], "called in a group, it hears that, and answers there", async (run) => {
      const { rig } = run;
      rig.mention?.("who is on call?");
      expect(await run.heard()).toMatchObject({
        place: rig.group,
        sender: rig.ada.sender,
        talk: "group",
        text: "who is on call?",
      });
      expect(await run.talk.send(rig.group ?? "", "Bob is.")).toMatchObject({ type: "delivered" });
    });

    where(
      ["slow"],
      "where the platform asks to wait, the message waits as long as that, and the next behind it",
      async ({ rig, talk }) => {
        rig.slow?.(1);
        const began = performance.now();
        const outcomes = await Promise.all([talk.send(rig.ada.place, "first"), talk.send(rig.ada.place, "second")]);
        expect(outcomes.map(({ type }) => type)).toEqual(["delivered", "delivered"]);
        expect(performance.now() - began).toBeGreaterThan(950);
        expect(rig.shown()).toEqual(["first", "second"]);
      },
    );

    where([], "a text that is longer than any message goes out whole, in parts, in order", async ({ rig, talk }) => {
      const lines = Array.from({ length: 600 }, (_, i) => `line ${i} ${"ä".repeat(40)}`);
      const outcome = await talk.send(rig.ada.place, lines.join("\n"), { style: "plain" });
      expect(outcome.type).toBe("delivered");
      expect(rig.shown().length).toBeGreaterThan(1);
      expect(rig.shown().join("\n").split(/\n+/)).toEqual(lines);
    });

    where(["refuseFormatting"], "what the platform cannot format goes out without", async ({ rig, talk }) => {
      rig.refuseFormatting?.();
      expect(await talk.send(rig.ada.place, "**bold** words")).toMatchObject({ type: "delivered" });
      expect(rig.shown().join("")).toContain("bold");
    });

    where(
      ["vanish"],
      "to a conversation that is gone nothing is sent again, and that is said",
      async ({ rig, talk }) => {
        rig.vanish?.();
        const before = rig.asked();
        expect(await talk.send(rig.ada.place, "hello?")).toMatchObject({
          type: "undelivered",
          reason: "refused",
          ids: [],
        });
        expect(rig.asked() - before).toBeLessThanOrEqual(2);
        expect(await talk.send(rig.bob.place, "hello Bob")).toMatchObject({ type: "delivered" });
      },
    );

    where(["kick", "group"], "in a group that we were taken out of, nothing is sent again", async ({ rig, talk }) => {
      rig.kick?.();
      expect(await talk.send(rig.group ?? "", "anybody?")).toMatchObject({ type: "undelivered", reason: "refused" });
      expect(await talk.send(rig.ada.place, "hello")).toMatchObject({ type: "delivered" });
    });

    where(
      ["revoke"],
      "a token that was taken back ends in one sentence, and nothing is asked after it",
      async ({ rig, talk }) => {
        rig.revoke?.();
        rig.cut();
        const refused = await talk.next("state", (frame) => frame.state === "refused");
        expect(refused.text.length).toBeGreaterThan(10);
        const before = rig.asked();
        await new Promise((resolve) => setTimeout(resolve, 4 * QUIET_MS));
        expect(rig.asked()).toBe(before);
        expect(talk.said.filter((frame) => frame.type === "state" && frame.state === "refused")).toHaveLength(1);
        for (const secret of secretsOf(rig)) expect(JSON.stringify(talk.said)).not.toContain(secret);
      },
    );

    where(["rival"], "another program with the same token is noticed, and said", async ({ rig, talk }) => {
      rig.rival?.();
      await expect
        .poll(
          () =>
            talk.said.some(
              (frame) =>
                (frame.type === "notice" && frame.about === "foreign-use") ||
                (frame.type === "state" && frame.state !== "connected" && frame.text.length > 10),
            ),
          { timeout: 15_000 },
        )
        .toBe(true);
    });

    where(
      ["loseAnswer"],
      "a message whose answer was lost is not there twice, and nobody says that it did not arrive",
      async ({ rig, talk }) => {
        rig.loseAnswer?.();
        const outcome = await talk.send(rig.ada.place, "only once", { key: "m_00000000000000000000000001" });
        expect(outcome.type === "delivered" || outcome.reason === "unknown").toBe(true);
        expect(rig.shown()).toEqual(["only once"]);
      },
    );

    where(
      ["down", "up"],
      "while the platform is away the adapter lives on, and it is there again with it",
      async (run) => {
        const { rig, talk } = run;
        await rig.down?.();
        await talk.next("state", (frame) => frame.state === "reconnecting");
        const asked = rig.asked();
        await new Promise((resolve) => setTimeout(resolve, 5 * QUIET_MS));
        // It tries again, and does not hammer.
        expect(rig.asked() - asked).toBeLessThan(10);
        await rig.up?.();
        await expect
          .poll(() => talk.said.findLast((frame) => frame.type === "state"), { timeout: OUTAGE_MS })
          .toMatchObject({ state: "connected" });
        rig.direct("good morning");
        await run.heard("good morning");
      },
    );

    where([], "what people write comes and goes to the letter", async (run) => {
      for (const text of UNUSUAL) {
        run.rig.direct(text);
        expect((await run.heard()).text).toBe(text);
        expect(await run.talk.send(run.rig.ada.place, text, { style: "plain" })).toMatchObject({ type: "delivered" });
      }
      expect(run.rig.shown()).toEqual(UNUSUAL);
    });

    where([], "half a character in a text of ours breaks nothing", async ({ rig, talk }) => {
      const outcome = await talk.send(rig.ada.place, "a\ud83d and \u0000b", { style: "plain" });
      expect(["delivered", "undelivered"]).toContain(outcome.type);
      expect(await talk.send(rig.ada.place, "still here")).toMatchObject({ type: "delivered" });
    });

    where(["strange"], "what is no message for us is passed over, and the next one is heard", async (run) => {
      run.rig.strange?.();
      run.rig.direct("a real one");
      await run.heard("a real one");
      expect(run.talk.said.filter((frame) => frame.type === "inbound")).toHaveLength(1);
      await expect.poll(() => run.rig.waiting()).toBe(0);
    });

    where(
      ["hostile"],
      "what is sent to harm it becomes a frame within its limits, or none, and the next one is heard",
      async (run) => {
        run.rig.hostile?.();
        run.rig.direct("a harmless one");
        // Each frame is held against the schema and its limits as it is said.
        while ((await run.heard()).text !== "a harmless one");
        expect(run.talk.said.findLast((frame) => frame.type === "state")).toMatchObject({ state: "connected" });
        await expect.poll(() => run.rig.waiting()).toBe(0);
      },
    );

    where(["previews"], "no link in what we send is looked up by the platform", async ({ rig, talk }) => {
      const link = "https://canary.example/a?b=c";
      for (const style of ["markdown", "plain", "preformatted"] as const)
        await talk.send(rig.ada.place, `see [here](${link}) or ${link}`, { style });
      expect(rig.previews?.()).toEqual([]);
    });

    where(["file"], "a file is told with its name, and fetched when it is asked for, within a limit", async (run) => {
      const bytes = Buffer.from("name,amount\nAda,3\n");
      run.rig.file?.("what is in this?", "table.csv", bytes);
      const inbound = await run.heard();
      expect(inbound).toMatchObject({ text: "what is in this?", files: [{ name: "table.csv", what: "file" }] });
      const handle = inbound.files?.[0]?.handle ?? "";
      run.talk.tell({ type: "get-file", ref: 1, handle, limit: 1_000 });
      expect((await run.talk.next("file")).text).toBe(bytes.toString("utf8"));
      run.talk.tell({ type: "get-file", ref: 2, handle, limit: 4 });
      expect(await run.talk.next("file.failed")).toMatchObject({ ref: 2, reason: "too-large" });
      run.talk.tell({ type: "get-file", ref: 3, handle: "no such file", limit: 1_000 });
      expect(await run.talk.next("file.failed")).toMatchObject({ ref: 3 });
    });

    where(["voice"], "a voice message is told as one, and not as words", async (run) => {
      run.rig.voice?.();
      expect((await run.heard()).files).toMatchObject([{ what: "voice" }]);
    });

    where(["received"], "files go out with the message that they belong to", async ({ rig, talk }) => {
      const bytes = Buffer.from("%PDF-1.7 of a test");
      const sent = talk.send(rig.ada.place, "here it is", { style: "plain" }, [
        { name: "report.pdf", mime: "application/pdf", bytes },
      ]);
      expect(await sent).toMatchObject({ type: "delivered" });
      expect(rig.received?.()).toEqual([{ name: "report.pdf", bytes }]);
      expect(rig.shown().join("\n")).toContain("here it is");
    });

    where(["edit"], "a message that was changed names the one that it was", async (run) => {
      run.rig.direct("list my fiels");
      const inbound = await run.heard();
      run.rig.edit?.("list my files");
      const changed = await run.talk.next("changed");
      run.talk.acknowledge(changed);
      expect(changed).toMatchObject({ ...run.rig.ada, change: "edited", text: "list my files" });
      expect(changed.message).toBe(inbound.message ?? inbound.dedupe);
      expect(changed.dedupe).not.toBe(inbound.dedupe);
      await expect.poll(() => run.rig.waiting()).toBe(0);
    });

    where(["remove"], "a message that was deleted names the one that it was", async (run) => {
      run.rig.direct("delete everything");
      const inbound = await run.heard();
      run.rig.remove?.();
      const changed = await run.talk.next("changed");
      run.talk.acknowledge(changed);
      expect(changed).toMatchObject({ ...run.rig.ada, change: "deleted" });
      expect(changed.message).toBe(inbound.message ?? inbound.dedupe);
    });

    where(["reply"], "an answer to an older message brings that along, and whose it was", async (run) => {
      run.rig.reply?.("and this one?", "the first of two files");
      expect(await run.heard()).toMatchObject({
        text: "and this one?",
        quote: { by: "sender", text: "the first of two files" },
      });
    });

    where([], "a reply that grows is one message in the end, with all of its text", async ({ rig, talk }) => {
      for (const text of ["There", "There are", "There are two"])
        talk.tell({ type: "draft", ref: 900, place: rig.ada.place, thread: null, replyTo: null }, text);
      expect(await talk.send(rig.ada.place, "There are two files.", { draft: 900 })).toMatchObject({
        type: "delivered",
      });
      await quiet();
      expect(rig.shown()).toEqual(["There are two files."]);
    });

    where([], "a reply of which nothing was shown by this process is sent whole", async ({ rig, talk }) => {
      // Its beginning was shown by one that died.
      expect(await talk.send(rig.ada.place, "There are two files.", { draft: 901 })).toMatchObject({
        type: "delivered",
      });
      expect(rig.shown()).toEqual(["There are two files."]);
    });

    where(
      [],
      "marks and signs of typing hold nothing up, also where there is nothing to mark",
      async ({ rig, talk }) => {
        for (const mark of ["waiting", "working", null] as const)
          talk.tell({ type: "react", place: rig.ada.place, thread: null, message: "nothing:0", mark });
        talk.tell({ type: "typing", place: rig.ada.place, thread: null });
        talk.tell({ type: "wake" });
        expect(await talk.send(rig.ada.place, "hello")).toMatchObject({ type: "delivered" });
      },
    );

    where([], "a stop ends it with what is under way, and status 0", async ({ rig, talk }) => {
      const sent = talk.send(rig.ada.place, "the last word");
      talk.tell({ type: "stop" });
      expect(await talk.exited).toMatchObject({ status: 0 });
      expect((await sent).type).toBe(rig.shown().length === 1 ? "delivered" : "undelivered");
    });

    where(["revoke"], "one that begins with a token that is not good says so, once", async ({ rig }) => {
      rig.revoke?.();
      await using late = AdapterTalk.local(rig.platform);
      late.start(rig.secrets, { apiRoot: rig.apiRoot });
      const refused = await late.next("state");
      expect(refused.state).toBe("refused");
      for (const secret of secretsOf(rig)) expect(refused.text).not.toContain(secret);
    });

    test.for(cases.map(({ title, body }) => [title, body] as const))("%s", { timeout: 60_000 }, async ([, body]) => {
      expect.hasAssertions();
      await using run = await Run.start(make);
      await body(run);
    });
  });
}

/** What nobody is to read of its credentials. */
function secretsOf({ secrets }: Rig): string[] {
  return Object.entries(secrets).flatMap(([name, value]) => (isPlain(name) ? [] : [value]));
}

async function quiet(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
}

function isCursor(frame: Said): frame is Said<"cursor"> {
  return frame.type === "cursor";
}
