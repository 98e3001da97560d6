import { chmodSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { setInText } from "../../src/config/edit.ts";
import { ensureHome, homeFrom } from "../../src/config/home.ts";
import { loadConfig, parseConfig } from "../../src/config/load.ts";

const here = (): string => mkdtempSync(join(tmpdir(), "wirken-config-"));

test("a missing file is an answer of its own, with every default", () => {
  const loaded = loadConfig(join(here(), "config.json"));
  expect(loaded).toMatchObject({ state: "missing", config: { web: { port: 7717 } } });
});

test("a file behind a symbolic link is not followed", () => {
  const folder = here();
  writeFileSync(join(folder, "real.json"), "{}");
  symlinkSync(join(folder, "real.json"), join(folder, "config.json"));
  expect(loadConfig(join(folder, "config.json"))).toMatchObject({
    state: "unreadable",
    sentence: expect.stringContaining("symbolic link"),
  });
});

test.for([
  ['{ "chanels": {} }', "chanels is not a setting: did you mean channels?"],
  ['{ "agents": { "default": { "modle": "x/y" } } }', "agents.default.modle is not a setting: did you mean model?"],
  ['{ "web": { "zebra": 1 } }', "web.zebra is not a setting (known here: port, agent)"],
  ['{\n  "web": {,}\n}', "line 2"],
  ['{ "network": { "proxi": "http://a" } }', "network.proxi is not a setting: did you mean proxy?"],
  ['{ "network": { "proxy": "proxy.example:3128" } }', "write http://HOST:PORT, or https://HOST:PORT"],
  ['{ "network": { "proxy": "http://user:pass@proxy.example:3128" } }', "do not stand here: wirken vault add proxy"],
  ['{ "network": { "proxy": "http://proxy.example:3128/way?x" } }', "a host and a port, and no path"],
  ['{ "network": { "ca": "company.pem" } }', "write the whole path, from / on"],
  ['{ "agents": { "default": { "model": "gpt" } } }', "write provider/model"],
  ['{ "channels": { "carrier-pigeon": {} } }', "a channel is one of telegram, slack,"],
] as const)("what is wrong is named: %s", ([text, says]) => {
  expect(parseConfig("config.json", text)).toMatchObject({ state: "invalid", sentence: expect.stringContaining(says) });
});

test("a value is set without losing a comment", () => {
  const text = '{\n  // the team\n  "web": { "port": 1 }\n}\n';
  const edited = setInText(text, ["channels", "slack", "enabled"], true);
  expect(edited).toContain("// the team");
  expect(parseConfig("config.json", edited)).toMatchObject({
    state: "loaded",
    config: { channels: { slack: { enabled: true } }, web: { port: 1 } },
  });
});

test("a data directory that others can enter is refused with the command that mends it", () => {
  const folder = here();
  const home = homeFrom({ WIRKEN_HOME: folder });
  ensureHome(home);
  chmodSync(folder, 0o755);
  expect(() => ensureHome(home)).toThrow(`chmod 700 ${folder}`);
});
