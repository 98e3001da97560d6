import { expect, test } from "vitest";
import { egressText, processOf } from "../../src/cli/commands/egress-show.ts";
import { egressRowsAsTheyCome } from "../../src/cli/egress-row.ts";
import type { RowView } from "../../src/ipc/audit-calls.ts";
import type { AnswerTo } from "../../src/ipc/operator.ts";

function row(kind: string, fields: RowView["fields"], content: RowView["content"] = {}): RowView {
  return { seq: 12, at: "2026-11-28T14:03:00.000Z", kind, cause: 9, fields, content };
}

const slack = { role: "adapter", subject: "slack" };

test("every host is a line: who asked, what became of it, where it is and why", () => {
  const text = egressRowsAsTheyCome(false).lines([
    row("egress.reached", { ...slack, host: "*.slack.com", port: 443, source: "channel" }, { host: "wss.slack.com" }),
    row("egress.refused", { ...slack, port: 8443, reason: "unlisted", times: 3 }, { host: "evil.example" }),
    row("egress.refused", { ...slack, port: 443, reason: "unreachable", times: 1 }, { host: "slack.com" }),
    row("egress.refused", { ...slack, port: 80, reason: "literal", times: 1 }, { host: "2001:db8::1" }),
    row("egress.flood", { ...slack, what: "refused", times: 900 }),
    row("egress.reached", { role: "anchor", subject: "w", host: null, port: 443, source: "anchor" }, { host: null }),
  ]);
  const lines = text.split("\n").map((line) => line.replace(/^#12 +\S+ \S+ +/, "").replaceAll(/ {2,}/g, " | "));
  expect(lines.slice(1)).toEqual([
    "adapter:slack | reached | wss.slack.com:443 | shipped with the channel",
    "adapter:slack | refused 3 × | evil.example:8443 | it is not on the list of this process",
    "adapter:slack | not reached | slack.com:443 | it does not answer",
    "adapter:slack | refused | [2001:db8::1]:80 | an address, and the list of this process has none",
    "adapter:slack | more 900 × | - | more than are told one by one",
    "anchor:w | reached | [erased or locked]:443 | it is the anchor's address",
  ]);
});

test("a host that a hostile process made up does nothing to the terminal", () => {
  const hostile = row(
    "egress.refused",
    { ...slack, port: null, reason: "malformed", times: 1 },
    { host: "\u001b]0;owned\u0007\nfoo\u202e" },
  );
  for (const line of [egressRowsAsTheyCome(true).line(hostile), egressRowsAsTheyCome(false).lines([hostile])])
    expect(line.replaceAll("\n", "")).not.toMatch(/\p{C}/u);
  expect(egressRowsAsTheyCome(true).line(hostile)).not.toContain("\n");
});

const answer: AnswerTo<"egress.show"> = {
  proxy: { place: "proxy.example:3128", from: "network.proxy in config.json", credential: true },
  processes: [
    {
      process: "adapter:slack",
      running: true,
      entries: [
        { to: "slack.com:443", tls: true, private: false, from: "shipped with channel slack" },
        { to: "*.slack.com:443", tls: true, private: false, from: "shipped with channel slack" },
      ],
    },
    {
      process: "model:gpu",
      running: false,
      entries: [{ to: "gpu.lan:8080", tls: false, private: true, from: "providers.gpu.baseUrl in config.json" }],
    },
    { process: "adapter:matrix", running: false, entries: [] },
  ],
};

test("a list says how each entry may be reached and where it comes from", () => {
  expect(egressText(answer)).toBe(
    [
      "all but this machine's own is reached through the proxy proxy.example:3128 (network.proxy in config.json), with its credential from the vault",
      "",
      "adapter:slack",
      "  to               how               where                  from",
      "  slack.com:443    TLS to this host  public addresses only  shipped with channel slack",
      "  *.slack.com:443  TLS to this host  public addresses only  shipped with channel slack",
      "",
      "model:gpu (not running)",
      "  to            how          where                   from",
      "  gpu.lan:8080  as it likes  also private addresses  providers.gpu.baseUrl in config.json",
      "",
      "adapter:matrix (not running)",
      "  nothing: no address is known",
    ].join("\n"),
  );
  expect(egressText({ proxy: null, processes: [] })).toContain("nothing may reach anything");
});

test.for(["slack", "agent:default", "adapter:", "Adapter:slack", "adapter:\u001b[31m"])(
  "a word that names no process that reaches anything is refused: %j",
  (word) => {
    expect(() => processOf(word)).toThrow("is no process that reaches anything");
    expect(processOf("adapter:slack:acme")).toBe("adapter:slack:acme");
    expect(processOf(undefined)).toBeNull();
  },
);
