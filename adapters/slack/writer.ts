import type { KnownBlock } from "@slack/web-api";
import type { Attachment, Drafting, Edit, LookUp, Order, Send, Start } from "../adapter.ts";
import { SendFailure } from "../failure.ts";
import { Growing, type Screen, type Stand } from "../growing.ts";
import { markdown } from "../markdown.ts";
import type { Draft } from "../outbox.ts";
import { inPlaceOf } from "../replacement.ts";
import { type Span, span } from "../spans.ts";
import { sendFailure } from "./api.ts";
import type { Calls } from "./calls.ts";
import { ACTION } from "./convert.ts";
import { upload } from "./files.ts";
import { escaped, format, formatSpans, type Part } from "./format.ts";
import type { Identity } from "./identity.ts";
import { type Key, lookUp, metadataOf } from "./look-up.ts";
import { Working } from "../working.ts";

/** Slack takes some 50 edits a minute of one app, and the last state of an answer must have room among them. */
const EDIT_MS = 1_500;
/** Messages whose marks are remembered. */
const MAX_MARKED = 1_000;
const MARKS = { waiting: "hourglass_flowing_sand", working: "eyes", refused: "no_entry_sign" } as const;

type Mark = Order<"react">["mark"];
type Where = Pick<Send, "place" | "thread">;

export interface WriterParts {
  readonly calls: Calls;
  readonly start: Start;
  readonly identity: () => Identity | null;
  /** A message of ours stands there. */
  readonly wrote: (place: string, thread: string | null, ts: string) => void;
}

/** What goes out to Slack: messages, files, answers that grow, marks. Nothing of it is unfurled. */
export class Writer {
  readonly #parts: WriterParts;
  readonly #growing = new Growing<Part>((one, other) => JSON.stringify(one) === JSON.stringify(other));
  readonly #marked = new Map<string, NonNullable<Mark>>();
  readonly #working = new Working(async (place, message, mark) => await this.react(place, message, mark));
  #drafted = Number.NEGATIVE_INFINITY;
  /** Whether Slack shows our "is thinking…"; an app without that feature is told once. */
  #status = true;

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  compose(message: Send, text: string, files: readonly Attachment[]): Draft[] {
    const { card, style } = message;
    const parts =
      card === null ? format(text, style) : formatSpans(cardSpans(message, card, text, this.#parts.identity()));
    if (parts.length === 0 && files.length === 0)
      throw new SendFailure("refused", "there is nothing in the message to show");
    const shown = this.#growing.end(message.draft);
    const words = parts.map((part, i) => {
      const key: Key | null =
        message.key === undefined ? null : { key: message.key, part: i, parts: parts.length, files: files.length };
      const buttons = card !== null && i === parts.length - 1 ? buttonsOf(card) : [];
      const post = async (formatted: boolean): Promise<string> =>
        await this.#post(message, part, formatted, key, buttons);
      const stand = shown[i];
      return stand === undefined ? { post } : this.#finish(message.place, stand, part, key, post);
    });
    const along = files.map(
      (file): Draft => ({ post: async () => await upload(this.#parts.calls, this.#parts.start, message, file) }),
    );
    // What must be read to decide stands before what is pressed.
    const all = card === null ? [...words, ...along] : [...along, ...words];
    return this.#withoutRest(message.place, all, shown.slice(parts.length));
  }

  replace(edit: Edit, text: string): Draft[] {
    return inPlaceOf(edit.ids, format(text, "plain")).map(({ part, id }) => ({
      post: async (formatted) => {
        await this.#edit(edit.place, id, part, formatted, null);
        return id;
      },
    }));
  }

  async #post(
    where: Where,
    part: Part,
    formatted: boolean,
    key: Key | null,
    buttons: readonly KnownBlock[],
  ): Promise<string> {
    const { place, thread } = where;
    return await this.#parts.calls.do({ method: "chat.postMessage", place, again: false }, async (web) => {
      // Under its own name it would be taken for a window's, which wants to know whose.
      const say = web.chat.postMessage;
      const { ts } = await say({
        channel: place,
        text: part.text,
        ...(formatted ? { blocks: [...part.blocks, ...buttons] } : {}),
        ...(thread === null ? {} : { thread_ts: thread }),
        ...(key === null ? {} : { metadata: metadataOf(key) }),
        mrkdwn: false,
        unfurl_links: false,
        unfurl_media: false,
      });
      if (ts === undefined) throw new SendFailure("unknown", "Slack took the message and did not say as what");
      this.#parts.wrote(place, thread, ts);
      this.#working.end(place, thread);
      return ts;
    });
  }

  /** An edit done twice is the same edit. A message that was not unfurled when it was posted is not by an edit either. */
  async #edit(place: string, ts: string, part: Part, formatted: boolean, key: Key | null): Promise<void> {
    await this.#parts.calls.do({ method: "chat.update", place, again: true }, async (web) => {
      // An empty list takes away the blocks that were there before.
      const blocks = formatted ? part.blocks : [];
      const metadata = key === null ? {} : { metadata: metadataOf(key) };
      await web.chat.update({ channel: place, ts, text: part.text, blocks, parse: "none", ...metadata });
    });
  }

  #finish(place: string, stand: Stand<Part>, part: Part, key: Key | null, post: Draft["post"]): Draft {
    return {
      post: async (formatted) => {
        try {
          await this.#edit(place, stand.id, part, formatted, key);
          return stand.id;
        } catch (error) {
          // Somebody deleted what was shown, or it may not be edited any more: the whole answer is sent all the same.
          if (
            error instanceof SendFailure &&
            /message_not_found|cant_update_message|edit_window_closed/.test(error.message)
          )
            return await post(formatted);
          throw error;
        }
      },
    };
  }

  /** Takes away what was shown of a longer answer, once the last of this one is sent. */
  #withoutRest(place: string, drafts: Draft[], rest: readonly Stand<Part>[]): Draft[] {
    const last = drafts.at(-1);
    if (last === undefined || rest.length === 0) return drafts;
    const post = async (formatted: boolean): Promise<string> => {
      const id = await last.post(formatted);
      for (const { id: ts } of rest)
        await this.#parts.calls
          .do(
            { method: "chat.delete", place, again: true },
            async (web) => await web.chat.delete({ channel: place, ts }),
          )
          .catch(() => undefined);
      return id;
    };
    return [...drafts.slice(0, -1), { post }];
  }

  async draft({ ref, place, thread }: Drafting, text: string): Promise<readonly string[]> {
    const parts = format(text, "markdown");
    const now = performance.now();
    if (parts.length === 0 || now - this.#drafted < EDIT_MS) return [];
    this.#drafted = now;
    const screen: Screen<Part> = {
      post: async (part) => await this.#post({ place, thread }, part, true, null, []),
      edit: async (ts, part) => await this.#edit(place, ts, part, true, null),
    };
    return await this.#growing.show(ref, parts, screen);
  }

  typing(place: string, thread: string | null): void {
    if (thread === null || !this.#status) {
      this.#working.begin(place, thread);
      return;
    }
    const call = { method: "assistant.threads.setStatus", place: null, again: true };
    const shown = this.#parts.calls.do(call, async (web) => {
      await web.assistant.threads.setStatus({ channel_id: place, thread_ts: thread, status: "is thinking…" });
    });
    shown.catch((error: unknown) => {
      if (sendFailure(error).code !== "refused") return;
      this.#status = false;
      this.#working.begin(place, thread);
    });
  }

  /** A message of theirs is on the log. */
  heard(place: string, thread: string | null, message: string): void {
    this.#working.heard(place, thread, message);
  }

  async react(place: string, message: string, mark: Mark): Promise<void> {
    const timestamp = /(?:^|:)(\d{1,20}\.\d{1,10})$/.exec(message)?.[1];
    if (timestamp === undefined) return;
    const known = this.#marked.get(message);
    this.#marked.delete(message);
    if (known === mark) {
      this.#remember(message, mark);
      return;
    }
    const at = { channel: place, timestamp };
    // After a restart it is not known which it was.
    const old = known === undefined && mark === null ? Object.values(MARKS) : known === undefined ? [] : [MARKS[known]];
    if (mark !== null) {
      this.#remember(message, mark);
      await this.#parts.calls.do({ method: "reactions.add", place, again: true }, async (web) => {
        await web.reactions.add({ ...at, name: MARKS[mark] });
      });
    }
    for (const name of old)
      await this.#parts.calls
        .do(
          { method: "reactions.remove", place, again: true },
          async (web) => await web.reactions.remove({ ...at, name }),
        )
        .catch(() => undefined);
  }

  #remember(message: string, mark: NonNullable<Mark>): void {
    this.#marked.set(message, mark);
    const [oldest] = this.#marked.keys();
    if (this.#marked.size > MAX_MARKED && oldest !== undefined) this.#marked.delete(oldest);
  }

  /** Tells one person something that nobody else sees. */
  async whisper({ place, thread, user }: Where & { readonly user: string }, sentence: string): Promise<void> {
    await this.#parts.calls.do({ method: "chat.postEphemeral", place: null, again: false }, async (web) => {
      const threaded = thread === null ? {} : { thread_ts: thread };
      await web.chat.postEphemeral({ channel: place, user, text: escaped(sentence), parse: "none", ...threaded });
    });
  }

  /** @returns null if Slack has no such person, or lets nobody write to them. @throws {SendFailure} */
  async openDirect(sender: string): Promise<string | null> {
    // Somebody of another workspace is told with it.
    const user = sender.slice(sender.indexOf(":") + 1);
    if (!/^[UW][A-Z0-9]{2,63}$/.test(user)) return null;
    try {
      return await this.#parts.calls.do({ method: "conversations.open", place: null, again: true }, async (web) => {
        const { channel } = await web.conversations.open({ users: user });
        return channel?.id ?? null;
      });
    } catch (error) {
      if (error instanceof SendFailure && NOBODY.test(error.message)) return null;
      throw error;
    }
  }

  async lookUp(asked: LookUp): Promise<Awaited<ReturnType<typeof lookUp>>> {
    return await lookUp(this.#parts.calls, this.#parts.identity(), asked);
  }
}

const NOBODY = /(user_not_found|user_not_visible|user_disabled|users_not_found|cannot_dm_bot|restricted_action)$/;

/** A card, to the letter, and under it how to decide by its code, where its buttons cannot be pressed. In a channel the bot must be called. */
function cardSpans(message: Send, card: NonNullable<Send["card"]>, text: string, identity: Identity | null): Span[] {
  const call = message.place.startsWith("D") || identity === null ? "" : `@${identity.name} `;
  const shown =
    message.style === "markdown" ? markdown(text) : [span(text, { pre: message.style === "plain" ? null : "" })];
  const reply = (verb: string): Span => span(`${call}${verb} ${card.code}`, { code: true });
  return [...shown, span("\nTo decide, reply "), reply("approve"), span(" or "), reply("deny"), span(".")];
}

function buttonsOf(card: NonNullable<Send["card"]>): KnownBlock[] {
  const button = (text: string, decision: keyof typeof ACTION, style: { style?: "primary" | "danger" } = {}) => ({
    type: "button" as const,
    text: { type: "plain_text" as const, text },
    action_id: ACTION[decision],
    value: card.id,
    ...style,
  });
  const elements = [
    button("Approve", "approve", { style: "primary" }),
    ...(card.mayRemember ? [button("Approve for this session", "approve-session")] : []),
    button("Deny", "deny", { style: "danger" }),
  ];
  return [{ type: "actions", elements }];
}
