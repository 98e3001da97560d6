import { lstatSync, realpathSync, type Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve, sep } from "node:path";

/** Directories that are looked into before a folder is added, and how deep. What lies beyond cannot be vouched for. */
const MAX_LOOKED = 100_000;
const MAX_DEPTH = 24;

/** Names of directories that hold credentials, wherever they lie: keys, and what programs keep of a login. */
const CREDENTIALS = new Set([
  ".ssh",
  ".gnupg",
  ".aws",
  ".azure",
  ".kube",
  ".docker",
  ".password-store",
  ".mozilla",
  ".thunderbird",
]);

/** Below a home folder: keyrings, and the profiles of browsers. */
const BELOW_HOME = [
  ".local/share/keyrings",
  ".config/gcloud",
  ".config/google-chrome",
  ".config/chromium",
  ".config/BraveSoftware",
  ".config/microsoft-edge",
  ".config/vivaldi",
  ".config/opera",
  ".config/gh",
  "snap/firefox",
  "snap/chromium",
  ".var/app/org.mozilla.firefox",
  ".var/app/org.chromium.Chromium",
  ".var/app/com.google.Chrome",
  ".var/app/com.brave.Browser",
  "Library/Keychains",
  "Library/Application Support/Google/Chrome",
  "Library/Application Support/Firefox",
  "Library/Safari",
];

/** What the kernel shows of itself, and of every process. */
const SYSTEM = ["/proc", "/sys", "/dev", "/run"];

export interface Places {
  /** The data directory. */
  readonly data: string;
  readonly executable: string;
  /** The home folder of this account. */
  readonly home: string;
}

/** Those of this process. @param data the data directory. */
export function ownPlaces(data: string): Places {
  return { data: real(data), executable: real(process.execPath), home: real(homedir()) };
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path); // It is not there (yet).
  }
}

/** Why a directory is not let into a workspace, in a sentence; null: it may be.
 *  @param path of a directory, links resolved. @param places links resolved. */
export async function refusalOf(path: string, places: Places): Promise<string | null> {
  return refusalByPlace(path, places) ?? (await refusalByContents(path));
}

/** The same for a single file outside of every workspace. @param path links resolved. */
export function refusalOfFile(path: string, places: Places): string | null {
  const credentials = credentialIn(path, places);
  if (path === places.executable) return `${path} is our own executable`;
  if (within(path, places.data)) return `${path} lies in the data directory`;
  if (credentials !== null) return `${path} lies in ${credentials}, where credentials are`;
  const system = SYSTEM.find((one) => within(path, one));
  return system === undefined ? null : `${path} is not a file of a disk: ${system} is the system's own`;
}

function refusalByPlace(path: string, places: Places): string | null {
  const { data, executable, home } = places;
  if (path === home) return `${path} is the home folder itself: add a folder in it`;
  if (within(home, path)) return `${path} holds the home folder: add a folder further down`;
  if (path === data || within(path, data)) return `${path} lies in the data directory, which no agent sees`;
  if (within(data, path)) return `${path} holds the data directory, which no agent sees`;
  if (within(executable, path)) return `${path} holds our own executable: what runs this must not be changed by it`;
  const system = SYSTEM.find((one) => within(path, one));
  if (system !== undefined) return `${path} is the system's own and holds no files of yours`;
  const credentials = credentialIn(path, places);
  if (credentials !== null) return `${path} lies in ${credentials}, where credentials are`;
  const held = BELOW_HOME.map((one) => join(home, one)).find((one) => within(one, path) && exists(one));
  return held === undefined ? null : `${path} holds ${held}, where credentials are`;
}

/** The directory for credentials that a path lies in, or is. */
function credentialIn(path: string, { home }: Places): string | null {
  const below = BELOW_HOME.map((one) => join(home, one)).find((one) => within(path, one));
  if (below !== undefined) return below;
  const names = path.split(sep);
  const at = names.findIndex((name) => CREDENTIALS.has(name.toLowerCase()));
  return at < 0 ? null : names.slice(0, at + 1).join(sep);
}

/** Others run in between: a large folder takes a second. Links are not followed, and nothing behind them is seen either. */
async function refusalByContents(top: string): Promise<string | null> {
  let pending: string[] = [top];
  let left = MAX_LOOKED;
  for (let depth = 0; pending.length > 0; depth += 1) {
    const next: string[] = [];
    for (const directory of pending) {
      left -= 1;
      if (left < 0 || depth > MAX_DEPTH)
        return `${top} has more directories than are looked through (${MAX_LOOKED}, ${MAX_DEPTH} deep) for places of credentials: add one further down`;
      for (const entry of await entriesOf(directory)) {
        if (!entry.isDirectory()) continue;
        const path = join(directory, entry.name);
        if (CREDENTIALS.has(entry.name.toLowerCase())) return `${top} holds ${path}, where credentials are`;
        next.push(path);
      }
    }
    pending = next;
  }
  return null;
}

async function entriesOf(directory: string): Promise<Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch {
    // Not ours to enter: nor is it for a command that runs as us.
    return [];
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Is it that directory, or below it? */
export function within(path: string, directory: string): boolean {
  const top = resolve(directory);
  return path === top || path.startsWith(top === sep ? sep : `${top}${sep}`);
}
