import { describe, expect, test } from "vitest";
import { type Circumstances, explain } from "../../src/sandbox/state.ts";

const DEBIAN: Circumstances = {
  platform: "linux",
  osRelease: 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
  root: false,
  appArmorRestricts: null,
  unprivilegedUserNamespaces: null,
  maxUserNamespaces: "63000",
};
const BWRAP = "/usr/bin/bwrap";

describe("without bubblewrap", () => {
  test.for([
    ["ID=debian", "sudo apt-get install -y bubblewrap"],
    ["ID=linuxmint\nID_LIKE=ubuntu", "sudo apt-get install -y bubblewrap"],
    ["ID=ubuntu\nID_LIKE=debian", "sudo apt-get install -y bubblewrap"],
    ["ID=fedora", "sudo dnf install -y bubblewrap"],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"', "sudo dnf install -y bubblewrap"],
    ["ID=arch", "sudo pacman -S --needed bubblewrap"],
    ["ID=opensuse-tumbleweed", "sudo zypper install -y bubblewrap"],
    ["ID=alpine", "sudo apk add bubblewrap setpriv util-linux-misc"],
  ] as const)("%j gets its own line", ([osRelease, line]) => {
    expect(explain(null, "", { ...DEBIAN, osRelease })).toMatchObject({ state: "missing", hint: line });
  });

  test("root gets it without sudo, and an unknown system gets one it can adapt", () => {
    expect(explain(null, "", { ...DEBIAN, root: true })).toMatchObject({ hint: "apt-get install -y bubblewrap" });
    expect(explain(null, "", { ...DEBIAN, osRelease: "" })).toMatchObject({ hint: expect.stringContaining("own way") });
  });
});

test("Ubuntu's restriction is lifted for bwrap alone, by a profile that is printed with its commands", () => {
  const said = "bwrap: setting up uid map: Permission denied";
  const state = explain(BWRAP, said, { ...DEBIAN, appArmorRestricts: "1" });
  expect(state).toMatchObject({ state: "forbidden" });
  expect(state.hint).toContain("profile bwrap /usr/bin/bwrap flags=(unconfined) {\n  userns,");
  expect(state.hint).toContain("sudo tee /etc/apparmor.d/bwrap");
  expect(state.hint).toContain("sudo apparmor_parser -r /etc/apparmor.d/bwrap");
  expect(state.hint).not.toContain("apparmor_restrict_unprivileged_userns=0");
});

test.for([
  [{ unprivilegedUserNamespaces: "0" }, "kernel.unprivileged_userns_clone=1"],
  [{ maxUserNamespaces: "0" }, "user.max_user_namespaces=15000"],
] as const)("a system that allows no user namespaces says how to: %j", ([given, words]) => {
  expect(explain(BWRAP, "", { ...DEBIAN, ...given })).toMatchObject({
    state: "forbidden",
    hint: expect.stringContaining(words),
  });
});

test("anything else is in bubblewrap's own words", () => {
  expect(explain(BWRAP, "bwrap: Can't mount proc on /newroot/proc: Operation not permitted", DEBIAN)).toMatchObject({
    state: "broken",
    sentence: "commands cannot be run: bwrap: Can't mount proc on /newroot/proc: Operation not permitted",
  });
  expect(explain(BWRAP, "", DEBIAN)).toMatchObject({ state: "broken" });
});

test("another system than Linux is told what it has instead", () => {
  expect(explain(null, "", { ...DEBIAN, platform: "darwin" })).toMatchObject({
    state: "missing",
    sentence: expect.stringContaining("Linux only"),
  });
});
