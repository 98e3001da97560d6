import { accessSync, constants, readFileSync } from "node:fs";

/** Can commands be run? Found out by running one, never by finding a file. */
export type SandboxState =
  | { readonly state: "works" }
  | {
      /** `weaker`: commands are run, and less is kept from them. */
      readonly state: "weaker" | "missing" | "forbidden" | "broken";
      /** One sentence. */
      readonly sentence: string;
      /** What to type, line by line; may be empty. */
      readonly hint: string;
    };

/** Anything but that it works. */
type Lacking = Exclude<SandboxState, { readonly state: "works" }>;

/** What a command is held by where bubblewrap cannot run, and what that leaves out. */
export const WEAKER =
  "Landlock and seccomp alone, no namespaces: it reads no other file of this machine but its programs, and reaches nobody, but it can ask whether a file exists and how long it is; it has no /tmp, no /proc and no /workspace (it starts in the workspace), and changes no file's mode";

/** The state where a launcher has run a command, and bubblewrap has not. */
export function weaker(instead: Lacking): SandboxState {
  const why = instead.sentence.replace(/^commands cannot be run(?:, because|:) /, "");
  return { state: "weaker", sentence: `commands are held by ${WEAKER}; because ${why}`, hint: instead.hint };
}

/** Not looked up in PATH: whoever sets that would choose what holds our commands. */
const PLACES = ["/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap", "/run/current-system/sw/bin/bwrap"];

export function findBubblewrap(): string | null {
  for (const place of PLACES) {
    try {
      accessSync(place, constants.X_OK);
      return place;
    } catch {
      // The next place.
    }
  }
  return null;
}

/** What the system says about itself, as far as it bears on the sandbox. */
export interface Circumstances {
  readonly platform: string;
  /** The text of /etc/os-release; empty where there is none. */
  readonly osRelease: string;
  readonly root: boolean;
  /** Sysctls; null where there is no such thing. */
  readonly appArmorRestricts: string | null;
  readonly unprivilegedUserNamespaces: string | null;
  readonly maxUserNamespaces: string | null;
}

export function circumstances(): Circumstances {
  return {
    platform: process.platform,
    osRelease: read("/etc/os-release") ?? "",
    root: process.getuid?.() === 0,
    appArmorRestricts: read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
    unprivilegedUserNamespaces: read("/proc/sys/kernel/unprivileged_userns_clone"),
    maxUserNamespaces: read("/proc/sys/user/max_user_namespaces"),
  };
}

/** Why a try came to nothing, and what to do about it.
 *  @param found where bubblewrap is; null: nowhere.
 *  @param said what it, or the system, said. */
export function explain(found: string | null, said: string, given: Circumstances): Lacking {
  if (given.platform !== "linux") {
    return {
      state: "missing",
      sentence:
        "commands are run in bubblewrap, which is for Linux only: here the agent has its file tools and no exec",
      hint: "",
    };
  }
  const sudo = given.root ? "" : "sudo ";
  if (found === null) {
    return {
      state: "missing",
      sentence: "commands cannot be run, because bubblewrap is not installed",
      hint: `${sudo}${installCommand(given.osRelease)}`,
    };
  }
  if (!given.root && given.appArmorRestricts === "1") {
    return {
      state: "forbidden",
      sentence:
        "commands cannot be run, because this system lets no program make user namespaces unless AppArmor knows it: allow it for bwrap alone",
      hint: [
        `sudo tee /etc/apparmor.d/bwrap >/dev/null <<'EOF'`,
        appArmorProfile(found),
        "EOF",
        "sudo apparmor_parser -r /etc/apparmor.d/bwrap",
      ].join("\n"),
    };
  }
  if (!given.root && given.unprivilegedUserNamespaces === "0") {
    return {
      state: "forbidden",
      sentence: "commands cannot be run, because this system lets users make no user namespaces",
      hint: persist("kernel.unprivileged_userns_clone=1"),
    };
  }
  if (given.maxUserNamespaces === "0") {
    return {
      state: "forbidden",
      sentence: "commands cannot be run, because this system allows no user namespaces at all",
      hint: persist("user.max_user_namespaces=15000"),
    };
  }
  const words = said.trim().split("\n").at(-1) ?? "";
  return {
    state: "broken",
    sentence: `commands cannot be run: ${words === "" ? "bubblewrap ended without a word" : words}`,
    hint: `${found} is there, and running true in it failed; its own words are above`,
  };
}

/** Lets bwrap alone make user namespaces. @see https://ubuntu.com/blog/ubuntu-23-10-restricted-unprivileged-user-namespaces */
function appArmorProfile(executable: string): string {
  return [
    "abi <abi/4.0>,",
    "include <tunables/global>",
    "",
    `profile bwrap ${executable} flags=(unconfined) {`,
    "  userns,",
    "  include if exists <local/bwrap>",
    "}",
  ].join("\n");
}

function persist(setting: string): string {
  return `echo ${setting} | sudo tee /etc/sysctl.d/60-user-namespaces.conf && sudo sysctl --system`;
}

const INSTALL: readonly (readonly [family: string, command: string])[] = [
  ["debian", "apt-get install -y bubblewrap"],
  ["ubuntu", "apt-get install -y bubblewrap"],
  ["fedora", "dnf install -y bubblewrap"],
  ["rhel", "dnf install -y bubblewrap"],
  ["arch", "pacman -S --needed bubblewrap"],
  ["suse", "zypper install -y bubblewrap"],
  ["opensuse", "zypper install -y bubblewrap"],
  ["alpine", "apk add bubblewrap setpriv util-linux-misc"],
  ["void", "xbps-install -y bubblewrap"],
  ["gentoo", "emerge sys-apps/bubblewrap"],
  ["nixos", "nix-env -iA nixos.bubblewrap"],
];

/** By `ID` and `ID_LIKE` of /etc/os-release. @see https://www.freedesktop.org/software/systemd/man/latest/os-release.html */
function installCommand(osRelease: string): string {
  const words = [...osRelease.matchAll(/^ID(?:_LIKE)?=(.*)$/gm)].flatMap((match) =>
    (match[1] ?? "").replaceAll(/["']/g, "").split(/\s+/),
  );
  for (const word of words) {
    const found = INSTALL.find(([family]) => word === family || word.startsWith(`${family}-`));
    if (found !== undefined) return found[1];
  }
  return "apt-get install -y bubblewrap   (or this system's own way to install bubblewrap)";
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return null;
  }
}
