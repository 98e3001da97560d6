import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Connection } from "../../src/cli/connection.ts";
import { refuseOtherBuild } from "../../src/cli/other-build.ts";
import { controlSocketPath, ensureHome, type Home, homeFrom } from "../../src/config/home.ts";
import { BUILD } from "../../src/ipc/build.ts";
import { mint } from "../../src/ipc/ids.ts";
import type { OperatorEvent } from "../../src/ipc/operator.ts";
import { type Answerer, ControlSocket } from "../../src/supervisor/control.ts";
import { OperatorError } from "../../src/supervisor/operator-error.ts";

function aHome(): Home {
  const root = mkdtempSync(join(tmpdir(), "wirken-connection-"));
  chmodSync(root, 0o700);
  const home = homeFrom({ WIRKEN_HOME: root });
  ensureHome(home);
  return home;
}

async function serving(home: Home, answer: Answerer, build = BUILD): Promise<ControlSocket> {
  return await ControlSocket.open({ path: controlSocketPath(home, {}), tokenFile: home.token, build, answer });
}

async function connected(home: Home): Promise<Connection> {
  const connection = await Connection.open(home, {}, refuseOtherBuild);
  if (connection === null) throw new Error("nobody listens");
  return connection;
}

test("where no daemon listens there is no connection, and that is no error", async () => {
  expect(await Connection.open(aHome(), {}, refuseOtherBuild)).toBeNull();
});

test("a call is answered, with what happened meanwhile", async () => {
  const home = aHome();
  const session = mint("session");
  await using _server = await serving(home, async (call, payload, emit) => {
    expect(call).toEqual({ call: "say", agent: "default", fresh: false });
    emit({ event: "text" }, payload.slice());
    emit({ event: "text.end" });
    return { session, end: "done" };
  });
  await using connection = await connected(home);
  const heard: [OperatorEvent, string][] = [];
  const answer = await connection.call(
    { call: "say", agent: "default", fresh: false },
    {
      payload: new TextEncoder().encode("hello"),
      onEvent: (event, payload) => heard.push([event, new TextDecoder().decode(payload)]),
    },
  );
  expect(answer).toEqual({ session, end: "done" });
  expect(heard).toEqual([
    [{ event: "text" }, "hello"],
    [{ event: "text.end" }, ""],
  ]);
});

test("a daemon of another build is asked how it is and told to end, and gets no other call", async () => {
  const home = aHome();
  const heard: string[] = [];
  const answer: Answerer = (call) => {
    heard.push(call.call);
    return Promise.resolve({});
  };
  await using _server = await serving(home, answer, "another");
  await using connection = await connected(home);
  const payload = new TextEncoder().encode("a secret");
  await expect(connection.call({ call: "say", agent: "default", fresh: false }, { payload })).rejects.toMatchObject({
    status: 3,
    message: "the daemon is of another build than this command",
    hint: "restart to finish the upgrade: wirken stop, then wirken start",
  });
  expect(payload).toEqual(new Uint8Array(8));
  await expect(connection.call({ call: "channel.list" })).rejects.toMatchObject({ status: 3 });
  expect(heard).toEqual([]);
  // Their answers are none of ours: that they were sent is the point here.
  await connection.call({ call: "status" }).catch(() => undefined);
  await connection.call({ call: "daemon.stop" }).catch(() => undefined);
  expect(heard).toEqual(["status", "daemon.stop"]);
});

test("a secret is wiped here once it is sent", async () => {
  const home = aHome();
  await using _server = await serving(home, async () => ({ checked: true, account: null, notes: [], owner: null }));
  await using connection = await connected(home);
  const payload = new TextEncoder().encode("secret");
  await connection.call({ call: "vault.add", scope: "provider/openai", check: false }, { payload });
  expect(payload).toEqual(new Uint8Array(6));
});

test("a refusal comes as its sentence, its hint and its status", async () => {
  const home = aHome();
  await using _server = await serving(home, async () => {
    throw new OperatorError("locked", "the vault is locked", "unlock it");
  });
  await using connection = await connected(home);
  await expect(connection.call({ call: "vault.list" })).rejects.toMatchObject({
    status: 3,
    message: "the vault is locked",
    hint: "unlock it",
  });
});

test("a refusal that comes while a call is still being written is that call's answer", async () => {
  const home = aHome();
  await using _server = await serving(home, async () => {
    throw new OperatorError("usage", "too long");
  });
  await using connection = await connected(home);
  // Several calls at once: some of them are still waiting for room on the socket when they are refused.
  const calls = Array.from({ length: 8 }, async () => {
    await connection.call({ call: "say", agent: "default", fresh: false }, { payload: new Uint8Array(1 << 20) });
  });
  for (const outcome of await Promise.allSettled(calls))
    expect(outcome).toMatchObject({ status: "rejected", reason: { message: "too long" } });
});

test("an answer that is not this call's is not taken", async () => {
  const home = aHome();
  await using _server = await serving(home, async () => ({ approvals: "none" }));
  await using connection = await connected(home);
  await expect(connection.call({ call: "approvals.list" })).rejects.toThrow("approvals");
});

test("an answer too large for a frame is refused in words, and leaves no call waiting", async () => {
  const home = aHome();
  await using _server = await serving(home, async () => ({ rows: ["x".repeat(1 << 20)] }));
  await using connection = await connected(home);
  await expect(connection.call({ call: "approvals.list" })).rejects.toMatchObject({
    status: 3,
    message: expect.stringContaining("one answer holds 1048576"),
    hint: "ask for less at once",
  });
});

test("a caller that gives up is heard", async () => {
  const home = aHome();
  const session = mint("session");
  await using _server = await serving(home, async (_call, _payload, emit, signal) => {
    emit({ event: "text" });
    await new Promise((resolve) => {
      signal.addEventListener("abort", resolve);
    });
    return { session, end: "stopped" };
  });
  await using connection = await connected(home);
  const stop = new AbortController();
  const answer = await connection.call(
    { call: "say", agent: "default", fresh: false },
    { payload: new Uint8Array([1]), onEvent: () => stop.abort(), signal: stop.signal },
  );
  expect(answer.end).toBe("stopped");
});

test("whoever has another token is not let in", async () => {
  const home = aHome();
  await using _server = await serving(home, async () => ({}));
  writeFileSync(home.token, new Uint8Array(32));
  await expect(Connection.open(home, {}, refuseOtherBuild)).rejects.toMatchObject({ status: 3 });
});

test("a daemon that goes away leaves no call waiting", async () => {
  const home = aHome();
  const server = await serving(home, async (_call, _payload, _emit, signal) => {
    await new Promise((resolve) => {
      signal.addEventListener("abort", resolve);
    });
    return {};
  });
  await using connection = await connected(home);
  const [outcome] = await Promise.allSettled([connection.call({ call: "watch" }), server[Symbol.asyncDispose]()]);
  expect(outcome).toMatchObject({ status: "rejected", reason: { status: 3 } });
});
