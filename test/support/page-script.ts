import { createHash } from "node:crypto";
import type { BudgetView } from "../../src/ipc/budget-calls.ts";
import { mint, Name, type SessionId } from "../../src/ipc/ids.ts";
import type { RowView } from "../../src/ipc/audit-calls.ts";
import type { AnswerTo, ApprovalView, OperatorCall } from "../../src/ipc/operator.ts";
import type { Spent } from "../../src/supervisor/spending.ts";
import { usageOf } from "../../src/supervisor/usage.ts";
import { Refusal } from "./web-supervisor.ts";

const NOW = Date.now();
const ago = (minutes: number) => new Date(NOW - minutes * 60_000).toISOString();

export const CARD = [
  "run a command in the workspace of agent default",
  "  argv[0]: rm",
  "  argv[1]: -rf",
  "  argv[2]: build/output and a\\u{202e}name with a direction mark",
  "may write: the workspace",
  "network: none",
].join("\n");

export function approvalOf(card: string, more: Partial<ApprovalView> = {}): ApprovalView {
  return {
    approval: mint("approval"),
    code: "7Q4M2KXA",
    at: ago(0),
    expires: new Date(Date.now() + 600_000).toISOString(),
    session: mint("session"),
    agent: "default",
    requester: "the owner",
    channel: "web",
    key: "exec:rw",
    tier: 2,
    card,
    digest: createHash("sha256").update(card).digest("hex"),
    scopes: [
      { scope: "once", means: "this command, now" },
      { scope: "session", means: "commands that write in the workspace, until this conversation ends" },
      { scope: "always", means: "commands that write in the workspace, asked for here by you" },
    ],
    decidable: true,
    elsewhere: null,
    ...more,
  };
}

function rows(size: number): RowView[] {
  const kinds: [string, Record<string, unknown>, Record<string, string | null>][] = [
    ["message.received", { channel: "web", session: mint("session") }, { text: "list my files" }],
    ["model.called", { provider: "ollama", model: "qwen3:8b" }, { request: '{"messages":[…]}' }],
    ["model.answered", { model: "qwen3:8b", input: 812, output: 64 }, {}],
    ["tool.called", { tool: "list_files", key: "file.read:workspace" }, { arguments: '{"path":"."}' }],
    ["tool.finished", { state: "done" }, { output: "README.md\nnotes/\nplan.txt" }],
    ["message.sent", { channel: "web" }, { text: null }],
  ];
  return Array.from({ length: size }, (_, seq) => {
    const [kind, fields, content] = kinds[seq % kinds.length] ?? ["daemon.started", {}, {}];
    return { seq, at: ago((size - seq) * 0.7), kind, cause: seq === 0 ? null : seq - 1, fields, content };
  });
}

/** A daemon's answers as they might be, with state that a test can change. */
export class PageScript {
  entries: AnswerTo<"transcript">["entries"] = [];
  approvals: ApprovalView[] = [];
  rows: RowView[] = rows(130);
  verdict: AnswerTo<"audit.verify"> = {
    state: "good",
    sentences: [
      "130 rows are unchanged since they were written: every hash, the chain and the tree agree.",
      "The newest of 3 checkpoints, at row 120, is signed by this log's key.",
      "10 rows are newer than the newest checkpoint.",
    ],
    verdict: {},
  };
  /** Why nothing runs. */
  stopped: string | null = null;
  pending: AnswerTo<"pair.list">["pending"] = [
    {
      pairing: mint("pairing"),
      code: "4KD7Q2ZM",
      channel: "telegram",
      id: "987654321",
      name: "Sam",
      expires: new Date(NOW + 3_000_000).toISOString(),
    },
  ];
  schedules: AnswerTo<"schedule.list">["schedules"] = [];
  decided: Extract<OperatorCall, { call: "approvals.decide" }>[] = [];
  sessions: AnswerTo<"web.sessions">["sessions"] = [
    {
      session: mint("web"),
      since: ago(90),
      last: ago(0),
      until: new Date(NOW + 40_000_000).toISOString(),
      current: true,
    },
    {
      session: mint("web"),
      since: ago(3000),
      last: ago(400),
      until: new Date(NOW + 20_000_000).toISOString(),
      current: false,
    },
  ];
  servers: AnswerTo<"mcp.list">["servers"] = [];
  /** What models used, and what they may use: looked at by the usage tab. */
  spent: Spent[] = [];
  budgets: BudgetView[] = [];
  /** Told of what is said; what it emits is up to the test. */
  said: (text: string, session: SessionId) => void | Promise<void> = () => undefined;
  readonly session = mint("session");
  readonly turn = mint("turn");
  readonly folders: AnswerTo<"folder.list">["folders"] = [];
  agents: AnswerTo<"status">["agents"] = [{ agent: Name.parse("default"), ref: "ollama/qwen3:8b" }];
  /** Files that agents are told. */
  instructions: AnswerTo<"instructions.show">["files"] = [];
  /** What was to be asked again. */
  readonly again: string[] = [];

  readonly answer = async (call: OperatorCall, text: string): Promise<object> => {
    switch (call.call) {
      case "status":
        return this.#status();
      case "say":
        await this.said(text, this.session);
        return { session: this.session, end: "done" } satisfies AnswerTo<"say">;
      case "transcript":
        return { session: this.session, entries: this.entries } satisfies AnswerTo<"transcript">;
      case "mcp.list":
        return { servers: this.servers } satisfies AnswerTo<"mcp.list">;
      case "budget.show":
        return { budgets: this.budgets } satisfies AnswerTo<"budget.show">;
      case "usage.show":
        return usageOf(this.spent, call, (principal) => (principal === "p_ada" ? "Ada" : null));
      case "session.stop":
        return { stopped: true } satisfies AnswerTo<"session.stop">;
      case "approvals.list":
        return { approvals: this.approvals } satisfies AnswerTo<"approvals.list">;
      case "approvals.decide":
        return this.#decide(call);
      case "approvals.again":
        this.again.push(call.which);
        return { again: true, sentence: "asked again" } satisfies AnswerTo<"approvals.again">;
      case "vault.list":
        return {
          status: this.#status().vault,
          credentials: [
            {
              scope: "channel/telegram",
              names: ["bot-token"],
              version: 1,
              fallback: null,
              created: ago(900),
              checked: true,
              lastCheck: null,
              account: "@an_example_bot",
              expires: null,
              rotationDue: null,
              lastUsed: ago(900),
              hosts: [],
              header: null,
            },
          ],
          more: false,
        } satisfies AnswerTo<"vault.list">;
      case "pair.list":
        return this.#pairs();
      case "schedule.list":
        return { schedules: this.schedules } satisfies AnswerTo<"schedule.list">;
      case "pair.approve":
        this.pending = this.pending.filter(({ code }) => code !== call.code);
        return {
          principal: mint("principal"),
          name: "Sam",
          role: call.role,
          channel: "telegram",
        } satisfies AnswerTo<"pair.approve">;
      case "folder.list":
        return {
          folders: this.folders,
          agents: [Name.parse("default"), Name.parse("helper")],
        } satisfies AnswerTo<"folder.list">;
      case "folder.add": {
        const { path, agent, write } = call;
        const made = { folder: mint("folder"), name: "documents", path, agent, write, principal: null, person: null };
        this.folders.push({ ...made, at: ago(0), wrong: null });
        return { ...made, at: ago(0), wrong: null } satisfies AnswerTo<"folder.add">;
      }
      case "folder.remove": {
        const [gone] = this.folders.splice(0, 1);
        if (gone === undefined) throw new Error("there is no folder");
        return gone satisfies AnswerTo<"folder.remove">;
      }
      case "instructions.show":
        return { files: this.instructions } satisfies AnswerTo<"instructions.show">;
      case "instructions.accept":
        this.instructions = this.instructions.map((file) => ({ ...file, state: "in force", difference: "" }));
        return { agent: call.agent, path: call.path, digest: call.digest } satisfies AnswerTo<"instructions.accept">;
      case "undo.list":
        return { turns: [{ turn: this.turn, at: ago(60), agent: "default" }] } satisfies AnswerTo<"undo.list">;
      case "undo":
        return {
          turn: call.turn,
          session: this.session,
          files: [{ path: "/w/notes.txt", state: "restored", why: null }],
          beyond: ["a reply was sent (row 7)"],
          before: 0,
          row: call.preview ? null : 9,
        } satisfies AnswerTo<"undo">;
      case "web.sessions":
        return { sessions: this.sessions } satisfies AnswerTo<"web.sessions">;
      case "web.sessions.end":
        this.sessions = this.sessions.filter(({ session }) => session !== call.session);
        return { ended: true } satisfies AnswerTo<"web.sessions.end">;
      case "audit.rows": {
        const { before = Number.POSITIVE_INFINITY, limit, kind } = call.filter;
        const found = this.rows.filter((row) => row.seq < before && (kind === undefined || row.kind === kind));
        return {
          rows: found.toReversed().slice(0, limit),
          size: this.rows.length,
          next: null,
          unread: [],
        } satisfies AnswerTo<"audit.rows">;
      }
      case "audit.explain":
        return {
          chain: this.rows.slice(Math.max(0, call.seq - 3), call.seq + 1),
          sentences: [
            "The owner asked for this on the page.",
            "The agent default called the tool list_files.",
            "Reading the workspace is free: nobody had to approve it.",
          ],
          held: ["The policy 5f5f5f5f5f5f5f5f was in force."],
        } satisfies AnswerTo<"audit.explain">;
      case "audit.verify":
        return this.verdict;
      case "approvals.show":
      case "agents.list":
      case "agents.show":
      case "agents.add":
      case "agents.set":
      case "agents.bind":
      case "agents.leaving":
      case "agents.remove":
      case "models.list":
      case "models.test":
      case "search.test":
      case "models.use":
      case "models.fall-back":
      case "models.price":
      case "models.price.set":
      case "audit.acknowledge":
      case "audit.anchor.add":
      case "audit.anchor.list":
      case "audit.anchor.remove":
      case "audit.checkpoint":
      case "audit.export":
      case "audit.erase":
      case "audit.follow":
      case "audit.key.rotate":
      case "vault.lock":
      case "vault.rekey":
      case "vault.recovery.create":
      case "vault.backup":
      case "recovery.sheet":
      case "audit.key.show":
      case "audit.prune":
      case "budget.set":
      case "incident.open":
      case "incident.show":
      case "incident.close":
      case "channel.disable":
      case "channel.enable":
      case "channel.list":
      case "channel.status":
      case "channel.test":
      case "daemon.stop":
      case "egress.show":
      case "grant.add":
      case "grant.list":
      case "grant.show":
      case "grant.revoke":
      case "policy.test":
      case "confinement":
      case "memory.list":
      case "memory.show":
      case "memory.remove":
      case "halt.begin":
      case "halt.end":
      case "hold.add":
      case "hold.list":
      case "hold.remove":
      case "session.list":
      case "session.show":
      case "session.replay":
      case "session.close":
      case "session.export":
      case "label.clear":
      case "label.show":
      case "pair.revoke":
      case "people.link":
      case "people.remove":
      case "people.report":
      case "people.role":
      case "people.show":
      case "people.unlink":
      case "people.transfer":
      case "people.export":
      case "mcp.accept":
      case "mcp.add":
      case "mcp.authorize":
      case "mcp.authorize.back":
      case "mcp.authorize.wait":
      case "mcp.disable":
      case "mcp.enable":
      case "mcp.install":
      case "mcp.remove":
      case "mcp.show":
      case "mcp.test":
      case "mcp.tools":
      case "mcp.update":
      case "mcp.update.leave":
      case "mcp.update.take":
      case "skill.index":
      case "skill.install":
      case "skill.list":
      case "skill.look":
      case "skill.read":
      case "skill.remove":
      case "skill.show":
      case "skill.trust":
      case "skill.trust-root":
      case "skill.untrust":
      case "skill.verify":
      case "schedule.add":
      case "schedule.pause":
      case "schedule.remove":
      case "schedule.resume":
      case "schedule.run":
      case "schedule.show":
      case "people.same-channel":
      case "policy.show":
      case "vault.add":
      case "vault.check":
      case "vault.rotate":
      case "vault.protect":
      case "vault.remove":
      case "vault.status":
      case "vault.unlock":
      case "watch":
      case "web.link":
        throw new Refusal("not-found", `this script has no answer to ${call.call}`);
    }
  };

  #decide(call: Extract<OperatorCall, { call: "approvals.decide" }>): AnswerTo<"approvals.decide"> {
    this.decided.push(call);
    const view = this.approvals.find(({ approval }) => approval === call.approval);
    if (view === undefined) return { state: "gone", sentence: "there is no such request" };
    if (view.digest !== call.card)
      throw new Refusal("refused", "another card was shown than the one that is asked for");
    this.approvals = this.approvals.filter((one) => one !== view);
    const state = call.decision === "approve" ? "approved" : "denied";
    return { state, sentence: state };
  }

  #pairs(): AnswerTo<"pair.list"> {
    return {
      people: [
        {
          principal: mint("principal"),
          name: "the owner",
          role: "owner",
          identities: [{ channel: "telegram", id: "1234567", name: "Ada" }],
        },
        {
          principal: mint("principal"),
          name: "Kim",
          role: "user",
          identities: [{ channel: "slack:acme", id: "U0123", name: "kim" }],
        },
      ],
      pending: this.pending,
    };
  }

  #status(): AnswerTo<"status"> {
    const process = (role: string, subject: string | null, pid: number) => ({
      role,
      subject,
      pid,
      since: ago(95),
      restarts: 0,
      state: "ready" as const,
    });
    return {
      version: "1.2.3",
      build: "4f9c2a7d81be0356",
      pid: 4100,
      since: ago(95),
      home: "/home/ada/.wirken",
      web: "http://127.0.0.1:7777",
      vault: {
        state: "open",
        protector: "keychain",
        keychain: "works",
        recovery: true,
        sentence: "protected by this system's keychain",
      },
      model: {
        agent: Name.parse("default"),
        ref: "ollama/qwen3:8b",
        note: "the most recently used model that can call tools",
      },
      agents: this.agents,
      channels: [
        { channel: "telegram", enabled: true, state: "connected", account: "@an_example_bot", note: null },
        {
          channel: "slack:acme",
          enabled: true,
          state: "refused",
          account: null,
          note: "the app token was refused: run `wirken vault add slack:acme`",
        },
        { channel: "slack", enabled: false, state: "disabled", account: null, note: null },
      ],
      sandbox: { works: true, note: null },
      search: "asks Wikipedia (en.wikipedia.org)",
      log: { rows: this.rows.length, checkpoint: 120, stopped: this.stopped },
      processes: [
        process("ingress", null, 4107),
        process("web", null, 4108),
        process("adapter", "telegram", 4110),
        process("model", "ollama", 4115),
      ],
      proxy: null,
      storage: { state: "good", sentence: null },
      pendingApprovals: this.approvals.length,
      notes: ["keychain entry was made by an earlier version: run `wirken vault protect` once"],
    };
  }
}
