import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mint } from "../../src/ipc/ids.ts";
import { identityOf } from "../../src/sandbox/folder.ts";
import { type Asks, Obedient, REMEMBERS } from "./obedient.ts";
import { World } from "./world.ts";

/** What people ask for on an ordinary day, and how often each of these asks them back. The person answers as people do: for the session, where that is offered. */

let world: World;
beforeAll(async () => {
  world = await World.make();
  await world.sandbox.probe();
  const credential = { place: { header: "authorization", prefix: "Bearer " } } as const;
  world.web.credentials.set("github", { name: "github", hosts: ["api.github.example"], ...credential });
  const own = {
    conversation: mint("conversation"),
    channel: "web",
    talk: "direct",
    readers: ["Ada"],
    own: true,
  } as const;
  const bob = {
    conversation: mint("conversation"),
    channel: "web",
    talk: "direct",
    readers: ["Bob"],
    own: false,
  } as const;
  world.messages.known.set("me", [own]);
  world.messages.known.set("Bob", [bob]);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const get = (url: string): Asks => ["http_request", { url }];
const search = (query: string): Asks => ["web_search", { query }];
const read = (path: string): Asks => ["read_file", { path }];
const list: Asks = ["list_files", {}];
const grep = (pattern: string): Asks => ["search_files", { pattern }];
const write = (path: string, content = "text"): Asks => ["write_file", { path, content }];
const run = (...argv: string[]): Asks => ["exec", { argv }];
const change = (script: string): Asks => ["exec", { script, write: true }];
const FOUND = "1. Guide https://docs.example/guide 2. Notes https://notes.example/a 3. More https://news.example/today";

interface Task {
  readonly says: string;
  readonly asks: readonly Asks[];
  /** How often somebody is asked. */
  readonly prompts: number;
}

const TASKS: readonly Task[] = [
  { says: "what is in my folder?", asks: [list, read("a.txt")], prompts: 0 },
  { says: "where did I write about the boiler?", asks: [grep("boiler"), read("a.txt")], prompts: 0 },
  { says: "count the lines of my notes", asks: [run("wc", "-l", "a.txt")], prompts: 0 },
  { says: "sum up my notes", asks: [list, read("a.txt"), read("b.txt")], prompts: 0 },
  { says: "which of my files is the largest?", asks: [run("ls", "-lS")], prompts: 0 },
  { says: "is my JSON valid?", asks: [run("python3", "-m", "json.tool", "c.json")], prompts: 0 },
  { says: "who won yesterday?", asks: [search("match yesterday"), get("https://news.example/today")], prompts: 0 },
  {
    says: "how do I prune a plum tree?",
    asks: [search("prune plum"), get("https://docs.example/guide"), get("https://notes.example/a")],
    prompts: 0,
  },
  { says: "sum up https://blog.example/post", asks: [get("https://blog.example/post")], prompts: 0 },
  {
    says: "compare https://a.example/x and https://b.example/y",
    asks: [get("https://a.example/x"), get("https://b.example/y")],
    prompts: 0,
  },
  { says: "does https://status.example/ say it is down?", asks: [get("https://status.example/")], prompts: 0 },
  {
    says: "what does the weather page say? weather.example/berlin",
    asks: [get("https://weather.example/berlin")],
    prompts: 0,
  },
  {
    says: "what is the newest version of node?",
    asks: [search("node release"), get("https://nodejs.example/index.json")],
    prompts: 0,
  },
  {
    says: "is what I noted still true? see https://docs.example/guide",
    asks: [read("a.txt"), get("https://docs.example/guide")],
    prompts: 0,
  },
  {
    says: "check my notes against what is written about it",
    asks: [search("boiler pressure"), read("a.txt"), get("https://docs.example/guide")],
    prompts: 0,
  },
  {
    says: "look up boiler pressure and compare it with my notes",
    asks: [read("a.txt"), search("boiler pressure"), get("https://docs.example/guide"), get("https://notes.example/a")],
    prompts: 0,
  },
  { says: "write a shopping list", asks: [write("list.txt")], prompts: 1 },
  {
    says: "fix the spelling in my notes",
    asks: [
      read("a.txt"),
      ["edit_file", { path: "a.txt", old: "boiler", new: "Boiler" }],
      ["edit_file", { path: "a.txt", old: "is warm", new: "was warm" }],
    ],
    prompts: 1,
  },
  { says: "sort my list", asks: [change("sort a.txt > sorted.txt")], prompts: 1 },
  {
    says: "make a folder for each year",
    asks: [change("mkdir 2024 2025"), change("mv b.txt 2024/"), change("ls -R > index")],
    prompts: 1,
  },
  {
    says: "write a program that prints hello, and run it",
    asks: [write("hello.sh", "echo hello"), run("sh", "hello.sh")],
    prompts: 1,
  },
  {
    says: "write a test for it and run both",
    asks: [
      write("t.sh", "true"),
      run("sh", "t.sh"),
      ["edit_file", { path: "t.sh", old: "true", new: "test 1 = 1" }],
      run("sh", "t.sh"),
    ],
    prompts: 1,
  },
  {
    says: "save a summary of https://blog.example/post",
    asks: [get("https://blog.example/post"), write("post.md")],
    prompts: 1,
  },
  {
    says: "look up how to make a Makefile and make one",
    asks: [search("makefile"), get("https://docs.example/guide"), write("Makefile"), run("cat", "Makefile")],
    prompts: 1,
  },
  {
    says: "how many issues are open?",
    asks: [["http_request", { url: "https://api.github.example/issues", credential: "github" }]],
    prompts: 1,
  },
  {
    says: "open an issue about the boiler",
    asks: [
      ["http_request", { url: "https://api.github.example/issues", method: "POST", body: "{}", credential: "github" }],
    ],
    prompts: 1,
  },
  {
    says: "send that to me on the page",
    asks: [read("a.txt"), ["send_message", { to: "me", text: "the notes" }]],
    prompts: 1,
  },
  { says: "tell Bob that I am late", asks: [["send_message", { to: "Bob", text: "Ada is late" }]], prompts: 1 },
  { says: "put the list where all can see it", asks: [write("shared/list.txt")], prompts: 1 },
  {
    says: "research three articles, keep notes of them, tidy my folder",
    asks: [
      search("articles"),
      get("https://docs.example/guide"),
      get("https://notes.example/a"),
      get("https://news.example/today"),
      write("n.md"),
      change("mkdir -p old; mv b.txt old/"),
      read("a.txt"),
      write("n2.md"),
      get("https://elsewhere.example/composed"),
      get("https://elsewhere.example/more"),
    ],
    prompts: 3,
  },
];

const counts: number[] = [];

test.for(TASKS)("$says: asked $prompts times", async ({ says, asks, prompts }) => {
  const shared = join(world.home, "workspaces", "honest-shared");
  mkdirSync(shared, { recursive: true });
  const folders = [{ name: "shared", path: shared, write: true, identity: identityOf(shared) ?? "" }];
  const ada = new Obedient(world, { answers: REMEMBERS, folders });
  ada.has("a.txt", "the boiler is warm\n");
  ada.has("b.txt", "nothing\n");
  ada.has("c.json", "{}\n");
  world.web.answers.splice(0);
  for (let at = 0; at < 12; at++) world.web.answers.push({ state: "answered", status: 200, text: FOUND });
  ada.types(says);
  const answers = await ada.asks(...asks);
  expect(answers.map(({ outcome, text }) => [outcome, text]).filter(([outcome]) => outcome !== "done")).toEqual([]);
  expect(ada.cards).toBe(prompts);
  counts.push(ada.cards);
});

test("thirty of them have a median of no prompt, a mean of at most one and a half, and five at worst", () => {
  const sorted = counts.toSorted((a, b) => a - b);
  expect(sorted).toHaveLength(30);
  expect(((sorted[14] ?? 9) + (sorted[15] ?? 9)) / 2).toBe(0);
  expect(sorted.reduce((sum, one) => sum + one, 0) / 30).toBeLessThanOrEqual(1.5);
  expect(sorted.at(-1)).toBeLessThanOrEqual(5);
});
