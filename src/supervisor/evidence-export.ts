import type { AuditLog } from "../../audit/log.ts";
import { AuditError } from "../../audit/error.ts";
import { openLive } from "../../audit/evidence.ts";
import { type Exported, type ExportRequest, exportSteps } from "../../audit/export.ts";
import { ExportFolder, mayExportTo } from "../../audit/export-folder.ts";
import { firstRowAt } from "../../audit/export-lines.ts";
import type { StoredCheckpoint } from "../../audit/head.ts";
import type { Recorded } from "../../audit/recorded.ts";
import type { Vault } from "../../vault/vault.ts";
import type { Home } from "../config/home.ts";
import { VERSION } from "../ipc/build.ts";
import { type ExportId, mint } from "../ipc/ids.ts";
import type { AnswerTo, OperatorCall, OperatorEvent } from "../ipc/operator.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

type ExportCall = Extract<OperatorCall, { call: "audit.export" }>;
type Database = Extract<ReturnType<typeof openLive>, { database: unknown }>["database"];

/** So often somebody is told how far it is, in milliseconds. */
const TELL_MS = 200;
/** After so long in one go others get their turn. */
const GO_MS = 8;

/** Hands the record over: recorded before a byte is written, and after all of it is on disk. */
export class EvidenceExport {
  readonly #log: AuditLog;
  readonly #home: Home;
  readonly #vault: Vault;
  readonly #now: () => number;
  #running = false;

  constructor(parts: { log: AuditLog; home: Home; vault: Vault; now: () => number }) {
    this.#log = parts.log;
    this.#home = parts.home;
    this.#vault = parts.vault;
    this.#now = parts.now;
  }

  /** @throws {OperatorError}. */
  async export(
    call: ExportCall,
    who: By,
    emit: (event: OperatorEvent) => void,
    signal: AbortSignal,
  ): Promise<AnswerTo<"audit.export">> {
    if (who.via !== "terminal")
      throw new OperatorError(
        "refused",
        "an export is made on the terminal only",
        "run: wirken audit export --out DIR",
      );
    if (this.#running) throw new OperatorError("not-ready", "an export is being written already", "wait for its end");
    this.#running = true;
    const evidence = openLive(this.#home.audit);
    try {
      if ("code" in evidence) throw new AuditError("AUDIT_BROKEN", `nothing was exported: ${evidence.sentence}`);
      mayExportTo(call.out, [this.#home.root]);
      return await this.#recorded(call, evidence.database, who, emit, signal);
    } catch (error) {
      throw told(error);
    } finally {
      this.#running = false;
      if (!("code" in evidence)) evidence.close();
    }
  }

  async #recorded(
    call: ExportCall,
    database: Database,
    who: By,
    emit: (event: OperatorEvent) => void,
    signal: AbortSignal,
  ): Promise<AnswerTo<"audit.export">> {
    const checkpoint = await this.#signed();
    const id = mint("export");
    const request = requestOf(call, id, database, checkpoint.size);
    const { from, to, session, content } = request;
    await using intent = await this.#log.record(
      { kind: "log.exporting", export: id, from, to, session, disclosure: content, ...who },
      { cause: null, content: { path: call.out } },
    );
    const exported = await this.#written(intent, request, { database, checkpoint }, call.out, emit, signal).catch(
      async (error: unknown) => {
        await intent.fail(error);
        throw error;
      },
    );
    const { rows, proofs, size, parts, files, bytes, digest } = exported;
    await intent.finish({ kind: "log.exported", rows, proofs, digest });
    const { vkey } = this.#log;
    return { export: id, out: call.out, rows, size, from, to, proofs, parts, files, bytes, digest, vkey };
  }

  /** A checkpoint that covers every row there is. */
  async #signed(): Promise<StoredCheckpoint> {
    const { lastCheckpoint, size } = this.#log;
    return lastCheckpoint?.size === size ? lastCheckpoint : await this.#log.checkpoint("demand");
  }

  async #written(
    intent: Recorded<"log.exporting">,
    request: ExportRequest,
    { database, checkpoint }: { database: Database; checkpoint: StoredCheckpoint },
    out: string,
    emit: (event: OperatorEvent) => void,
    signal: AbortSignal,
  ): Promise<Exported> {
    intent.redeem();
    const sealer = request.content === "full" ? this.#vault.sealer() : null;
    const at = new Date(this.#now()).toISOString();
    const folder = ExportFolder.begin(out, request.id, [this.#home.root]);
    const steps = exportSteps({ database, checkpoint, sealer, version: VERSION, at }, request, folder);
    let [said, since] = [0, this.#now()];
    for (;;) {
      if (signal.aborted) {
        steps.throw(new OperatorError("stopped", "the export was stopped; nothing of it is left"));
      }
      const step = steps.next();
      if (step.done === true) return step.value;
      const now = this.#now();
      if (now - said > TELL_MS) {
        emit({ event: "progress", done: step.value.rows, of: step.value.of });
        said = now;
      }
      if (now - since < GO_MS) continue;
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      since = this.#now();
    }
  }
}

/** Times become rows: no row is earlier than the one before it. */
function requestOf(call: ExportCall, id: ExportId, database: Database, size: number): ExportRequest {
  const { since, until, session, content } = call;
  const from = since === null ? 0 : Math.min(size, firstRowAt(database, since) ?? size);
  const to = until === null ? size : Math.min(size, firstRowAt(database, until) ?? size);
  if (from >= to)
    throw new OperatorError("not-found", "there are no rows in that time", "see when there are: wirken audit log");
  return { id, from, to, session, content };
}

function told(error: unknown): unknown {
  if (!(error instanceof AuditError)) return error;
  switch (error.code) {
    case "AUDIT_INVALID":
      return new OperatorError("usage", error.message, "nothing was written", { cause: error });
    case "AUDIT_BROKEN":
      return new OperatorError("bad-answer", error.message, "wirken audit verify says more", { cause: error });
    case "AUDIT_UNWRITABLE":
      return new OperatorError("not-ready", error.message, "choose another disk, or make room", { cause: error });
    default:
      return error;
  }
}
