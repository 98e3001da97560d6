import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { build } from "esbuild";
import * as fc from "fast-check";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { openBrowser, outside, type Watch, watch } from "../support/browser.ts";

/** The renderer alone, in a page that has no policy of its own to save it. */
let browser: Browser;
let page: Page;
let seen: Watch;
let server: Server;
let origin: string;

const Rendered = z.array(
  z.strictObject({ tags: z.array(z.string()), attributes: z.array(z.string()), text: z.string(), same: z.boolean() }),
);

beforeAll(async () => {
  server = createServer((_, response) =>
    response.setHeader("content-type", "text/html").end("<!doctype html><title>x</title><body></body>"),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  origin = `http://127.0.0.1:${address.port}`;
  const bundle = await build({
    entryPoints: [join(import.meta.dirname, "render-harness.ts")],
    bundle: true,
    write: false,
    platform: "browser",
    format: "iife",
  });
  browser = await openBrowser();
  const context = await browser.newContext();
  seen = watch(context);
  page = await context.newPage();
  await page.goto(`${origin}/`);
  await page.evaluate(bundle.outputFiles[0]?.text ?? "");
});
afterAll(async () => {
  await browser.close();
  server.close();
});

async function render(texts: readonly string[], size = 7) {
  return Rendered.parse(await page.evaluate(`renderAll(${JSON.stringify(texts)}, ${size})`));
}

/** None of these loads, runs or leads anywhere. */
const TAGS = "blockquote br code del div em h3 h4 h5 h6 hr li ol p pre span strong table tbody td th thead tr ul".split(
  " ",
);
const ATTRIBUTES = "aria-label class dir scope start tabindex".split(" ");

const HOSTILE = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  `<a href="javascript:alert(1)">x</a>`,
  "[x](javascript:alert(1))",
  "[x](https://attacker.example/?q=secret)",
  "![x](https://attacker.example/pixel.png)",
  `![x](https://attacker.example/p.png "onload=alert(1)")`,
  "<https://attacker.example/>",
  "https://attacker.example/ www.attacker.example mailto:a@attacker.example",
  "[x]: https://attacker.example/\n\n[x]",
  "```html\n<script>alert(1)</script>\n```",
  '```" onclick="alert(1)\n```',
  "# <svg/onload=alert(1)>",
  "| <iframe src=https://attacker.example> |\n|---|\n| <style>@import 'https://attacker.example'</style> |",
  "- <base href=https://attacker.example>\n- <meta http-equiv=refresh content='0;url=https://attacker.example'>",
  "> <link rel=prefetch href=https://attacker.example>",
  "99999999999999999999. x",
  "\u202egnp.exe\u202c \u0000 \u2028",
];

test("hostile Markdown becomes text: no element that loads, runs or leads anywhere", async () => {
  const all = await render(HOSTILE);
  for (const { tags, attributes, same } of all) {
    expect(TAGS).toEqual(expect.arrayContaining(tags));
    expect(ATTRIBUTES).toEqual(expect.arrayContaining(attributes));
    expect(same).toBe(true);
  }
  expect(all[0]?.text).toBe("<script>alert(1)</script>");
  expect(all[4]?.text).toBe("x https://attacker.example/?q=secret");
});

test("an address that hides its direction is shown with what hides it", async () => {
  const [shown] = await render(["[x](https://example.org/\u202egnp.exe)"]);
  expect(shown?.text).toContain("https://example.org/\\u{202e}gnp.exe");
});

test("whatever is said, only elements of the closed list are made, and in pieces the same as at once", async () => {
  const parts = fc.constantFrom(
    "*",
    "**",
    "`",
    "```",
    "~~",
    "[",
    "](",
    ")",
    "!",
    "#",
    "# ",
    "- ",
    "1. ",
    "> ",
    "|",
    "|---|",
    "\n",
    "\n\n",
    "  ",
    "<img src=x onerror=alert(1)>",
    "<script>",
    "javascript:",
    "https://attacker.example/",
    "&lt;",
    '"',
    "'",
    "=",
    "word ",
    "\u202e",
  );
  const texts = fc.sample(fc.array(parts, { maxLength: 80 }), { numRuns: 600, seed: 11 }).map((list) => list.join(""));
  for (const size of [1, 5]) {
    for (const [i, { tags, attributes, same }] of (await render(texts, size)).entries()) {
      expect(TAGS, texts[i]).toEqual(expect.arrayContaining(tags));
      expect(ATTRIBUTES, texts[i]).toEqual(expect.arrayContaining(attributes));
      expect(same, texts[i]).toBe(true);
    }
  }
});

test("nothing of it was asked for, and the log of requests would have shown it", async () => {
  expect(outside(seen, origin)).toEqual([]);
  await page.evaluate(
    "new Promise((done) => { const img = new Image(); img.onerror = done; img.src = 'http://127.0.0.1:9/pixel.png'; })",
  );
  expect(outside(seen, origin)).toEqual(["http://127.0.0.1:9/pixel.png"]);
});
