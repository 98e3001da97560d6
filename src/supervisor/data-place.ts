import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** What the data directory lies on, as far as that weakens what is kept there. Null: nothing is known against it. */
export type PlaceRisk = "unencrypted" | "network" | "synced";

/** The system's answers that {@link placeRisks} needs: for a test, those of another system. */
export interface PlaceFacts {
  /** `/proc/self/mountinfo` (proc_pid_mountinfo(5)), or null where there is none. */
  readonly mounts: string | null;
  /** The chain of block devices under one, as `major:minor`: each one's device-mapper uuid, or "" for a plain one; null if none is known. */
  readonly devices: (majorMinor: string, source: string) => readonly string[] | null;
  readonly exists: (path: string) => boolean;
}

const NETWORK =
  /^(nfs4?|cifs|smb[23]?|smbfs|9p|ceph|afs|glusterfs|lustre|davfs|fuse\.(sshfs|davfs2?|rclone|s3fs|gcsfuse|glusterfs))$/;
/** They encrypt by themselves, or are in memory alone. */
const SEALED = /^(ecryptfs|fuse\.(gocryptfs|encfs|cryfs)|tmpfs|ramfs)$/;
const SYNCED =
  /^(Dropbox.*|OneDrive.*|Google ?Drive|GoogleDrive.*|My Drive|Nextcloud|ownCloud|Mobile Documents|CloudStorage|iCloud.*|Box|Box Sync|pCloudDrive|MEGA|Sync|SynologyDrive)$/;
/** What such a program leaves in the folders that it keeps. */
const MARKS = [".stfolder", ".dropbox", ".dropbox.cache", ".owncloudsync.log", ".nextcloudsync.log", ".sync"];

/** @param root the data directory, with links followed. */
export function placeRisks(root: string, facts: PlaceFacts): PlaceRisk[] {
  const risks: PlaceRisk[] = [];
  const mount = facts.mounts === null ? null : mountOf(root, facts.mounts);
  if (mount !== null && NETWORK.test(mount.type)) risks.push("network");
  else if (mount !== null && !SEALED.test(mount.type)) {
    const devices = facts.devices(mount.device, mount.source);
    if (devices !== null && !devices.some((uuid) => uuid.startsWith("CRYPT-"))) risks.push("unencrypted");
  }
  if (isSynced(root, facts)) risks.push("synced");
  return risks;
}

function isSynced(root: string, { exists }: PlaceFacts): boolean {
  for (let at = root; at !== dirname(at); at = dirname(at)) {
    if (SYNCED.test(basename(at))) return true;
    if (MARKS.some((mark) => exists(join(at, mark)))) return true;
  }
  return false;
}

/** The mount that a path lies on: of those that begin it, the longest, and of equals the last. */
function mountOf(path: string, mounts: string): { device: string; type: string; source: string } | null {
  let found: { at: string; device: string; type: string; source: string } | null = null;
  for (const line of mounts.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , device = "", , point = ""] = before.split(" ");
    const [type = "", source = ""] = after.split(" ");
    const at = point.replaceAll(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
    if (at === "" || !(at === "/" || path === at || path.startsWith(`${at}/`))) continue;
    if (found === null || at.length >= found.at.length) found = { at, device, type, source };
  }
  return found;
}

/** The sentences of a status, each with what mends it. */
export function placeNotes(root: string, facts: PlaceFacts = systemFacts()): string[] {
  return placeRisks(root, facts).map((risk) => SENTENCES[risk]);
}

const SENTENCES: Readonly<Record<PlaceRisk, string>> = {
  unencrypted:
    "the data directory is on a disk that is not encrypted: whoever takes the machine reads workspaces, accounts and what you set up (README, A stolen machine); encrypt the disk, or move WIRKEN_HOME to one that is",
  network:
    "the data directory is on a network share: others may reach it, and its locks may not hold; move WIRKEN_HOME to a disk of this machine",
  synced:
    "the data directory is in a folder that is copied elsewhere: a copy of an older state is refused as rolled back; move WIRKEN_HOME out of it",
};

function systemFacts(): PlaceFacts {
  return { mounts: readOrNull("/proc/self/mountinfo"), devices: devicesOf, exists: existsSync };
}

/** @returns null for what is no block device here, as in a container. */
function devicesOf(majorMinor: string, source: string): string[] | null {
  const start = deviceFolder(majorMinor) ?? deviceFolder(numberOf(source));
  if (start === null) return null;
  const uuids: string[] = [];
  const open = [start];
  for (let folder = open.pop(); folder !== undefined && uuids.length < 64; folder = open.pop()) {
    uuids.push(readOrNull(join(folder, "dm/uuid"))?.trim() ?? "");
    for (const name of listOrNone(join(folder, "slaves"))) open.push(join(folder, "slaves", name));
  }
  return uuids;
}

function deviceFolder(majorMinor: string | null): string | null {
  const folder = `/sys/dev/block/${majorMinor ?? ""}`;
  return majorMinor !== null && existsSync(folder) ? folder : null;
}

/** A file system of several volumes names no device of its own: its source does. */
function numberOf(source: string): string | null {
  try {
    const { rdev } = statSync(realpathSync(source));
    return source.startsWith("/dev/") && rdev !== 0
      ? `${(rdev >> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >> 12) & 0xfff00)}`
      : null;
  } catch {
    return null;
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function listOrNone(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
