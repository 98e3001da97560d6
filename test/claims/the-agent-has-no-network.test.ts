import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod/mini";
import { ADDON, attackFreely, filesBelow, notRefused } from "../support/attack.ts";
import { HostileDaemon, Scratch } from "../support/hostile-daemon.ts";
import { Report, type Targets } from "../support/probes/attempts.ts";

const Asked = z.object({ end: z.string(), text: z.string().check(z.trim()) });
const Status = z.object({ web: z.string(), processes: z.array(z.object({ role: z.string(), pid: z.int() })) });

/** The operator's own: proxies are how a network is reached too. */
const ENVIRONMENT = { HTTPS_PROXY: "http://127.0.0.1:9", OPENAI_API_KEY: "operators-own-canary" };
/** Patience with a turn that reports: the attempts take a second or two. */
const REPORTED_MS = 30_000;

const scratch = new Scratch();
let hostile: HostileDaemon;
let targets: Targets;

beforeAll(async () => {
  hostile = await HostileDaemon.start({ environment: ENVIRONMENT });
  const { data } = hostile.daemon;
  targets = {
    files: [...["vault.db", "audit.db", "control.token"].map((name) => join(data, name)), "/etc/passwd"],
    folder: scratch.path,
    sockets: [join(data, "control.sock")],
    processes: [hostile.daemon.pid, hostile.orders.began.at(-1)?.pid ?? 0],
    addon: ADDON,
    port: hostile.orders.port,
  };
}, 180_000);

afterAll(async () => {
  await hostile?.[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

async function ask(text: string): Promise<z.infer<typeof Asked>> {
  return Asked.parse(await hostile.daemon.json("ask", text));
}

/** What the agent of the terminal's session can do. */
async function fromTheAgent(): Promise<Report> {
  expect(await ask(`try ${JSON.stringify(targets)}`)).toEqual(expect.objectContaining({ text: "trying" }));
  const until = Date.now() + REPORTED_MS;
  for (;;) {
    const { text } = await ask("report");
    if (text !== "") return Report.parse(JSON.parse(text));
    if (Date.now() > until) throw new Error("the agent does not report");
    await new Promise((done) => setTimeout(done, 100));
  }
}

async function fromThePage(): Promise<Report> {
  const { web } = Status.parse(await hostile.daemon.json("status"));
  const answer = await fetch(`${web}/try?${encodeURIComponent(JSON.stringify(targets))}`);
  return Report.parse(await answer.json());
}

test("code in a process that nothing holds reaches networks, files and processes, so the attempts tell", async () => {
  using folder = new Scratch();
  const free = await attackFreely({ ...targets, folder: folder.path });
  const failed = Object.entries({ ...free.reach, ...free.network }).filter(([, answer]) => answer !== "done");
  // A machine may have no IPv6.
  expect(failed.filter(([name]) => !name.includes("::1") && !name.includes("udp6"))).toEqual([]);
  expect(Object.keys(free.network)).toHaveLength(14);
});

describe.for([
  ["agent", fromTheAgent],
  ["web", fromThePage],
] as const)("code in the executable's %s process", ([role, from]) => {
  test("opens no socket of any kind, resolves no name, reads no file, starts nothing, signals nobody", async () => {
    const report = await from();
    expect(notRefused(report.network)).toEqual([]);
    expect(Object.keys(report.network)).toHaveLength(14);
    expect(notRefused(report.reach)).toEqual([]);
    expect(Object.keys(report.reach).length).toBeGreaterThan(70);
    expect(readdirSync(scratch.path)).toEqual([]);

    const files = filesBelow(hostile.daemon.data);
    for (const { file, kind } of report.descriptors) {
      expect(["file", "folder", "disk"]).not.toContain(kind);
      expect(files.get(file)).toBeUndefined();
    }
    // Its pipe, its output twice, and for the page the lane to ingress.
    const sockets = report.descriptors.filter(({ kind }) => kind === "socket").map(({ fd }) => fd);
    expect(sockets).toEqual(role === "web" ? [1, 2, 3, 4] : [1, 2, 3]);
    expect(Object.keys(report.environment).toSorted()).toEqual(["LANG", "NODE_OPTIONS"]);
    expect(report.words[2]).toBe(role);
  });
});

test("the agent goes on to serve its session", async () => {
  expect(await ask("hello")).toMatchObject({ end: "done" });
  const { processes } = Status.parse(await hostile.daemon.json("status"));
  expect(processes.map(({ role }) => role)).toEqual(expect.arrayContaining(["agent", "web", "ingress"]));
});
