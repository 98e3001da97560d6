import { connect } from "node:net";
import { expect, test } from "vitest";
import { buildPage } from "../support/page-build.ts";
import { askHttp, WebClient } from "../support/raw-http.ts";
import { PageScript } from "../support/page-script.ts";
import { WebSupervisor } from "../support/web-supervisor.ts";

/** Why a connection is not made, or "connected". */
function refusal(address: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    socket.on("connect", () => {
      socket.destroy();
      resolve("connected");
    });
    socket.on("error", (error) => resolve(error.message));
  });
}

const script = new PageScript();

test("stop ends both processes with status 0, and tells the page", async () => {
  await buildPage();
  const supervisor = await WebSupervisor.start(script.answer);
  const events = await (await WebClient.logIn(supervisor.link())).events();
  await events.next();
  await supervisor[Symbol.asyncDispose]();
  expect(await events.next()).toEqual({ type: "over", because: "stopped" });
  expect(supervisor.ends).toMatchObject({ web: { status: 0, signal: null }, ingress: { status: 0, signal: null } });
  expect(supervisor.lines).toEqual([]);
});

test("ingress ends when web is gone: the lane has no other end", async () => {
  await buildPage();
  await using supervisor = await WebSupervisor.start(script.answer);
  await supervisor.web.kill();
  expect(await supervisor.ingress.exited).toMatchObject({ status: 0 });
});

test("web ends when the supervisor's pipe closes", async () => {
  await buildPage();
  await using supervisor = await WebSupervisor.start(script.answer);
  supervisor.web.pipe.close();
  expect(await supervisor.web.exited).toMatchObject({ status: 0 });
});

test("the page is small", async () => {
  expect(await buildPage()).toBeLessThan(70_000);
});

test("the page is served on 127.0.0.1 and on no other address", async () => {
  await buildPage();
  await using supervisor = await WebSupervisor.start(script.answer);
  const { port } = new URL(supervisor.origin);
  expect((await askHttp(supervisor.origin, "/")).status).toBe(200);
  // All of 127.0.0.0/8 is this machine, and so is ::1: a listener on every address would answer there.
  for (const address of ["127.0.0.2", "::1"])
    expect(await refusal(address, Number(port))).toMatch(/ECONNREFUSED|EADDRNOTAVAIL/);
});

test("a taken port is said, with what is known, and another may be tried", async () => {
  await buildPage();
  await using first = await WebSupervisor.start(script.answer);
  const port = Number(new URL(first.origin).port);
  await expect(WebSupervisor.start(script.answer, { port })).rejects.toThrow(
    `another process listens on 127.0.0.1:${port}`,
  );
});
