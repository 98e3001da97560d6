import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What one descriptor of a process is. */
export interface Descriptor {
  readonly fd: number;
  /** `null`, `pipe`, `local` (a Unix socket), `internet` (TCP or UDP), `event` (an event loop's own), or the path of a file. */
  readonly what: string;
  /** Of a socket or a pipe. */
  readonly inode: string | null;
}

/** Every descriptor of a process, by number. @throws where this user may not look. */
export function descriptorsOf(pid: number): Descriptor[] {
  const internet = internetSockets(pid);
  return readdirSync(`/proc/${pid}/fd`)
    .map(Number)
    .toSorted((a, b) => a - b)
    .flatMap((fd) => {
      try {
        const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
        const inode = /^(?:socket|pipe):\[(\d+)\]$/.exec(target)?.[1] ?? null;
        return [{ fd, what: nameOf(target, inode !== null && internet.has(inode)), inode }];
      } catch {
        // Closed meanwhile.
        return [];
      }
    });
}

function nameOf(target: string, isInternet: boolean): string {
  if (target === "/dev/null") return "null";
  if (target.startsWith("pipe:")) return "pipe";
  if (target.startsWith("socket:")) return isInternet ? "internet" : "local";
  if (/^anon_inode:\[?(eventpoll|eventfd)/.test(target)) return "event";
  return target;
}

function internetSockets(pid: number): Set<string> {
  const inodes = new Set<string>();
  for (const table of ["tcp", "tcp6", "udp", "udp6"]) {
    let text = "";
    try {
      text = readFileSync(`/proc/${pid}/net/${table}`, "utf8");
    } catch {
      continue;
    }
    for (const line of text.split("\n").slice(1)) {
      const inode = line.trim().split(/\s+/)[9];
      if (inode !== undefined) inodes.add(inode);
    }
  }
  return inodes;
}
