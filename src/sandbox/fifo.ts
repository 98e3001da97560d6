import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Both ends of a pipe that has no name. The two are of their own: setting one to not block leaves the other as it was. */
export interface FifoEnds {
  readonly read: number;
  readonly write: number;
}

/** Pipes for what commands write. Node gives its children sockets, and a socket cannot be opened again: `echo >/dev/stderr`, which scripts
 *  do, would fail. Node cannot make pipes, so a program does, a few at a time, and they are used again. */
export class FifoPool {
  /** A reading descriptor holds each while it is not in use. It is no writer, so ends are seen; what is left in the pipe is read away. */
  readonly #free: number[] = [];

  /** Opens a pipe for one command. @returns its ends, which the caller closes, and what gives it back. */
  take(): { readonly ends: FifoEnds; readonly release: () => void } {
    const anchor = this.#free.pop() ?? this.#make();
    const path = `/proc/self/fd/${anchor}`;
    // Opened for both first: each of the others would wait for its counterpart.
    const both = openSync(path, constants.O_RDWR);
    try {
      const ends = { read: openSync(path, constants.O_RDONLY), write: openSync(path, constants.O_WRONLY) };
      return {
        ends,
        release: () => {
          drain(anchor);
          this.#free.push(anchor);
        },
      };
    } finally {
      closeSync(both);
    }
  }

  #make(): number {
    const directory = mkdtempSync(join(tmpdir(), "wirken-pipes-"));
    try {
      const names = ["1", "2"].map((name) => join(directory, name));
      // Whoever the command runs as may open it again; the directory is ours alone, and gone in a moment.
      execFileSync("/usr/bin/mkfifo", ["-m", "0666", ...names], { env: {}, stdio: "ignore" });
      const [first = -1, second = -1] = names.map((name) => openSync(name, constants.O_RDONLY | constants.O_NONBLOCK));
      this.#free.push(second);
      return first;
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
}

/** Nobody writes any more: what is left of a command that was killed is not the next one's. */
function drain(fd: number): void {
  const room = Buffer.alloc(65_536);
  try {
    while (readSync(fd, room) > 0);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EAGAIN")) throw cause;
  }
}
