import { closeSync, constants, fstatSync, type Stats, lstatSync, openSync } from "node:fs";

/** An open directory, and the way to name what is in it that no renaming or symbolic link above it can bend.
 *
 *  Node has no `openat`. On Linux `/proc/self/fd/N/name` is one: the kernel goes to the open directory itself, and only `name` is looked
 *  up. Elsewhere the path stands in, and whoever can rename directories of the workspace meanwhile can bend it. */
export class Directory implements Disposable {
  readonly fd: number;
  readonly #path: string;

  private constructor(fd: number, path: string) {
    this.fd = fd;
    this.#path = path;
  }

  /** @param path of a directory; its last component must not be a symbolic link. */
  static open(path: string): Directory {
    return new Directory(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW), path);
  }

  /** A path for `node:fs`; `name` is a single component. */
  at(name: string): string {
    return process.platform === "linux" ? `/proc/self/fd/${this.fd}/${name}` : `${this.#path}/${name}`;
  }

  /** The directory itself, for `readdir`. */
  get self(): string {
    return process.platform === "linux" ? `/proc/self/fd/${this.fd}` : this.#path;
  }

  child(name: string): Directory {
    const fd = openSync(this.at(name), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    return new Directory(fd, `${this.#path}/${name}`);
  }

  /** What stands under that name, links not followed; null: nothing. */
  look(name: string): Stats | null {
    return lstatSync(this.at(name), { throwIfNoEntry: false }) ?? null;
  }

  stat(): Stats {
    return fstatSync(this.fd);
  }

  /** `device:inode`. */
  get identity(): string {
    const { dev, ino } = fstatSync(this.fd, { bigint: true });
    return `${dev}:${ino}`;
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}
