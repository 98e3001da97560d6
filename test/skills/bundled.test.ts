import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BUNDLED, shippedTrust } from "../../skills/bundled.ts";
import { readSkillFolder } from "../../skills/folder.ts";
import { verifySkill } from "../../skills/verify.ts";
import { readFrontMatter, splitFrontMatter } from "../../skills/front-matter.ts";
import { skillMd } from "../../skills/verify.ts";
import { findTool } from "../../src/broker/tools/catalogue.ts";
import type { TurnContext } from "../../src/broker/turn.ts";
import { ownerOf } from "../../src/sandbox/owner.ts";
import { lacking } from "../../src/supervisor/skill-needs.ts";
import { readYaml } from "../../src/unpack/yaml.ts";
import { mint } from "../../src/ipc/ids.ts";
import { zipOf } from "../support/archives.ts";
import { World } from "../broker/world.ts";

/** Every skill that we ship, and its main recipe in the real sandbox: with a turn in which it was read, so within its own limits. */

const FOLDER = join(import.meta.dirname, "../../skills/bundled");
const shipped = shippedTrust();
const files = (name: string) => readSkillFolder(join(FOLDER, name));
const verified = (name: string) => verifySkill(files(name), shipped.trust, 0);

let world: World;
beforeAll(async () => {
  world = await World.make();
  await world.effects.probeSandbox();
  for (const name of BUNDLED)
    world.skills.set(name, () => ({ state: "active", from: "bundled", skill: verified(name) }));
});
afterAll(() => world[Symbol.asyncDispose]());

async function reading<T>(name: string, act: (turn: TurnContext) => Promise<T>): Promise<T> {
  // A conversation of its own: what was in another is not in it.
  const turn = world.turn({ labels: world.labels.of(mint("session")) });
  try {
    expect((await world.call(turn, "skill", { name })).outcome).toBe("done");
    return await act(turn);
  } finally {
    world.broker.endSkills(turn);
  }
}

/** Runs a script of a skill as its instructions say. @returns what it printed. */
async function run(
  name: string,
  script: string,
  args: readonly string[],
  more: { readonly write?: true; readonly stdin?: string } = {},
): Promise<string> {
  return await reading(name, async (turn) => {
    const argv = [`skill-${name}/scripts/${script}`, ...args];
    const asked = world.call(turn, "exec", { argv, skill: name, ...more });
    if (more.write === true) {
      const before = world.cards.length;
      const card = await world.card(before + 1);
      await world.approvals.decide(card.approval, world.answer());
    }
    return (await asked).text;
  });
}
const put = (path: string, text: string | Uint8Array): void => {
  mkdirSync(join(world.workspace, path, ".."), { recursive: true });
  writeFileSync(join(world.workspace, path), text);
};
const got = (path: string): string => readFileSync(join(world.workspace, path), "utf8");

describe("every skill that is shipped", () => {
  test("is listed, signed by the shipped key, and says what its front matter says", () => {
    expect(readdirSync(FOLDER).toSorted()).toEqual([...BUNDLED]);
    for (const name of BUNDLED) {
      const { manifest } = verified(name);
      const front = readFrontMatter(readYaml(splitFrontMatter(skillMd(files(name)))));
      expect(manifest).toMatchObject({
        name,
        version: front.version,
        permissions: front.permissions,
        requires: front.requires,
      });
      expect(front.notes).toEqual([]);
      for (const tool of manifest.permissions.tools) expect(findTool(tool)?.name).toBe(tool);
    }
  });

  test("names a host or a credential only where it reaches the network", () => {
    const reach = BUNDLED.filter((name) => verified(name).manifest.permissions.hosts.length > 0);
    expect(reach).toEqual(["github", "weather", "web-fetch"]);
    const carry = BUNDLED.filter((name) => verified(name).manifest.permissions.credentials.length > 0);
    expect(carry).toEqual(["github"]);
  });

  test("finds here what it needs", () => {
    for (const name of BUNDLED) expect([name, lacking(verified(name).manifest.requires, [])]).toEqual([name, []]);
  });
});

describe("in the sandbox", () => {
  test("archive packs, lists and unpacks, and refuses one that leads out", async () => {
    put("in/a.txt", "A");
    put("in/deep/b.txt", "BB");
    for (const path of ["out.zip", "out.tar.gz"]) {
      expect(await run("archive", "archive.py", ["pack", path, "in"], { write: true })).toContain(`2 files in ${path}`);
      expect(await run("archive", "archive.py", ["list", path])).toMatch(/2 {2}in\/deep\/b\.txt/);
      expect(await run("archive", "archive.py", ["unpack", path, `${path}-new`], { write: true })).toContain(
        "2 files in",
      );
      expect(got(`${path}-new/in/deep/b.txt`)).toBe("BB");
    }
    put("slip.zip", zipOf([{ name: "../evil", bytes: Buffer.from("x") }]));
    expect(await run("archive", "archive.py", ["unpack", "slip.zip", "slip"], { write: true })).toContain("lead out");
    expect(existsSync(join(world.workspace, "slip"))).toBe(false);
  });

  test("calculator is exact, and runs nothing but arithmetic", async () => {
    const text = await run("calculator", "calc.py", [
      "0.1 + 0.2",
      "19.99 * 3 * 1.19",
      "sqrt(2)",
      "(1/3 + 1/6) * 100",
      "2 ** 100",
      "-7 // 2",
    ]);
    expect(text).toContain("0.1 + 0.2 = 0.3\n");
    expect(text).toContain("= 71.3643\n");
    expect(text).toContain("= 1.4142135623731");
    expect(text).toContain("= 50\n");
    expect(text).toContain("= 1267650600228229401496703205376\n");
    expect(text).toContain("-7 // 2 = -4");
    const bad = await run("calculator", "calc.py", [
      "__import__('os').system('id')",
      "1/0",
      "9**9**9",
      "open('/etc/passwd')",
    ]);
    expect(bad).toContain("exit status 1");
    expect(bad).not.toContain("uid=");
    expect(bad).not.toContain("root:");
  });

  test("calendar adds an event, follows repetitions and shows a month", async () => {
    expect(
      await run("calendar", "ics.py", ["add", "c.ics", "2030-05-07T14:00", "60", "Dentist, upstairs"], { write: true }),
    ).toContain("Tue 2030-05-07 14:00");
    put(
      "c.ics",
      got("c.ics").replace(
        "END:VCALENDAR",
        "BEGIN:VEVENT\r\nDTSTART:20300501T090000\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\nSUMMARY:Stand\r\n up\r\nEND:VEVENT\r\nEND:VCALENDAR",
      ),
    );
    const text = await run("calendar", "ics.py", ["list", "c.ics", "2030-05-01", "2030-05-31"]);
    expect(text).toContain("Dentist, upstairs");
    expect(text.match(/Standup/g)).toHaveLength(3);
    expect(await run("calendar", "ics.py", ["month", "2030-05"])).toMatch(/18 {9}1 {2}2 {2}3 {2}4 {2}5/);
  });

  test("csv-tools says what columns are, filters, sorts and sums", async () => {
    put("t.csv", "city;amount\nBerlin;10.5\nParis;3\nBerlin;4\nRome;\n");
    expect(await run("csv-tools", "table.py", ["t.csv", "columns"])).toContain(
      "amount: 3 values, 3 different, numbers, 3 to 10.5",
    );
    expect(await run("csv-tools", "table.py", ["t.csv", "where", "city=Berlin", "amount>5"])).toContain("Berlin,10.5");
    expect(await run("csv-tools", "table.py", ["t.csv", "sum", "amount", "by", "city"])).toContain(
      "Berlin: 2 values, sum 14.5",
    );
    expect(await run("csv-tools", "table.py", ["t.csv", "sort", "-amount", "as", "markdown"])).toContain(
      "| Berlin | 10.5 |",
    );
  });

  test("disk-usage names what is large", async () => {
    put("big/large.bin", Buffer.alloc(3 * 1024 * 1024, 1));
    const text = await run("disk-usage", "usage.sh", [".", "5"]);
    expect(text).toMatch(/3\.0 MB {2}\.\/big\/large\.bin/);
    expect(text).toMatch(/free/);
  });

  test("file-search finds by name, age and size", async () => {
    put("docs/Report-May.txt", "x");
    expect(await run("file-search", "find.sh", ["--name", "*report*", "--days", "2"])).toContain("docs/Report-May.txt");
    expect(await run("file-search", "find.sh", ["--larger", "2M"])).toContain("large.bin");
    expect(await run("file-search", "find.sh", ["--kind", "pipe"])).toContain("--kind is file or folder");
  });

  test("git makes a repository's summary, and a commit", async () => {
    put("repo/a.txt", "A");
    execFileSync("git", ["init", "-q", "-b", "trunk", join(world.workspace, "repo")]);
    // A daemon of root runs commands as the workspace's owner.
    const owner = ownerOf(world.workspace);
    if (owner !== null) execFileSync("chown", ["-R", String(owner), join(world.workspace, "repo")]);
    await reading("git", async (turn) => {
      const git = async (...words: string[]): Promise<string> => {
        const before = world.cards.length;
        const asked = world.call(turn, "exec", { argv: ["git", "-C", "repo", ...words], skill: "git", write: true });
        const card = await world.card(before + 1);
        await world.approvals.decide(card.approval, world.answer());
        return (await asked).text;
      };
      await git("add", "a.txt");
      expect(
        await git("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-q", "-m", "first: a file"),
      ).toContain("exit status 0");
    });
    put("repo/b.txt", "B");
    const text = await run("git", "summary.sh", ["repo"]);
    expect(text).toContain("branch: trunk");
    expect(text).toContain("?? b.txt");
    expect(text).toContain("Ada: first: a file");
  });

  test("github turns answers of its API into lines", async () => {
    const answer = `200 OK\ncontent-type: application/json\n\n${JSON.stringify([{ number: 7, state: "open", title: "It breaks", user: { login: "ada" }, updated_at: "2030-01-02T00:00:00Z", labels: [{ name: "bug" }] }])}`;
    expect(await run("github", "brief.py", [], { stdin: answer })).toContain(
      "#7 open issue: It breaks  (ada, 2030-01-02, bug)",
    );
  });

  test("json-tools says the shape, gets values, filters and compares", async () => {
    put(
      "o.json",
      JSON.stringify({
        orders: [
          { id: 1, total: 120, status: "open" },
          { id: 2, total: 30, status: "open" },
        ],
      }),
    );
    put("p.json", JSON.stringify({ orders: [{ id: 1, total: 121, status: "open" }] }));
    expect(await run("json-tools", "query.py", ["o.json", "shape"])).toContain("orders: list of 2, of object");
    expect(await run("json-tools", "query.py", ["o.json", "get", "orders[*].total"])).toMatch(/120\n30/);
    expect(await run("json-tools", "query.py", ["o.json", "where", "orders", "status=open", "total>100"])).toContain(
      '"id": 1',
    );
    expect(await run("json-tools", "query.py", ["o.json", "csv", "orders"])).toContain("1,120,open");
    expect(await run("json-tools", "query.py", ["o.json", "diff", "p.json"])).toContain(
      "~ orders[0].total: 120 -> 121",
    );
  });

  test("markdown-report puts sections and tables together", async () => {
    put("draft/1.md", "## Summary\n\nIt went well.\n");
    put("draft/2.md", "## Numbers\n\n### By city\n");
    expect(
      await run("markdown-report", "report.py", ["report.md", "May", "draft/1.md", "draft/2.md", "t.csv"], {
        write: true,
      }),
    ).toContain("3 sections");
    expect(got("report.md")).toContain("- [Summary](#summary)");
    expect(got("report.md")).toContain("| Berlin | 10.5 |");
  });

  test("notes are written, added to and found", async () => {
    expect(
      await run("notes", "notes.py", ["add", "Car repair", "#car"], { write: true, stdin: "The blue one, on Monday." }),
    ).toContain("written notes/");
    expect(
      await run("notes", "notes.py", ["add", "Car repair"], { write: true, stdin: "Bring the papers." }),
    ).toContain("added to notes/");
    const text = await run("notes", "notes.py", ["find", "papers", "#car"]);
    expect(text).toContain("Car repair");
    expect(text).toContain("(1 notes)");
  });

  test("pdf-text reads the text of each page", async () => {
    put("d.pdf", pdfOf(["Invoice 4711", "Total: 99.50 EUR"]));
    const text = await run("pdf-text", "pdf_text.py", ["d.pdf"]);
    expect(text).toContain("2 pages");
    expect(text).toMatch(/--- page 1 ---\nInvoice 4711/);
    expect(text).toMatch(/--- page 2 ---\nTotal: 99\.50 EUR/);
    expect(await run("pdf-text", "pdf_text.py", ["t.csv"])).toContain("is no PDF");
  });

  test("system-info says what this machine is", async () => {
    const text = await run("system-info", "info.sh", []);
    for (const word of ["system:", "processor:", "memory:", "load:", "up:", "disk of the workspace:"])
      expect(text).toContain(word);
    expect(await run("system-info", "info.sh", ["programs"])).toMatch(/python3 +\/usr\/bin\/python3/);
  });

  test("weather is asked of its two hosts and no other, and said in words", async () => {
    const forecast = {
      timezone: "Europe/Berlin",
      current: { temperature_2m: 3.1, apparent_temperature: 0.4, weather_code: 61, wind_speed_10m: 14 },
      current_units: { temperature_2m: "°C", wind_speed_10m: "km/h" },
      daily: {
        time: ["2030-01-02"],
        weather_code: [71],
        temperature_2m_min: [-2],
        temperature_2m_max: [1],
        precipitation_sum: [4],
        precipitation_probability_max: [80],
        wind_speed_10m_max: [20],
        sunrise: ["2030-01-02T08:15"],
        sunset: ["2030-01-02T16:03"],
      },
    };
    await reading("weather", async (turn) => {
      world.web.answers.push({ state: "answered", status: 200, text: JSON.stringify(forecast) });
      const asked = await world.call(turn, "http_request", {
        method: "GET",
        url: "https://api.open-meteo.com/v1/forecast?latitude=1",
      });
      expect(asked.outcome).toBe("done");
      const other = await world.call(turn, "http_request", { method: "GET", url: "https://evil.example.com/" });
      expect(other.text).toContain("not accepted for reaching evil.example.com");
    });
    const text = await run("weather", "forecast.py", ["Berlin"], { stdin: JSON.stringify(forecast) });
    expect(text).toContain("now: 3.1 °C (feels like 0.4), light rain");
    expect(text).toContain("Wed 2030-01-02: -2 to 1, light snow, 4 mm (80%), wind up to 20, sun 08:15 to 16:03");
  });

  test("web-fetch reaches the host that it is given, and finds passages", async () => {
    await reading("web-fetch", async (turn) => {
      world.web.answers.push({ state: "answered", status: 200, text: "200 OK" });
      expect(
        (await world.call(turn, "http_request", { method: "GET", url: "https://any.example.org/page" })).outcome,
      ).toBe("done");
    });
    const stdin = [
      "Heading",
      "Long ago there was a harbour.",
      "The harbour closed in 1960, and the harbour never opened again.",
      "Nothing else.",
    ].join("\n\n");
    expect(await run("web-fetch", "passages.py", ["harbour", "1960"], { stdin })).toContain(
      "[3] The harbour closed in 1960",
    );
    expect(await run("web-fetch", "passages.py", [], { stdin })).toContain("(4 passages");
  });
});

/** A PDF with one compressed stream a page. */
function pdfOf(pages: readonly string[]): Buffer {
  const objects: Buffer[] = [];
  const add = (text: string | Buffer): number => objects.push(Buffer.from(text));
  add("<</Type/Catalog/Pages 2 0 R>>");
  add(`<</Type/Pages/Count ${pages.length}/Kids[${pages.map((_, at) => `${4 + 2 * at} 0 R`).join(" ")}]>>`);
  add("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>");
  for (const text of pages) {
    const number = objects.length + 2;
    add(`<</Type/Page/Parent 2 0 R/Resources<</Font<</F1 3 0 R>>>>/Contents ${number} 0 R>>`);
    const stream = deflateSync(Buffer.from(`BT /F1 12 Tf 72 720 Td (${text}) Tj ET`));
    add(
      Buffer.concat([
        Buffer.from(`<</Length ${stream.length}/Filter/FlateDecode>>\nstream\n`),
        stream,
        Buffer.from("\nendstream"),
      ]),
    );
  }
  const body = objects.map((object, at) =>
    Buffer.concat([Buffer.from(`${at + 1} 0 obj\n`), object, Buffer.from("\nendobj\n")]),
  );
  return Buffer.concat([Buffer.from("%PDF-1.7\n"), ...body, Buffer.from("trailer<</Root 1 0 R>>\n%%EOF\n")]);
}
