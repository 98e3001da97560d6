import { test } from "vitest";
import type { AdapterLink, Session } from "../../src/session/link.ts";

declare const telegram: unique symbol;
declare const slackAcme: unique symbol;
declare const slackHome: unique symbol;
declare const toTelegram: AdapterLink<typeof telegram>;
declare const toAcme: AdapterLink<typeof slackAcme>;
declare const here: Session<typeof telegram>;
declare const acme: Session<typeof slackAcme>;
declare const home: Session<typeof slackHome>;
declare const text: Parameters<typeof toAcme.send>[1];

function reply<L extends symbol>(link: AdapterLink<L>, session: Session<L>): Promise<unknown> {
  return link.send(session.address, text);
}

test("a session leaves by its own channel", () => {
  void toTelegram.send(here.address, text);
  void reply(toAcme, acme);
  // @ts-expect-error a Slack session cannot leave through Telegram
  void toTelegram.send(acme.address, text);
  // @ts-expect-error two accounts of one platform do not mix either
  void toAcme.send(home.address, text);
  // @ts-expect-error nor can generic code mix the two: that is what `in out` buys
  void reply(toTelegram, acme);
  // @ts-expect-error nor can a type argument be widened until both fit
  void reply<symbol>(toTelegram, acme);
});

test("an address cannot be made by hand", () => {
  // @ts-expect-error only a link mints one
  void toTelegram.send({ conversation: here.address.conversation, at: here.address.at }, text);
});
