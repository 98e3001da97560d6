import type { Duplex } from "node:stream";
import * as z from "zod/mini";
import type { AuditLog } from "../../audit/log.ts";
import { copyOf } from "../../vault/secret.ts";
import type { Vault } from "../../vault/vault.ts";
import type { Role } from "../confine/role.ts";
import { handSecrets } from "../effect/secret.ts";
import { FIRST_LANE } from "../ipc/egress-frames.ts";
import { CheckFailure } from "../ipc/frame-common.ts";
import type { NamedBytes } from "../ipc/named-bytes.ts";
import { Compartment, type CompartmentStatus } from "./compartment.ts";
import type { Checked } from "./credentials.ts";
import { type Lane, LaneError, type LaneSource } from "./egress-lane.ts";
import type { Holdable } from "./intake.ts";
import { type Life, type LifeSpec, type ProcessLog, startJoinedLives, startLife } from "./life.ts";
import type { Image } from "./own-image.ts";
import type { Reach } from "./reach-list.ts";

/** A credential's place in the vault: all its names go to the one child that needs them. */
export interface SecretOf {
  readonly scope: string;
  readonly version: number;
  readonly names: readonly string[];
}

const CheckedFrame = z.strictObject({
  type: z.literal("checked"),
  failure: z.nullable(CheckFailure),
  account: z.nullable(z.string().check(z.maxLength(200))),
});

interface Framed {
  readonly type: string;
}

interface What<In extends Framed, Out extends Framed> {
  readonly role: Role;
  readonly args: readonly string[];
  /** Which of its kind: a channel, a provider. */
  readonly subject: string | null;
  readonly accepts: z.ZodMiniType<In>;
  /** The frame that asks it to end. */
  readonly stop: Out;
  /** The row that led to it. */
  readonly cause: number | null;
  /** What it may reach, asked at each start and whenever something changes: it gets a lane of its own. Left out: it has no way out. */
  readonly reach?: () => Reach;
}

export interface RunningChild<Out> {
  send(header: Out, payload?: Uint8Array): Promise<void>;
  /** It broke the protocol, or goes on where it was told to end. */
  end(reason: "protocol" | "timeout", detail: string): void;
  stop(): Promise<void>;
}

export interface OnceSpec<In extends Framed, Out extends Framed> extends What<In, Out> {
  /** One credential that it is given before anything else, recorded, and the frame that carries it. */
  readonly secret?: { readonly of: SecretOf; readonly frame: (name: string) => Out };
  hear(header: In, payload: Uint8Array): void;
  ended(): void;
}

/** The way to one process. */
export interface StartedChild<Out> extends Holdable {
  send(header: Out, payload?: Uint8Array): Promise<void>;
}

export interface KeepSpec<In extends Framed, Out extends Framed> extends What<In, Out> {
  /** The frame that carries one credential. */
  readonly secret: (name: string, scope: string) => Out;
  /** Asked at each start: what was replaced meanwhile is handed over in its newest version. */
  readonly secrets: () => readonly SecretOf[];
  /** It is up and has these secrets: it is told to begin. */
  started(child: StartedChild<Out>, given: readonly SecretOf[]): Promise<void>;
  hear(header: In, payload: Uint8Array): void;
  down(): void;
  givenUp?(why: string): void;
  /** Further pipes to it. `opened` has this side of each, at once when it is started. */
  readonly pipes?: { readonly count: number; opened(ends: readonly Duplex[]): void };
}

/** A child that is started again when it dies. */
export interface Kept<Out> {
  send(header: Out, payload?: Uint8Array): Promise<void>;
  /** Hands a new version to the process that runs, recorded as at its start. @throws {Error} when none runs. */
  hand(secret: SecretOf): Promise<void>;
  /** @throws {CompartmentError} when it is not up within `ms`. */
  whenReady(ms: number): Promise<void>;
  broke(what: string): void;
  stop(): Promise<void>;
}

export interface JoinedSpec<InA extends Framed, OutA extends Framed, InB extends Framed, OutB extends Framed> {
  readonly first: Omit<What<InA, OutA>, "args" | "subject" | "cause"> & {
    hear(header: InA, payload: Uint8Array): void;
  };
  readonly second: Omit<What<InB, OutB>, "args" | "subject" | "cause"> & {
    hear(header: InB, payload: Uint8Array): void;
  };
  readonly cause: number | null;
  ready(): void;
  down(): void;
  givenUp(why: string): void;
}

export interface JoinedPair<OutA, OutB> {
  first(header: OutA, payload?: Uint8Array): Promise<void>;
  second(header: OutB, payload?: Uint8Array): Promise<void>;
  stop(): Promise<void>;
}

export interface CheckSpec<In extends Framed, Out extends Framed> extends What<In, Out> {
  readonly secret: (name: string) => Out;
  /** What is not saved yet, or where it is saved: then its hand-over is recorded. */
  readonly candidate: readonly NamedBytes[] | SecretOf;
  readonly start: Out;
  readonly timeoutMs: number;
  /** Whatever it says besides its answer. */
  hear?(header: In, payload: Uint8Array, process: Pick<StartedChild<Out>, "send">): void;
  ended?(): void;
}

interface Listed {
  readonly role: Role;
  readonly subject: string | null;
  readonly status: () => CompartmentStatus;
}

/** Every child that the supervisor has. A start is on the log before it happens, and so is each secret that is handed over. */
export class Processes {
  readonly #log: AuditLog;
  readonly #vault: () => Vault;
  readonly #line: (role: string, line: string) => void;
  readonly #lanes: LaneSource;
  readonly #certificates: () => string | null;
  readonly #image: Image | undefined;
  readonly #listed = new Set<Listed>();
  readonly #lives = new Set<{
    readonly role: Role;
    readonly subject: string | null;
    readonly pid: number;
    readonly since: string;
  }>();

  /** @param parts.lanes where processes that are to reach something get their way out. */
  constructor(parts: {
    log: AuditLog;
    vault: () => Vault;
    line: (role: string, line: string) => void;
    lanes: LaneSource;
    /** A file with further certificates, for processes that speak TLS; null where there is none. */
    certificates: () => string | null;
    /** What is started: our own image if not given. */
    image?: Image;
  }) {
    this.#log = parts.log;
    this.#vault = parts.vault;
    this.#line = parts.line;
    this.#lanes = parts.lanes;
    this.#certificates = parts.certificates;
    this.#image = parts.image;
  }

  #records(cause: number | null): ProcessLog {
    return {
      record: async (action) => await this.#log.record(action, { cause }),
      ended: async (action, given) => await this.#log.append(action, given),
    };
  }

  /** Starts a child for one purpose; resolves when it is ready. @throws {Error} if it never is. */
  async once<In extends Framed, Out extends Framed>(spec: OnceSpec<In, Out>): Promise<RunningChild<Out>> {
    const { secret } = spec;
    const life = await this.#start<In, Out>(spec, {
      ...this.#what(spec),
      frame: (header, payload) => spec.hear(header, payload),
      ...(secret === undefined
        ? {}
        : { begin: async (begun: Life<In, Out>) => await this.#hand(secret.of, begun, secret.frame) }),
    });
    const entry = { role: spec.role, subject: spec.subject, pid: life.pid ?? 0, since: new Date().toISOString() };
    this.#lives.add(entry);
    void life.ended.then(() => {
      this.#lives.delete(entry);
      spec.ended();
    });
    if (!(await life.ready)) throw new Error(`the ${spec.role} process did not start: ${(await life.ended).detail}`);
    return {
      send: (header, payload) => life.send(header, payload),
      end: (_reason, detail) => life.accuse(detail),
      stop: async () => {
        await life.stop();
      },
    };
  }

  /** Starts a process, with a lane of its own where it is to reach something. @param lost its lane is gone, and that is no failure of its own;
   *  it is ended if not given. @throws {AuditError}, {LaneError}. */
  async #start<In extends Framed, Out extends Framed>(
    what: Pick<What<In, Out>, "role" | "subject" | "reach">,
    spec: LifeSpec<In, Out>,
    lost?: (how: { gone: boolean }) => void,
  ): Promise<Life<In, Out>> {
    const { role, subject, reach } = what;
    if (reach === undefined) return await startLife<In, Out>(spec);
    let life: Life<In, Out> | null = null;
    const end = (): void => void life?.kill();
    const lane: Lane = await this.#lanes.lane({ role, subject, reach, lost: lost ?? end });
    try {
      life = await startLife<In, Out>({ ...spec, lane });
      return life;
    } catch (error) {
      lane.end();
      throw error;
    }
  }

  #what<In extends Framed, Out extends Framed>(what: What<In, Out>): Omit<LifeSpec<In, Out>, "frame"> {
    const { role, args, subject, accepts, stop, cause } = what;
    const label = subject === null ? role : `${role} ${subject}`;
    return {
      role,
      args,
      subject,
      accepts,
      records: this.#records(cause),
      log: (line) => this.#line(label, line),
      stop,
      certificates: this.#certificates(),
      ...(this.#image === undefined ? {} : { image: this.#image }),
    };
  }

  /** Starts a child and keeps it running. */
  keep<In extends Framed, Out extends Framed>(spec: KeepSpec<In, Out>): Kept<Out> {
    let current: Life<In, Out> | null = null;
    const compartment: Compartment = new Compartment({
      open: async () => {
        const pipes = spec.pipes?.count ?? 0;
        const life = await this.#start<In, Out>(
          spec,
          {
            ...this.#what<In, Out>(spec),
            pipes,
            frame: (header, payload) => spec.hear(header, payload),
            begin: async (begun) => {
              const secrets = spec.secrets();
              for (const secret of secrets) await this.#hand(secret, begun, spec.secret);
              await spec.started(
                {
                  send: (header, payload) => begun.send(header, payload),
                  pause: () => begun.pause(),
                  resume: () => begun.resume(),
                },
                secrets,
              );
            },
          },
          (how) => compartment.excuse(how),
        );
        current = life;
        spec.pipes?.opened(Array.from({ length: pipes }, (_, n) => life.extra(FIRST_LANE + n)));
        return [life];
      },
      down: () => {
        current = null;
        spec.down();
      },
      givenUp: (why) => {
        this.#line(spec.subject ?? spec.role, why);
        spec.givenUp?.(why);
      },
    });
    const listed: Listed = { role: spec.role, subject: spec.subject, status: () => compartment.status };
    this.#listed.add(listed);
    compartment.start();
    return {
      send: async (header, payload) => {
        if (current === null) throw new Error(`the ${spec.role} process is not running`);
        await current.send(header, payload);
      },
      hand: async (secret) => {
        if (current === null) throw new Error(`the ${spec.role} process is not running`);
        await this.#hand(secret, current, spec.secret);
      },
      whenReady: async (ms) => await compartment.whenUp(ms),
      broke: (what) => current?.accuse(what),
      stop: async () => {
        this.#listed.delete(listed);
        await compartment.stop();
      },
    };
  }

  async #hand<In extends Framed, Out extends Framed>(
    secret: SecretOf,
    life: Life<In, Out>,
    frame: (name: string, scope: string) => Out,
  ): Promise<void> {
    const { scope, version, names } = secret;
    const recorded = await this.#log.record(
      { kind: "secret.used", scope, version, process: life.id },
      { cause: life.seq },
    );
    await handSecrets(recorded, this.#vault(), names, (name, bytes) =>
      life.send(frame(name, scope), bytes, { wipe: true }),
    );
  }

  /** Two children that share a lane, kept running together. */
  joined<InA extends Framed, OutA extends Framed, InB extends Framed, OutB extends Framed>(
    spec: JoinedSpec<InA, OutA, InB, OutB>,
  ): JoinedPair<OutA, OutB> {
    let pair: { first: Life<InA, OutA>; second: Life<InB, OutB> } | null = null;
    const compartment = new Compartment({
      open: async () => {
        const { first, second, cause } = spec;
        pair = await startJoinedLives<InA, OutA, InB, OutB>(
          {
            ...this.#what<InA, OutA>({ ...first, args: [], subject: null, cause }),
            frame: (header, payload) => first.hear(header, payload),
          },
          {
            ...this.#what<InB, OutB>({ ...second, args: [], subject: null, cause }),
            frame: (header, payload) => second.hear(header, payload),
          },
        );
        return [pair.first, pair.second];
      },
      ready: () => spec.ready(),
      down: () => {
        pair = null;
        spec.down();
      },
      givenUp: (why) => spec.givenUp(why),
    });
    for (const [index, role] of [spec.first.role, spec.second.role].entries()) {
      this.#listed.add({
        role,
        subject: null,
        status: () => ({ ...compartment.status, processes: compartment.status.processes.slice(index, index + 1) }),
      });
    }
    compartment.start();
    return {
      first: async (header, payload) => await (pair?.first.send(header, payload) ?? gone()),
      second: async (header, payload) => await (pair?.second.send(header, payload) ?? gone()),
      stop: async () => await compartment.stop(),
    };
  }

  /** Asks a platform about candidates, in a process that gets nothing else and ends with its answer. */
  async check<In extends Framed, Out extends Framed>(spec: CheckSpec<In, Out>): Promise<Checked> {
    const answered = Promise.withResolvers<Checked>();
    const starting = this.#start<In, Out>(spec, {
      ...this.#what<In, Out>(spec),
      frame: (header, payload) => {
        const checked = checkedOf(header, payload, "scope" in spec.candidate);
        if (checked !== null) answered.resolve(checked);
        else spec.hear?.(header, payload, { send: (out, bytes) => life.send(out, bytes) });
      },
      begin: async (begun) => {
        if ("scope" in spec.candidate) await this.#hand(spec.candidate, begun, spec.secret);
        else
          for (const { name, bytes } of spec.candidate)
            await begun.send(spec.secret(name), copyOf(bytes), { wipe: true });
        await begun.send(spec.start);
      },
    });
    let life: Life<In, Out>;
    try {
      life = await starting;
    } catch (error) {
      if (error instanceof LaneError) return unreachable(error.message);
      throw error;
    }
    const late = setTimeout(
      () => answered.resolve(unreachable(`the check took longer than ${spec.timeoutMs / 1000} s`)),
      spec.timeoutMs,
    );
    void life.ended.then((end) => {
      answered.resolve(unreachable(`the check ended before it was done: ${end.detail}`));
      spec.ended?.();
    });
    const checked = await answered.promise;
    clearTimeout(late);
    await life.stop();
    return checked;
  }

  /** What runs now, for the status. */
  list(): {
    role: string;
    subject: string | null;
    pid: number;
    since: string;
    restarts: number;
    state: "starting" | "ready" | "stopping";
  }[] {
    const kept = [...this.#listed].flatMap(({ role, subject, status }) => {
      const now = status();
      return now.processes.flatMap(({ pid }) =>
        pid === null
          ? []
          : [
              {
                role,
                subject,
                pid,
                since: new Date(now.since).toISOString(),
                restarts: now.restarts,
                state: now.state === "up" ? ("ready" as const) : ("starting" as const),
              },
            ],
      );
    });
    const lives = [...this.#lives].map((life) => ({ ...life, restarts: 0, state: "ready" as const }));
    return [...kept, ...lives];
  }
}

/** The answer of a check, from an adapter or a model process: what was refused is not saved, what could not be asked is saved unchecked. */
function checkedOf(header: Framed, payload: Uint8Array, stored: boolean): Checked | null {
  const parsed = CheckedFrame.safeParse(header);
  if (!parsed.success) return null;
  const { failure, account } = parsed.data;
  if (failure === null) return { result: "good", account, sentence: null };
  const sentence = Buffer.from(payload).toString("utf8").slice(0, 500);
  // An answer that nobody understands refuses a candidate; what is kept and in use is not given up for it.
  const undecided = failure === "unreachable" || (stored && failure === "other");
  return { result: undecided ? "unreachable" : "refused", account: null, sentence };
}

function unreachable(sentence: string): Checked {
  return { result: "unreachable", account: null, sentence };
}

function gone(): Promise<never> {
  return Promise.reject(new Error("the page's processes are not running"));
}
