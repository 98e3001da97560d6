import { factsOfKeys } from "../../src/broker/action.ts";
import { Grants } from "../../src/broker/grants.ts";
import { type DecisionContext, rule } from "../../src/broker/policy.ts";
import type { ActionKey } from "../../src/broker/keys.ts";
import type { Figure } from "./figure.ts";

const GRANTS = 10_000;
const DECISIONS = 20_000;
const MOST_US = 50;

const host = (at: number): ActionKey => `exec:net:host-${at}.example`;

/** One decision about an action with three keys, among ten thousand grants, each call by itself. */
export async function decideFigures(): Promise<Figure[]> {
  let row = 0;
  const log = { append: () => Promise.resolve({ seq: row++, at: "", hash: "" }), row: () => null };
  const clock = { now: () => 0, monotonic: () => 0 };
  // A log that keeps nothing: what is measured is the decision.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const grants = new Grants(log as unknown as ConstructorParameters<typeof Grants>[0], clock, []);
  for (let at = 0; at < GRANTS; at++)
    await grants.add(
      { key: host(at), agent: "default", principal: "p", channel: "terminal", until: 1, uses: null },
      { by: "p", via: "terminal" },
    );
  const context: DecisionContext = {
    agent: "default",
    principal: "p",
    role: "owner",
    channel: "terminal",
    session: "s",
    talk: "direct",
    now: 0,
    grants,
    rules: [{ effect: "deny", key: "http:*.example.com" }],
    sandbox: "works",
    labels: { untrusted: true, private: false },
    exemption: null,
    deniedBefore: false,
    denials: 0,
    stopped: false,
  };
  const took: number[] = [];
  for (let at = 0; at < DECISIONS; at++) {
    const keys = [host(at % GRANTS), host((at + 1) % GRANTS), host((at + 2) % GRANTS)] as const;
    const facts = factsOfKeys(keys, {
      leaves: { by: "request", hosts: [] },
      brings: { untrusted: true, private: "nothing" },
    });
    const begun = performance.now();
    const decision = rule(facts, context);
    took.push((performance.now() - begun) * 1000);
    if (decision.verdict !== "allow") throw new Error(decision.reason);
  }
  const p99 = took.toSorted((a, b) => a - b)[Math.floor(DECISIONS * 0.99)] ?? Number.NaN;
  return [
    {
      what: `a decision among ${GRANTS} grants, p99 of ${DECISIONS}`,
      measured: `${p99.toFixed(1)} µs`,
      budget: `≤ ${MOST_US} µs`,
      met: p99 <= MOST_US,
    },
  ];
}
