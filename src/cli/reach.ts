import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod/mini";
import type { AnswerTo, CallName, OperatorCall, OperatorEvent } from "../ipc/operator.ts";
import { holdCommand, hideMemory } from "../supervisor/own-walls.ts";
import { takeVariable } from "../supervisor/own-environment.ts";
import { CommandError, notRunning } from "./command-error.ts";
import { Connection } from "./connection.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit-status.ts";
import { type CallOf, type CallOptions, type OperatorPort, parseAnswer } from "./operator-port.ts";
import { refuseOtherBuild } from "./other-build.ts";
import { askedHidden } from "./secret-input.ts";

/** The line to the daemon, or null when none runs. One of another build takes next to no call. */
export async function reachDaemon(context: Context): Promise<Connection | null> {
  const connection = await Connection.open(context.home, context.environment, refuseOtherBuild);
  if (connection !== null) {
    holdCommand();
    // What is typed for the daemon from here on is a secret of this process.
    takeVariable(context.environment, "WIRKEN_VAULT_PASSPHRASE")?.[Symbol.dispose]();
    hideMemory();
  }
  return connection;
}

/** The daemon. @throws {CommandError} if none runs. */
export async function needDaemon(context: Context): Promise<Connection> {
  const connection = await reachDaemon(context);
  if (connection === null) throw notRunning();
  return connection;
}

/** The daemon if one runs, else this process takes its place for one call: it holds the writer's lock and starts no channel.
 *  @param options.makesRoom whether it may spend the log's reserve on a full disk. */
export async function reachOperator(
  context: Context,
  options: { readonly makesRoom?: boolean } = {},
): Promise<OperatorPort> {
  const daemon = await reachDaemon(context);
  if (daemon !== null) return daemon;
  for (const until = Date.now() + BUSY_MS; ; ) {
    try {
      return await Offline.open(context, options);
    } catch (error) {
      // Another command has the data directory: it is soon done. By now this process may open no socket, so a daemon that began meanwhile is not asked.
      if (!(error instanceof InUse) || Date.now() > until) throw error;
      await delay(AGAIN_MS);
    }
  }
}

/** Another command of ours takes a second or two. */
const BUSY_MS = 10_000;
const AGAIN_MS = 100;

/** The data directory is another process's for now. */
class InUse extends CommandError {}

const Refusal = z.object({
  name: z.literal("OperatorError"),
  code: z.enum(["usage", "not-found", "not-ready", "locked", "refused", "bad-answer", "stopped", "bug"]),
  message: z.string(),
  hint: z.nullable(z.string()),
});

/** The supervisor's composition root inside this process. */
interface Inside {
  call(
    call: OperatorCall,
    payload: Uint8Array,
    onEvent: (event: OperatorEvent, payload?: Uint8Array) => void,
    signal?: AbortSignal,
  ): Promise<unknown>;
  close(): Promise<void>;
}

const NOTHING = new Uint8Array(0);

class Offline implements OperatorPort {
  readonly daemon = null;
  readonly #operator: Inside;

  private constructor(operator: Inside) {
    this.#operator = operator;
  }

  static async open(context: Context, options: { readonly makesRoom?: boolean }): Promise<Offline> {
    const { openOffline } = await import("../supervisor/offline.ts");
    const offline = new Offline(await openOffline(context.home, options).catch((error: unknown) => fail(error)));
    try {
      await offline.#unlock(context);
    } catch (error) {
      await offline[Symbol.asyncDispose]();
      throw error;
    }
    return offline;
  }

  /** A passphrase is nowhere but in its owner's head: without the daemon, which was told it, they are asked. */
  async #unlock({ terminal }: Context): Promise<void> {
    const status = await this.call({ call: "vault.status" });
    if (status.state !== "locked" || status.protector !== "passphrase") return;
    if (!terminal.interactive) {
      throw new CommandError(
        EXIT.notReady,
        "the vault is locked by a passphrase, and there is no terminal to ask for it",
        "start the daemon and unlock it with: wirken vault unlock",
      );
    }
    await this.call({ call: "vault.unlock" }, { payload: await askedHidden(terminal, "Passphrase of the vault: ") });
  }

  async call<C extends CallName>(call: CallOf<C>, options: CallOptions = {}): Promise<AnswerTo<C>> {
    const payload = options.payload ?? new Uint8Array(0);
    try {
      const value: unknown = await this.#operator.call(
        call,
        payload,
        (event, piece) => options.onEvent?.(event, piece ?? NOTHING),
        options.signal,
      );
      return parseAnswer<C>(call.call, value);
    } catch (error) {
      return fail(error);
    } finally {
      payload.fill(0);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#operator.close();
  }
}

/** The supervisor's errors come from another part of the executable: they are told by what they say of themselves. */
export function fail(error: unknown): never {
  if (error instanceof CommandError) throw error;
  const refusal = Refusal.safeParse(
    error instanceof Error && "hint" in error && "code" in error
      ? { name: error.name, code: error.code, message: error.message, hint: error.hint }
      : null,
  );
  if (refusal.success) {
    const { code, message, hint } = refusal.data;
    throw CommandError.from({ code, sentence: message, hint });
  }
  if (error instanceof Error && "code" in error && error.code === "HOME_IN_USE") {
    throw new InUse(EXIT.notReady, error.message, "it does not answer yet: try again in a moment", {
      cause: error,
    });
  }
  // The log or the vault cannot be opened: that is told as a start tells it, and is no bug of ours.
  if (error instanceof Error && "code" in error && /^(AUDIT|VAULT|STATE)_/.test(String(error.code)))
    throw new CommandError(
      EXIT.notReady,
      error.message,
      /^AUDIT_(BROKEN|SECOND_WRITER)$/.test(String(error.code))
        ? 'wirken audit verify says more; wirken audit restore --reason "…" begins a new log that names this one'
        : "wirken audit verify says what holds",
      {
        cause: error,
      },
    );
  throw error;
}
