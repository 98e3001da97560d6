import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { HOME_FOLDER, TEMPORARY_FOLDER } from "./home-folder.ts";
import { SECRETS, type Shown } from "./command.ts";
import { DESCRIPTORS, DESCRIPTORS_WITH_WAY } from "./keeper.ts";
import type { Folder } from "./folder.ts";
import { HOLDER } from "./inner-walls.ts";
import type { Limits } from "./limits.ts";
import type { Survey } from "./survey.ts";
import { PROGRAMS, SETTINGS } from "./seen.ts";
import { above, programsOf } from "./toolchains.ts";
import { INSIDE } from "./walk.ts";
import { pointedAtRelay, startingRelay } from "./way.ts";

/** What a service sees besides. */
export interface ServiceView {
  readonly shown: readonly Shown[];
  /** By path on this machine, and where it stands there. */
  readonly protect: readonly (readonly [path: string, at: string])[];
  readonly args: number;
  readonly files: readonly { readonly name: string; readonly descriptor: number }[];
}

/** What a command sees, as bubblewrap's arguments. */
export interface View {
  readonly workspace: string;
  readonly folders: readonly Folder[];
  /** May it change the workspace? */
  readonly write: boolean;
  /** The protected files that are there (for a command that may write), by path in the workspace, its folders included. */
  readonly protect: Survey;
  /** Our own files that lie where a command would see them. */
  readonly hide: readonly string[];
  readonly limits: Limits;
  /** Whether there is a home folder in the workspace. */
  readonly home: boolean;
  /** Folders with programs, beside the system's. */
  readonly toolchains: readonly string[];
  /** Whether it has a way out: a proxy on its loopback. */
  readonly way: boolean;
  /** Whether bubblewrap is given the program that holds the command by Landlock. */
  readonly held: boolean;
  /** Of a service: what else it sees, each at its own path, with what is protected there; the descriptor of further arguments, and those of its secrets. */
  readonly service?: ServiceView;
  /** As root the user is changed inside: null where a user namespace does it. */
  readonly runAs: number | null;
}

/** @returns all of bubblewrap's arguments but the command. */
export function argumentsFor(view: View): string[] {
  const { limits } = view;
  const { passwd, group, hosts, holder } = view.way ? DESCRIPTORS_WITH_WAY : DESCRIPTORS;
  return [
    view.runAs === null
      ? ["--unshare-user", "--unshare-all", "--disable-userns", "--cap-drop", "ALL"]
      : // Root makes its namespaces itself and then becomes somebody else: inside a user namespace it would still be root towards the files it
        // sees, and could change the mode of this machine's own /dev/null.
        ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"],
    // Of its rights root keeps what becoming somebody else takes, and to enter a directory that is theirs; all of them end with that.
    view.runAs === null ? [] : ["--cap-drop", "ALL", ...KEPT.flatMap((capability) => ["--cap-add", capability])],
    ["--die-with-parent", "--new-session"],
    ["--hostname", "sandbox"],
    ["--clearenv"],
    environment(INSIDE, view.toolchains).flatMap(([name, value]) => ["--setenv", name, value]),
    view.service === undefined ? [] : ["--args", String(view.service.args)],
    PROGRAMS.flatMap(programs),
    view.toolchains.flatMap((path) => [
      // A directory that bubblewrap makes by itself is for the user that it began as alone.
      ...above(path).flatMap((each) => (seenAnyway(each) ? [] : ["--perms", "0755", "--dir", each])),
      "--ro-bind",
      path,
      path,
    ]),
    ["--perms", "0755", "--dir", "/etc"],
    SETTINGS.flatMap(setting),
    view.way ? pointedAtRelay() : [],
    ["--perms", "0444", "--file", String(passwd), "/etc/passwd"],
    ["--perms", "0444", "--file", String(group), "/etc/group"],
    ["--perms", "0444", "--file", String(hosts), "/etc/hosts"],
    ["--proc", "/proc", "--dev", "/dev"],
    ["--perms", "1777", "--size", String(limits.shared), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"],
    ["--dir", "/run", "--dir", "/var", "--symlink", "/tmp", "/var/tmp"],
    view.held ? ["--perms", "0555", "--file", String(holder), HOLDER] : [],
    [view.write ? "--bind" : "--ro-bind", view.workspace, INSIDE],
    temporary(view),
    view.folders.flatMap(({ name, path, write }) => [
      view.write && write ? "--bind" : "--ro-bind",
      path,
      join(INSIDE, name),
    ]),
    // A link cannot be bound; that it is still the same one is looked at afterwards.
    [...view.protect].flatMap(([path, { kind }]) =>
      kind === "file" || kind === "directory" ? ["--ro-bind", outsideOf(path, view), join(INSIDE, path)] : [],
    ),
    view.service === undefined ? [] : besides(view.service),
    view.hide.flatMap((path) => hidden(path, view)),
    ["--remount-ro", "/"],
    ["--chdir", INSIDE],
    ["--json-status-fd", String(DESCRIPTORS.status)],
    ["--seccomp", String(DESCRIPTORS.seccomp)],
    ["--"],
    started(view),
  ].flat();
}

/** What a service sees at paths of its own. A directory that bubblewrap makes by itself is for the user that it began as alone. */
function besides({ shown, protect, files }: ServiceView): string[] {
  return [
    shown.flatMap(({ path, at, write }) => [
      ...above(at).flatMap((each) => (seenAnyway(each) ? [] : ["--perms", "0755", "--dir", each])),
      write ? "--bind" : "--ro-bind",
      path,
      at,
    ]),
    protect.flatMap(([path, at]) => ["--ro-bind", path, at]),
    files.length === 0 ? [] : ["--perms", "0755", "--dir", SECRETS],
    files.flatMap(({ name, descriptor }) => ["--perms", "0444", "--file", String(descriptor), join(SECRETS, name)]),
  ].flat();
}

/** What stands before the command. The relay listens and is no part of what is held; whoever holds becomes a program by its path, and prlimit looks for
 *  the command as a shell would. */
function started(view: View): string[] {
  const limited = view.runAs === null ? prlimit(view.limits) : become(view.runAs);
  if (!view.way) return [...(view.held ? [HOLDER] : []), ...limited];
  return [...limited, ...startingRelay(), ...(view.held ? [HOLDER, PRLIMIT, "--core=0", "--"] : [])];
}

/** All that a command finds in its environment, beside where its proxy is if it has one.
 *  @param workspace where it sees that. */
export function environment(
  workspace: string,
  toolchains: readonly string[],
): readonly (readonly [name: string, value: string])[] {
  const home = join(workspace, HOME_FOLDER);
  return [
    ["PATH", [...toolchains.map(programsOf), ...PATH].join(":")],
    ["HOME", home],
    ["TMPDIR", join(home, TEMPORARY_FOLDER)],
    ["LANG", "C.UTF-8"],
  ];
}

const PATH = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];

/** What is left there goes with the command, so it is memory; and it is one place by both its names, for a second one would cost a mount. */
function temporary({ home, limits, service }: View): string[] {
  const place = join(INSIDE, HOME_FOLDER, TEMPORARY_FOLDER);
  const made = ["--perms", "1777", "--size", String(limits.temporary), "--tmpfs"];
  // What a service sees may lie below /tmp, and nothing is mounted behind a link.
  if (service !== undefined) return [...made, "/tmp", "--setenv", "TMPDIR", "/tmp"];
  return home ? [...made, place, "--symlink", place, "/tmp"] : [...made, "/tmp"];
}

const PRLIMIT = "/usr/bin/prlimit";

/** A wall behind the watchdog, which kills and says why. It stands inside: a user's own processes count with those of the sandbox until the user
 *  namespace is made. As root the keeper sets the same limits. */
function prlimit(limits: Limits): string[] {
  return [
    PRLIMIT,
    `--nproc=${2 * limits.processes}`,
    `--data=${2 * limits.memory}`,
    `--fsize=${limits.file}`,
    `--nofile=${limits.openFiles}`,
    `--cpu=${limits.seconds + 1}`,
    "--core=0",
    "--",
  ];
}

const KEPT = ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_DAC_READ_SEARCH"];

function become(user: number): string[] {
  return [
    "/usr/bin/setpriv",
    `--reuid=${user}`,
    `--regid=${user}`,
    "--clear-groups",
    "--inh-caps=-all",
    "--bounding-set=-all",
    "--no-new-privs",
    "--",
  ];
}

function programs(path: string): string[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return [];
  return found.isSymbolicLink() ? ["--symlink", readlinkSync(path), path] : ["--ro-bind", path, path];
}

/** A link to what is seen anyway is made again: that costs nothing, where each mount costs a millisecond. */
function setting(path: string): string[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  const target = found?.isSymbolicLink() === true ? readlinkSync(path) : "";
  return target.startsWith("/usr/") ? ["--symlink", target, path] : ["--ro-bind-try", path, path];
}

function seenAnyway(path: string): boolean {
  return PROGRAMS.some((top) => path === top || path.startsWith(`${top}/`));
}

/** Where something of the workspace lies on this machine. */
function outsideOf(path: string, { workspace, folders }: View): string {
  const folder = folders.find(({ name }) => path === name || path.startsWith(`${name}/`));
  return folder === undefined ? join(workspace, path) : join(folder.path, path.slice(folder.name.length));
}

/** Covers one of our own paths if a command would see it: a directory by an empty one, a file by nothing. */
function hidden(path: string, { workspace, folders, toolchains, service }: View): string[] {
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    return [];
  }
  if (real.startsWith(`${workspace}/`)) return ["--ro-bind", "/dev/null", join(INSIDE, real.slice(workspace.length))];
  const folder = folders.find((one) => real.startsWith(`${one.path}/`));
  if (folder !== undefined)
    return ["--ro-bind", "/dev/null", join(INSIDE, folder.name, real.slice(folder.path.length))];
  const shown = service?.shown.find((one) => real === one.path || real.startsWith(`${one.path}/`));
  if (shown !== undefined) {
    const at = join(shown.at, real.slice(shown.path.length));
    const isDirectory = lstatSync(real, { throwIfNoEntry: false })?.isDirectory() === true;
    return isDirectory ? ["--perms", "0000", "--tmpfs", at, "--remount-ro", at] : ["--ro-bind", "/dev/null", at];
  }
  const visible = [...PROGRAMS, ...SETTINGS, ...toolchains].some((top) => real === top || real.startsWith(`${top}/`));
  if (!visible) return [];
  const directory = lstatSync(real, { throwIfNoEntry: false })?.isDirectory() === true;
  return directory ? ["--perms", "0000", "--tmpfs", real, "--remount-ro", real] : ["--ro-bind", "/dev/null", real];
}
