import { LLMock } from "@copilotkit/aimock";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { offline } from "../../src/model/offline.ts";
import { tryOut } from "../../src/model/trial.ts";
import { ALL_APIS, failureOf, opened } from "./opened.ts";

const server = new LLMock({ port: 0, chunkSize: 2 });
beforeAll(async () => {
  await server.start();
});
afterAll(() => server.stop());
beforeEach(() => {
  server.reset();
});
const url = () => `${server.url}/v1`;
const signal = new AbortController().signal;
const call = (name: string, given: string) => ({ toolCalls: [{ id: "call_a", name, arguments: given }] });

describe.for(ALL_APIS)("a model spoken to as %s", (api) => {
  test("is seen to answer in pieces and to call a tool", async () => {
    server.onMessage("ready", { content: "ready" });
    server.onMessage("list the files", call("list_files", '{"path":"src"}'));
    const seen = await tryOut(opened(api, url()), "test-model", signal);
    expect(seen).toMatchObject({ model: "test-model", text: true, tools: true, why: null });
    expect(seen.pieces).toBeGreaterThan(1);
    expect(server.getRequests()).toHaveLength(3);
  });

  test("is seen to see what a picture shows, or not to", async () => {
    server.onMessage("ready", { content: "ready" });
    server.onMessage("list the files", call("list_files", '{"path":"src"}'));
    server.onMessage("Which colour", { content: "It is red." });
    expect(await tryOut(opened(api, url()), "test-model", signal)).toMatchObject({ images: true, whyImages: null });
    server.reset();
    server.onMessage("ready", { content: "ready" });
    server.onMessage("list the files", call("list_files", '{"path":"src"}'));
    server.on(
      { userMessage: "Which colour" },
      { error: { message: "this model does not support images", type: "invalid_request_error" }, status: 400 },
    );
    const blind = await tryOut(opened(api, url()), "test-model", signal);
    expect(blind).toMatchObject({ text: true, tools: true, images: false });
    expect(blind.whyImages).toContain("does not support images");
  });

  test.for([
    ["says something instead", { content: "There are none." }, "called none"],
    ["calls another one", call("exec", "{}"), "another tool"],
    ["leaves out what the tool needs", call("list_files", "{}"), "not of the form"],
  ] as const)("is seen to call no tool where it %s", async ([, response, why]) => {
    server.onMessage("ready", { content: "ready" });
    server.onMessage("list the files", response);
    const seen = await tryOut(opened(api, url()), "test-model", signal);
    expect(seen).toMatchObject({ text: true, tools: false });
    expect(seen.why).toContain(why);
  });

  test("that takes no tools at all is said to, in its provider's words", async () => {
    server.onMessage("ready", { content: "ready" });
    server.on(
      { userMessage: "list the files" },
      { error: { message: "this model does not support tools", type: "invalid_request_error" }, status: 400 },
    );
    const seen = await tryOut(opened(api, url()), "test-model", signal);
    expect(seen).toMatchObject({ text: true, tools: false });
    expect(seen.why).toContain("does not support tools");
  });

  test("that does not answer at all is a failure", async () => {
    server.nextRequestError(401, { message: "no", type: "authentication_error" });
    expect(await failureOf(tryOut(opened(api, url()), "test-model", signal))).toMatchObject({ code: "key-refused" });
  });
});

test("the built-in model passes", async () => {
  expect(await tryOut(offline, "offline", signal)).toMatchObject({ text: true, tools: true, why: null });
});
