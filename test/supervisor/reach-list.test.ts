import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { AdapterChannel, PLATFORMS } from "../../src/ipc/channel.ts";
import { LaneEntry } from "../../src/ipc/egress-frames.ts";
import { addressOnLane, LOCAL_SOCKET_HOST } from "../../src/ipc/local-socket.ts";
import { KNOWN_PROVIDERS } from "../../src/ipc/provider.ts";
import type { ProviderSettings } from "../../src/supervisor/model-choice.ts";
import {
  anchorReach,
  channelReach,
  entryFor,
  providerReach,
  type Reach,
  shownEntry,
} from "../../src/supervisor/reach-list.ts";

const ADAPTERS = join(import.meta.dirname, "../../adapters");
const nothingSaid = (): null => null;

function channel(name: string): AdapterChannel {
  return AdapterChannel.parse(name);
}

function shown(reach: Reach): string[] {
  return reach.map(({ entry }) => shownEntry(entry));
}

function settings(provider: string, baseUrl: string | null, written: string | null = null): ProviderSettings {
  return { provider, api: "openai-compatible", baseUrl, written, needsKey: true };
}

function own(provider: string, written: string): ProviderSettings {
  return settings(provider, addressOnLane(written), written);
}

describe("an adapter reaches its platform", () => {
  test.for([
    ["telegram", ["api.telegram.org:443"]],
    ["slack", ["slack.com:443", "*.slack.com:443"]],
    ["slack:acme", ["slack.com:443", "*.slack.com:443"]],
    ["discord", ["discord.com:443", "*.discord.gg:443", "cdn.discordapp.com:443"]],
    ["teams", ["login.microsoftonline.com:443"]],
    ["whatsapp", ["graph.facebook.com:443"]],
    ["google-chat", ["oauth2.googleapis.com:443", "chat.googleapis.com:443", "pubsub.googleapis.com:443"]],
  ] as const)("as it is shipped: %s", ([name, hosts]) => {
    const reach = channelReach(channel(name), null, nothingSaid);
    expect(shown(reach)).toEqual(hosts);
    for (const { entry, source, from } of reach) {
      expect(entry).toMatchObject({ to: "host", tls: true, private: false });
      expect(source).toBe("channel");
      expect(from).toBe(`shipped with channel ${name.split(":")[0]}`);
    }
  });

  test.for([
    ["matrix", "homeserver", "https://matrix.example.org", "matrix.example.org:443", true],
    ["matrix:home", "homeserver", " http://localhost:8008/ ", "localhost:8008", false],
    ["imessage", "server", "http://100.100.1.2:1234", "100.100.1.2:1234", false],
    ["signal", "daemon", "127.0.0.1:7583", "127.0.0.1:7583", false],
    ["signal", "daemon", "localhost:7583", "localhost:7583", false],
  ] as const)("as its credentials say where it is: %s, %s %s", ([name, credential, value, place, tls]) => {
    const reach = channelReach(channel(name), null, (asked) => (asked === credential ? value : null));
    expect(shown(reach)).toEqual([place]);
    expect(reach[0]).toMatchObject({
      entry: { tls },
      source: "credential",
      from: `${credential} among the credentials of channel ${name}`,
    });
    expect(channelReach(channel(name), null, nothingSaid)).toEqual([]);
  });

  test("and nothing of it where the operator named another place", () => {
    for (const platform of PLATFORMS) {
      const reach = channelReach(channel(platform), "http://127.0.0.1:8081/bot", () => "https://elsewhere.example");
      expect(reach).toEqual([
        {
          entry: { to: "address", address: "127.0.0.1", port: 8081, tls: false },
          source: "config",
          from: `channels.${platform}.apiRoot in config.json`,
        },
      ]);
    }
  });

  test.for(PLATFORMS)("whatever its own code names: %s", (platform) => {
    const reach = channelReach(channel(platform), null, () => "https://own.example");
    const files = readdirSync(join(ADAPTERS, platform)).filter((file) => file.endsWith(".ts"));
    const code = files.map((file) => readFileSync(join(ADAPTERS, platform, file), "utf8")).join("\n");
    // Addresses in code; those in comments and in sentences for people are none that it connects to.
    const named = [...code.matchAll(/^(?!\s*(?:\/\/|\/?\*)).*?["`]https:\/\/([a-z0-9.-]+)(?=[/"`])/gm)]
      .map(([, host = ""]) => host)
      .filter((host) => !NAMES_OF_RIGHTS.has(host));
    for (const host of named) expect(entryFor(reach, host, 443), host).not.toBeNull();
  });
  /** They look like addresses, and only name what a token is good for. */
  const NAMES_OF_RIGHTS: ReadonlySet<string> = new Set(["www.googleapis.com", "api.botframework.com"]);
});

describe("a model process reaches its provider", () => {
  test("and each that is known has an entry of its own, the built-in one none", () => {
    const all = Object.entries(KNOWN_PROVIDERS).map(([provider, { api, baseUrl }]) => [
      provider,
      shown(providerReach({ ...settings(provider, baseUrl), api })),
    ]);
    expect(Object.fromEntries(all)).toEqual({
      anthropic: ["api.anthropic.com:443"],
      openai: ["api.openai.com:443"],
      openrouter: ["openrouter.ai:443"],
      google: ["generativelanguage.googleapis.com:443"],
      // What it has is said by another host than the one that answers.
      bedrock: ["bedrock-runtime.us-east-1.amazonaws.com:443", "bedrock.us-east-1.amazonaws.com:443"],
      mistral: ["api.mistral.ai:443"],
      // Where it is only its owner knows.
      azure: [],
      privatemode: ["127.0.0.1:8080"],
      ollama: ["127.0.0.1:11434"],
      offline: [],
    });
    expect(providerReach(settings("openai", KNOWN_PROVIDERS.openai.baseUrl))).toEqual([
      {
        entry: { to: "host", host: "api.openai.com", port: 443, tls: true, private: false },
        source: "provider",
        from: "shipped with provider openai",
      },
    ]);
  });

  test("or the endpoint that the operator wrote down, which may be a private one", () => {
    expect(providerReach(own("gpu", "http://gpu.lan:8080/v1"))).toEqual([
      {
        entry: { to: "host", host: "gpu.lan", port: 8080, tls: false, private: true },
        source: "config",
        from: "providers.gpu.baseUrl in config.json",
      },
    ]);
    expect(providerReach(own("openai", "https://[fd00::1]/v1"))).toMatchObject([
      { entry: { to: "address", address: "fd00::1", port: 443, tls: true } },
    ]);
  });

  test.for(["unix:/run/ollama.sock", "unix:/run/ollama.sock:/v1"])("or a socket of this machine: %s", (written) => {
    expect(providerReach(own("ollama", written))).toEqual([
      {
        entry: { to: "socket", name: LOCAL_SOCKET_HOST, path: "/run/ollama.sock" },
        source: "config",
        from: "providers.ollama.baseUrl in config.json",
      },
    ]);
    expect(new URL(own("ollama", written).baseUrl ?? "").hostname).toBe(LOCAL_SOCKET_HOST);
  });
});

test("signal-cli may listen on a socket of this machine", () => {
  const reach = channelReach(channel("signal"), null, () => "unix:/run/signal-cli.sock");
  expect(shown(reach)).toEqual([`/run/signal-cli.sock (as ${LOCAL_SOCKET_HOST}:80)`]);
  expect(shown(channelReach(channel("telegram"), "unix:/run/bot-api.sock", nothingSaid))).toEqual([
    `/run/bot-api.sock (as ${LOCAL_SOCKET_HOST}:80)`,
  ]);
});

test("the process of an anchor reaches its address and nothing else", () => {
  expect(anchorReach("witness", "https://witness.example.org/log")).toEqual([
    {
      entry: { to: "host", host: "witness.example.org", port: 443, tls: true, private: true },
      source: "anchor",
      from: "the address of anchor witness",
    },
  ]);
});

test.for(["", "nonsense", "http://", "https://a..b", "https://-x.example", "http://host:0", "file:///etc/passwd"])(
  "what names no host is on no list: %j",
  (address) => {
    expect(anchorReach("a", address)).toEqual([]);
  },
);

test.for([
  ["HTTPS://Matrix.Example.ORG.", "matrix.example.org:443"],
  ["https://127.1:9/", "127.0.0.1:9"],
  ["https://münchen.example", "xn--mnchen-3ya.example:443"],
] as const)("an address is on the list as it is looked up: %s", ([address, place]) => {
  const reach = anchorReach("a", address);
  expect(shown(reach)).toEqual([place]);
  for (const { entry } of reach) expect(LaneEntry.safeParse(entry).success).toBe(true);
});

describe("what was reached is explained by an entry", () => {
  const slack = channelReach(channel("slack"), null, nothingSaid);
  test.for([
    ["slack.com", 443, "slack.com:443"],
    ["wss-primary.slack.com", 443, "*.slack.com:443"],
    ["WSS.Slack.com.", 443, "*.slack.com:443"],
    ["slack.com", 80, null],
    ["evilslack.com", 443, null],
    ["slack.com.evil.example", 443, null],
    [".slack.com", 443, null],
  ] as const)("%s:%i", ([host, port, by]) => {
    const found = entryFor(slack, host, port);
    expect(found === null ? null : shownEntry(found.entry)).toBe(by);
  });

  test("also where an address is written in another way", () => {
    const reach = anchorReach("a", "http://[::1]:80");
    expect(entryFor(reach, "0:0:0:0:0:0:0:1", 80)).not.toBeNull();
    expect(entryFor(reach, "[::1]", 80)).not.toBeNull();
    expect(entryFor(reach, "::2", 80)).toBeNull();
    expect(shown(reach)).toEqual(["[::1]:80"]);
  });
});
