import { describe, expect, test } from "vitest";
import { allowed, DENIED, NEWER, UNKNOWN } from "../../src/confine/allowed.ts";
import { filterFor, localSocketsFilter, noRingsFilter } from "../../src/confine/filter.ts";
import { NEEDS, type Role } from "../../src/confine/role.ts";
import { knownCalls, type Machine, numberOf, type SystemCall } from "../../src/confine/syscalls.ts";
import { runFilter } from "../support/bpf.ts";

const ALLOW = 0x7fff_0000;
const REFUSE = 0x0005_0001;
const ABSENT = 0x0005_0026;
const ARCHITECTURE: Readonly<Record<Machine, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };
const OWN = { pid: 4242, ring: false };
const MACHINES = ["x64", "arm64"] as const;
const ROLES = [
  "adapter",
  "model",
  "anchor",
  "fetch",
  "unpack",
  "mcp",
  "agent",
  "web",
  "ingress",
  "keychain",
  "egress",
  "relay",
] as const satisfies Role[];
/** Beyond every number that either machine has. */
const NUMBERS = 700;

/** Decided by their arguments: for each, arguments that are let through to whom they are, and arguments that nobody may have. */
const BY_ARGUMENTS: Readonly<Partial<Record<SystemCall, { yes: readonly number[]; no: readonly number[] }>>> = {
  clone: { yes: [0x003d_0f00], no: [17] },
  kill: { yes: [4242, 6], no: [1, 6] },
  tgkill: { yes: [4242, 4243, 6], no: [1, 1, 6] },
  rt_sigqueueinfo: { yes: [4242, 6], no: [1, 6] },
  rt_tgsigqueueinfo: { yes: [4242, 4242, 6], no: [1, 1, 6] },
  prlimit64: { yes: [0, 7, 0], no: [0, 7, 4096] },
  prctl: { yes: [15], no: [1] },
  fcntl: { yes: [3, 4], no: [3, 8, 1] },
  ioctl: { yes: [3, 0x5421], no: [3, 0x5412] },
};

describe.for(MACHINES)("the filter for %s", (machine) => {
  const names = new Map(knownCalls().flatMap((name) => [[numberOf(machine, name) ?? -1, name] as const]));

  test.for(ROLES)("of %s lets through what its list names, and answers every other number with a refusal", (role) => {
    const list = new Set<SystemCall>(allowed(NEEDS[role]));
    const filter = filterFor(machine, NEEDS[role], OWN);
    const wrong: string[] = [];
    for (let number = 0; number < NUMBERS; number++) {
      const name = names.get(number);
      if (name !== undefined && (name in BY_ARGUMENTS || name === "socket")) continue;
      const wanted =
        name !== undefined && list.has(name)
          ? ALLOW
          : number >= NEWER || (name !== undefined && UNKNOWN.includes(name))
            ? ABSENT
            : REFUSE;
      const answer = runFilter(filter, ARCHITECTURE[machine], number, []);
      if (answer !== wanted) wrong.push(`${number} ${name ?? ""}: ${answer.toString(16)}`);
    }
    expect(wrong).toEqual([]);
    expect(list.size).toBeGreaterThan(60);
  });

  test.for(ROLES)("of %s decides by the arguments where a call could reach others", (role) => {
    const filter = filterFor(machine, NEEDS[role], OWN);
    for (const [name, { yes, no }] of Object.entries(BY_ARGUMENTS)) {
      const number = [...names].find(([, known]) => known === name)?.[0] ?? -1;
      const answers = [yes, no].map((words) => runFilter(filter, ARCHITECTURE[machine], number, words));
      expect([name, ...answers]).toEqual([name, ALLOW, REFUSE]);
    }
  });

  test("of egress makes local sockets only where it was started with a word for it", () => {
    const local = { ...NEEDS.egress, sockets: "internet and paths" } as const;
    const number = numberOf(machine, "socket") ?? -1;
    for (const [needs, ...wanted] of [
      [NEEDS.egress, REFUSE, ALLOW, REFUSE],
      [local, ALLOW, ALLOW, REFUSE],
    ] as const) {
      const filter = filterFor(machine, needs, OWN);
      const kinds = [
        [1, 1, 0],
        [2, 1, 0],
        [16, 3, 0],
      ];
      expect(kinds.map((words) => runFilter(filter, ARCHITECTURE[machine], number, words))).toEqual(wanted);
    }
  });

  test.for([
    ["egress", [REFUSE, ALLOW, ALLOW, ALLOW, REFUSE, REFUSE]],
    ["adapter", [REFUSE, REFUSE, REFUSE, REFUSE, REFUSE, REFUSE]],
    ["agent", [REFUSE, REFUSE, REFUSE, REFUSE, REFUSE, REFUSE]],
    ["ingress", [REFUSE, ALLOW, ALLOW, REFUSE, REFUSE, REFUSE]],
    ["keychain", [ALLOW, REFUSE, REFUSE, REFUSE, REFUSE, REFUSE]],
  ] as const)("of %s makes its sockets: local, TCP, TCP over IPv6, UDP, netlink, vsock", ([role, wanted]) => {
    const filter = filterFor(machine, NEEDS[role], OWN);
    const kinds = [
      [1, 1, 0],
      [2, 0x8_0801, 6],
      [10, 1, 0],
      [2, 2, 17],
      [16, 3, 0],
      [40, 1, 0],
    ];
    const number = numberOf(machine, "socket") ?? -1;
    expect(kinds.map((words) => runFilter(filter, ARCHITECTURE[machine], number, words))).toEqual(wanted);
  });

  test("enters a ring only where one was there before", () => {
    const number = numberOf(machine, "io_uring_enter") ?? -1;
    const answers = [true, false].map((ring) =>
      runFilter(filterFor(machine, NEEDS.agent, { ...OWN, ring }), ARCHITECTURE[machine], number, []),
    );
    expect(answers).toEqual([ALLOW, REFUSE]);
  });

  test("of those who start the others makes no ring, and changes nothing else", () => {
    for (const [filter, more] of [
      [noRingsFilter(machine), []],
      [localSocketsFilter(machine), ["socket"]],
    ] as const) {
      const refused = [...names].filter(
        ([number]) => number >= 0 && runFilter(filter, ARCHITECTURE[machine], number, []) !== ALLOW,
      );
      expect(new Set(refused.map(([, name]) => name))).toEqual(
        new Set(["io_uring_setup", "io_uring_register", ...more]),
      );
    }
  });
});

test("no list names what there is a reason to deny", () => {
  const denied = new Map(Object.entries(DENIED).flatMap(([why, names]) => names.map((name) => [name, why] as const)));
  expect(denied.size).toBeGreaterThan(100);
  for (const role of ROLES)
    expect([role, allowed(NEEDS[role]).flatMap((name) => denied.get(name) ?? [])]).toEqual([role, []]);
});

test("every call that the tables name is let through to somebody, decided by its arguments, or denied for a reason", () => {
  const somewhere = new Set<SystemCall>([
    ...ROLES.flatMap((role) => allowed(NEEDS[role])),
    ...Object.values(DENIED).flat(),
    ...UNKNOWN,
    "socket",
    "io_uring_enter",
  ]);
  expect(knownCalls().filter((name) => !somewhere.has(name) && !(name in BY_ARGUMENTS))).toEqual([]);
});
