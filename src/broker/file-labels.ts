import { sep } from "node:path";
import type { AuditLog } from "../../audit/log.ts";
import type { SurveyedFile } from "../effect/effects.ts";
import { type Labels, NO_LABELS, union } from "./labels.ts";

/** What is known of a file that an agent wrote. Without it, the file's bytes are taken for its owner's. */
export interface FileLabel {
  /** On this machine: of the file; of a directory, where `since` says that anything in it may be meant. */
  readonly path: string;
  readonly inode: string | null;
  readonly digest: string | null;
  /** Whatever changed in this directory from then on, in milliseconds since 1970. */
  readonly since: number | null;
  readonly labels: Labels;
}

/** What a row says: these, and that nothing is known any more of what lay at these paths. */
export interface FiledLabels {
  readonly files: readonly FileLabel[];
  readonly gone: readonly string[];
}

/** What the log says of all files. */
export interface FilesBefore {
  readonly files: readonly FileLabel[];
  /** Rows were erased that said something of files, and nobody knows of which. */
  readonly lost: boolean;
}

const UNKNOWN: Labels = { untrusted: true, private: [] };

/** The labels of files: those of the turn that wrote them, by path and by what they hold. What was changed since by somebody else is not known, and counts as
 *  untrusted. */
export class FileLabels {
  readonly #log: Pick<AuditLog, "append">;
  #before: (() => FilesBefore) | null;
  #lost = false;
  readonly #files = new Map<string, FileLabel>();
  readonly #inodes = new Map<string, FileLabel>();
  readonly #digests = new Map<string, FileLabel>();
  readonly #since = new Map<string, FileLabel>();

  /** @param before what the log says; it is read when it is first needed. */
  constructor(log: Pick<AuditLog, "append">, before: () => FilesBefore) {
    this.#log = log;
    this.#before = before;
  }

  #load(): void {
    const before = this.#before?.();
    this.#before = null;
    if (before === undefined) return;
    this.#lost = before.lost;
    for (const file of before.files) this.#put(file);
  }

  #put(file: FileLabel): void {
    if (file.since !== null) {
      this.#since.set(file.path, file);
      return;
    }
    this.#drop(file.path);
    this.#files.set(file.path, file);
    if (file.inode !== null) this.#inodes.set(file.inode, file);
    if (file.digest !== null && file.labels.untrusted) this.#digests.set(file.digest, file);
  }

  #drop(path: string): void {
    const file = this.#files.get(path);
    this.#files.delete(path);
    if (file === undefined) return;
    if (file.inode !== null && this.#inodes.get(file.inode) === file) this.#inodes.delete(file.inode);
    if (file.digest !== null && this.#digests.get(file.digest) === file) this.#digests.delete(file.digest);
  }

  list(): readonly FileLabel[] {
    this.#load();
    return [...this.#files.values(), ...this.#since.values()].filter(({ labels }) => labels.untrusted);
  }

  /** Do rows say something of files that nobody can read any more? */
  get lost(): boolean {
    this.#load();
    return this.#lost;
  }

  /** Inodes of what is known. */
  get inodes(): ReadonlySet<string> {
    this.#load();
    return new Set(this.#inodes.keys());
  }

  /** Of one file as it is now. */
  of(file: SurveyedFile): Labels {
    this.#load();
    if (this.#lost) return UNKNOWN;
    const known = this.#files.get(file.path) ?? this.#inodes.get(file.inode);
    if (known !== undefined) {
      const same = file.digest !== null && known.digest === file.digest;
      return same ? known.labels : union(known.labels, UNKNOWN);
    }
    const copied = file.digest === null ? undefined : this.#digests.get(file.digest);
    const since = [...this.#since.values()].filter(
      (one) => file.changed >= (one.since ?? 0) && file.path.startsWith(`${one.path}${sep}`),
    );
    return union(copied?.labels ?? NO_LABELS, ...since.map(({ labels }) => labels));
  }

  /** Of anything that a command may have read below these directories: it may read all of it, and say so in other words. */
  below(roots: readonly string[]): Labels {
    this.#load();
    if (this.#lost) return UNKNOWN;
    const there = this.list().filter(({ path }) =>
      roots.some((root) => path === root || path.startsWith(`${root}${sep}`)),
    );
    return union(NO_LABELS, ...there.map(({ labels }) => labels));
  }

  /** A turn wrote these. What restricts is done first. @param cause the row of the call. */
  async file(
    turn: { readonly turn: string; readonly session: string },
    cause: number,
    { files, gone }: FiledLabels,
  ): Promise<void> {
    this.#load();
    for (const file of files) this.#put(file);
    await this.#log.append(
      { kind: "label.filed", turn: turn.turn, session: turn.session, files: files.length },
      { cause, seal: turn.session, content: { files: JSON.stringify({ files, gone } satisfies FiledLabels) } },
    );
    for (const path of gone) this.#forget(path);
  }

  #forget(path: string): void {
    this.#drop(path);
    this.#since.delete(path);
  }

  /** The owner says that these are of no account: all below a path. The caller has recorded it. @returns how many they were. */
  clear(path: string): number {
    this.#load();
    const all = [...this.#files.keys(), ...this.#since.keys()].filter(
      (one) => one === path || one.startsWith(`${path}${sep}`),
    );
    for (const one of all) this.#forget(one);
    return all.length;
  }

  /** The owner says so of all files. */
  clearAll(): void {
    this.#load();
    this.#lost = false;
    for (const map of [this.#files, this.#inodes, this.#digests, this.#since]) map.clear();
  }
}
