import { expect, test } from "vitest";
import { networkNow, routes, Wakefulness, type Woken } from "../../src/supervisor/wakefulness.ts";

function machine() {
  const now = { wall: 1_700_000_000_000, monotonic: 5_000, network: "eth0 10.0.0.2/24" };
  const woke: Woken[] = [];
  const watch = new Wakefulness({
    wall: () => now.wall,
    monotonic: () => now.monotonic,
    network: () => now.network,
    woke: (how) => woke.push(how),
  });
  /** @param ms as the machine counts them. @param slept as it does not. */
  const pass = (ms: number, slept = 0): void => {
    now.monotonic += ms;
    now.wall += ms + slept;
    watch.look();
  };
  return { now, woke, pass };
}

test("time that passes awake wakes nothing, however late it is looked at", () => {
  const { woke, pass } = machine();
  pass(5_000);
  pass(600_000);
  pass(5_000, 29_000);
  expect(woke).toEqual([]);
});

test("a machine that slept is noticed once", () => {
  const { woke, pass } = machine();
  pass(5_000, 31_000);
  pass(5_000);
  pass(5_000, 8 * 3_600_000);
  expect(woke).toEqual(["slept", "slept"]);
});

test("so is another network, and one that is gone and comes back", () => {
  const { now, woke, pass } = machine();
  now.network = "wlan0 192.168.1.7/24";
  pass(5_000);
  pass(5_000);
  now.network = "";
  pass(5_000);
  expect(woke).toEqual(["network", "network"]);
});

const table = (gateway: string, used: number): string =>
  [
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
    `eth0\t00000000\t${gateway}\t0003\t0\t${used}\t100\t00000000\t0\t0\t0`,
    "",
  ].join("\n");

test("routes are the same however often they were used, and others with another gateway", () => {
  expect(routes(table("0100000A", 1))).toBe(routes(table("0100000A", 7)));
  expect(routes(table("0100000A", 1))).not.toBe(routes(table("0101A8C0", 1)));
  expect(networkNow()).toBe(networkNow());
});
