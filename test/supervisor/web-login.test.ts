import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { WebLogin } from "../../src/supervisor/web-login.ts";
import { newWorld } from "./world.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);
const digest = (secret: Uint8Array): string => createHash("sha256").update(secret).digest("hex");

async function newLogin() {
  const world = await newWorld();
  const ended: string[] = [];
  const login = new WebLogin(
    world.log,
    () => world.clock.now(),
    (one) => ended.push(one),
  );
  const enter = async (): Promise<string> => {
    const { token } = await login.link("terminal");
    const answer = await login.login(bytes(token));
    if (answer.state !== "in") throw new Error("a fresh link did not work");
    return digest(answer.cookie);
  };
  return { ...world, login, ended, enter };
}

test("a link works once, and for two minutes", async () => {
  const { login, clock } = await newLogin();
  const { token } = await login.link("terminal");
  expect(await login.login(bytes(token))).toMatchObject({ state: "in" });
  expect(await login.login(bytes(token))).toMatchObject({ state: "bad-token" });
  const late = await login.link("terminal");
  clock.advance(121_000);
  expect(await login.login(bytes(late.token))).toMatchObject({ state: "bad-token" });
});

test("five bad tokens in a minute lock the login for ten, good links included", async () => {
  const { login, clock } = await newLogin();
  for (let at = 0; at < 5; at++) expect(await login.login(bytes(`guess ${at}`))).toMatchObject({ state: "bad-token" });
  const { token } = await login.link("terminal");
  expect(await login.login(bytes(token))).toMatchObject({ state: "locked" });
  clock.advance(10 * 60_000 + 1);
  const fresh = await login.link("terminal");
  expect(await login.login(bytes(fresh.token))).toMatchObject({ state: "in" });
});

test("bad tokens over a longer time lock nothing", async () => {
  const { login, clock } = await newLogin();
  for (let at = 0; at < 8; at++) {
    expect(await login.login(bytes(`guess ${at}`))).toMatchObject({ state: "bad-token" });
    clock.advance(20_000);
  }
});

test("a thousand guesses are a few rows", async () => {
  const { login, log } = await newLogin();
  const before = log.size;
  for (let at = 0; at < 1000; at++) await login.login(bytes(`guess ${at}`));
  expect(log.size - before).toBeLessThan(5);
});

test("a browser session ends after 12 hours without a call, and after 7 days in any case", async () => {
  const { login, clock, ended, enter } = await newLogin();
  const idle = await enter();
  clock.advance(11 * 3_600_000);
  expect(await login.admit(idle)).not.toBeNull();
  clock.advance(13 * 3_600_000);
  expect(await login.admit(idle)).toBeNull();
  expect(ended).toEqual([idle]);
  const busy = await enter();
  for (let day = 0; day < 14; day++) {
    expect(await login.admit(busy)).not.toBeNull();
    clock.advance(11.9 * 3_600_000);
  }
  clock.advance(11 * 3_600_000);
  expect(await login.admit(busy)).toBeNull();
});

test("a session that was ended is no session, and its streams are closed", async () => {
  const { login, ended, enter } = await newLogin();
  const one = await enter();
  const [listed] = login.list(one);
  expect(listed).toMatchObject({ current: true });
  expect(await login.end({ id: listed?.session ?? (await login.admit(one)) ?? fail() }, "ended")).toBe(true);
  expect(await login.admit(one)).toBeNull();
  expect(ended).toEqual([one]);
});

function fail(): never {
  throw new Error("there is no session");
}
