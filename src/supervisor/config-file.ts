import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { AuditLog } from "../../audit/log.ts";
import { setInText, writeConfig } from "../config/edit.ts";
import { type Loaded, loadConfig, parseConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { OperatorError } from "./operator-error.ts";

/** Editors write in steps: a change counts once the file has been quiet for this long. */
const QUIET_MS = 150;

/** The configuration in force. A file that cannot be read or is wrong changes nothing: what was in force stays, and why is recorded. */
export class ConfigFile implements Disposable {
  readonly #path: string;
  readonly #log: AuditLog;
  readonly #changed: (config: Config) => Promise<void>;
  #config: Config;
  #text: string;
  #problem: string | null = null;
  #watcher: FSWatcher | null = null;
  #timer: NodeJS.Timeout | null = null;
  #reading: Promise<void> = Promise.resolve();

  private constructor(
    path: string,
    log: AuditLog,
    loaded: Extract<Loaded, { config: Config }>,
    changed: (config: Config) => Promise<void>,
  ) {
    this.#path = path;
    this.#log = log;
    this.#config = loaded.config;
    this.#text = loaded.text;
    this.#changed = changed;
  }

  /** Reads the file for a start. @throws {OperatorError} if it is there and cannot be used: a daemon does not run on a guess. */
  static async open(
    path: string,
    log: AuditLog,
    cause: number,
    changed: (config: Config) => Promise<void>,
  ): Promise<ConfigFile> {
    const loaded = loadConfig(path);
    if (loaded.state === "unreadable" || loaded.state === "invalid") {
      await log.append({ kind: "config.refused" }, { cause, content: { error: loaded.sentence } });
      throw new OperatorError("usage", loaded.sentence, "mend the file, then start again");
    }
    const file = new ConfigFile(path, log, loaded, changed);
    await file.#record(loaded.text, cause);
    return file;
  }

  get config(): Config {
    return this.#config;
  }
  /** What is wrong with the file as it is now, or null. */
  get problem(): string | null {
    return this.#problem;
  }

  /** From now on a change takes effect without a restart. */
  follow(): void {
    this.#watcher = watch(dirname(this.#path), { persistent: false }, (_event, name) => {
      if (name !== null && name !== basename(this.#path)) return;
      if (this.#timer !== null) clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        this.#reading = this.#reading.then(() => this.reload()).catch(() => undefined);
      }, QUIET_MS);
    });
    this.#watcher.on("error", () => undefined);
  }

  /** Reads the file again and puts it in force. */
  async reload(): Promise<void> {
    const loaded = loadConfig(this.#path);
    if (loaded.state === "unreadable" || loaded.state === "invalid") {
      if (this.#problem === loaded.sentence) return;
      this.#problem = loaded.sentence;
      await this.#log.append({ kind: "config.refused" }, { cause: null, content: { error: loaded.sentence } });
      return;
    }
    this.#problem = null;
    if (loaded.text === this.#text) return;
    await this.#record(loaded.text, null);
    this.#text = loaded.text;
    this.#config = loaded.config;
    await this.#changed(loaded.config);
  }

  /** Sets one value as a command would: comments stay, and it is in force when this resolves.
   *  @throws {OperatorError} when the file as it is now cannot be edited. */
  async set(path: readonly string[], value: unknown): Promise<void> {
    await this.setAll([{ path, value }]);
  }

  /** Sets several at once: all of them are in force when this resolves, or none. A value that is undefined is taken out.
   *  @throws {OperatorError} as {@link set}, and where the file would be refused with them. */
  async setAll(edits: readonly { readonly path: readonly string[]; readonly value: unknown }[]): Promise<void> {
    const loaded = loadConfig(this.#path);
    if (loaded.state === "unreadable" || loaded.state === "invalid") {
      throw new OperatorError("usage", loaded.sentence, "mend the file first: nothing was changed");
    }
    const text = edits.reduce((before, { path, value }) => setInText(before, path, value), loaded.text);
    const edited = parseConfig(this.#path, text);
    if (edited.state === "invalid") throw new OperatorError("usage", `${edited.sentence}; nothing was changed`);
    writeConfig(this.#path, text);
    await this.reload();
  }

  async #record(text: string, cause: number | null): Promise<void> {
    await this.#log.append({ kind: "config.loaded" }, { cause, content: { text } });
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#watcher?.close();
  }
}
