import * as f from "./field.ts";

type Fields = Readonly<Record<string, { readonly bound: number; readonly admits: (value: unknown) => boolean }>>;

/** Every kind of row there is, and the class of every field in it. Closed: what is not here cannot be recorded.
 *
 *  `fields` are in the body, in plain strings and numbers. `content` names the sealed parts that a row of this kind may have: each
 *  is in the body as a salted commitment only. Of a `derived` part only the salt is kept: it can be made again from other rows, and then shown to
 *  be what was committed to. A kind with `outcomes` is an *intent*: it takes effect outside the log, is recorded before
 *  that, and ends in exactly one of them (or in `action.failed`, or at the next start in `action.interrupted`). */
interface KindSpec {
  readonly fields: Fields;
  /** Fields that came later, or that only some rows of this kind have: older rows stay valid without them. */
  readonly optional?: Fields;
  readonly content?: readonly string[];
  readonly derived?: readonly string[];
  readonly outcomes?: readonly string[];
}

/** By whom, and by which of their ways: the terminal and the page act as the owner of the operating-system account. */
const BY = { by: f.id, via: f.name } as const;
const TURN = { turn: f.id, session: f.id } as const;
/** What was in force: the commitments of the newest `policy.loaded` and `agent.configured`. */
const UNDER = { policy: f.digest, settings: f.digest } as const;
/** Whose budget: an agent's or a person's, in millionths of a US dollar or in tokens, for each hour, day or month (UTC). */
const BUDGET = {
  agent: f.orNull(f.name),
  principal: f.orNull(f.id),
  per: f.oneOf("hour", "day", "month"),
  unit: f.oneOf("usd", "tokens"),
} as const;
const PROTECTOR = f.oneOf("none", "keychain", "passphrase");

export const KINDS = {
  // The log itself
  "log.opened": {
    fields: { origin: f.vkey, vkey: f.vkey, format: f.count, protector: PROTECTOR, anchors: f.count },
    /** A log that takes the place of another: its origin, the rows and root that were kept, and the size of the anchor that was ahead. */
    optional: { predecessor: f.vkey, kept: f.count, keptRoot: f.digest, ahead: f.orNull(f.count), ...BY },
    content: ["reason"],
  },
  "log.checkpointed": { fields: { reason: f.oneOf("start", "stop", "rows", "time", "demand", "rotation") } },
  "key.rotated": { fields: { epoch: f.count, vkey: f.vkey, protector: PROTECTOR } },
  "clock.changed": { fields: { real: f.time, reason: f.oneOf("backwards", "jump") } },
  "finding.raised": { fields: { code: f.version, at: f.orNull(f.seq) } },
  "finding.acknowledged": { fields: { code: f.version, ...BY }, content: ["reason"] },
  /** The whole log was verified in the background, up to this size. */
  "log.verified": { fields: { size: f.count, findings: f.count } },
  "log.exported": { fields: { rows: f.count, proofs: f.count, digest: f.digest } },
  "log.exporting": {
    fields: {
      export: f.id,
      from: f.seq,
      to: f.seq,
      session: f.orNull(f.id),
      disclosure: f.oneOf("none", "commitments", "full"),
      ...BY,
    },
    content: ["path"],
    outcomes: ["log.exported"],
  },
  /** Bodies of rows `from` up to, without, `to` were emptied; `roots` are those of the complete subtrees of that range, left to right. */
  "log.pruned": { fields: { from: f.seq, to: f.seq, rows: f.count, roots: f.digests, ...BY } },
  "anchor.added": {
    fields: {
      anchor: f.name,
      type: f.oneOf("witness", "timestamp", "file", "keychain"),
      vkey: f.orNull(f.vkey),
      ...BY,
    },
    /** Of a timestamp authority: SHA-256 of each certificate that is trusted to vouch for it. */
    optional: { pins: f.digests },
    content: ["place"],
  },
  "anchor.removed": { fields: { anchor: f.name, ...BY } },
  /** An anchor works (again): it holds the log up to this size. */
  "anchor.reached": { fields: { anchor: f.name, size: f.count } },
  "anchor.failed": {
    fields: { anchor: f.name, reason: f.oneOf("unreachable", "refused", "conflict", "new-key", "bad-answer") },
    content: ["error"],
  },
  "storage.exhausted": { fields: { free: f.count } },
  "storage.recovered": { fields: { free: f.count } },
  "action.failed": { fields: {}, content: ["error"] },
  "action.interrupted": { fields: {} },
  "database.migrated": { fields: { database: f.oneOf("audit", "vault", "state"), from: f.count, to: f.count } },

  // The daemon and what was in force
  "daemon.starting": { fields: { version: f.version, build: f.version } },
  "daemon.started": {
    fields: {
      version: f.version,
      commit: f.version,
      executable: f.digest,
      system: f.version,
      confinement: f.version,
      vault: PROTECTOR,
    },
  },
  "daemon.stopped": { fields: { reason: f.oneOf("command", "signal", "failure") } },
  /** A process reached a host over its lane: once in its life for each host and port. `host` is the entry of its list, where that is shipped with us;
   *  null: the operator wrote it down, or it is not on the list any more. The host itself, as the process named it, is content. */
  "egress.reached": {
    fields: {
      process: f.id,
      role: f.name,
      subject: f.orNull(f.name),
      host: f.orNull(f.host),
      port: f.orNull(f.count),
      source: f.orNull(f.oneOf("channel", "provider", "config", "credential", "anchor", "action")),
    },
    content: ["host"],
  },
  /** A process asked for a host and did not get it, or lost it again; `times` since then. */
  "egress.refused": {
    fields: {
      process: f.id,
      role: f.name,
      subject: f.orNull(f.name),
      reason: f.oneOf(
        "unlisted",
        "literal",
        "private",
        "server-name",
        "malformed",
        "busy",
        "unresolved",
        "unreachable",
        "timeout",
        "withdrawn",
      ),
      port: f.orNull(f.count),
      times: f.count,
      since: f.time,
    },
    content: ["host"],
  },
  /** More of the kind than are told one by one. */
  "egress.flood": {
    fields: {
      role: f.name,
      subject: f.orNull(f.name),
      what: f.oneOf("reached", "refused"),
      times: f.count,
      since: f.time,
    },
  },
  "sandbox.probed": {
    fields: { state: f.oneOf("works", "weaker", "missing", "forbidden", "broken") },
    content: ["detail"],
  },
  /** What each of these roles may not was tried, in a process of its own: so many walls are missing, and these are their names. Landlock's version; 0:
   *  there is none. */
  "confinement.tried": {
    fields: { roles: f.roles, landlock: f.count, missing: f.count },
    content: ["missing"],
  },
  "config.loaded": { fields: {}, content: ["text"] },
  "config.refused": { fields: {}, content: ["error"] },
  "policy.loaded": { fields: { digest: f.digest }, content: ["text"] },
  "agent.configured": {
    fields: { agent: f.name, digest: f.digest, provider: f.name, model: f.model },
    content: ["settings"],
  },
  /** The owner made an agent, or settings of one others, or had it answer elsewhere: `config.loaded` and `agent.configured` say what is in force then. */
  "agent.changed": { fields: { agent: f.name, change: f.oneOf("added", "set", "bound"), ...BY } },
  /** An agent is no more. What goes with it, by number: folders that were added, grants, schedules, what it kept in memory, files of instructions, sessions. */
  "agent.removed": {
    fields: {
      agent: f.name,
      folders: f.count,
      grants: f.count,
      schedules: f.count,
      memories: f.count,
      instructions: f.count,
      sessions: f.count,
      ...BY,
    },
  },
  /** A folder of this machine is part of an agent's workspace from here on; `name` is the operator's word for it, or made of its own. `principal`: that person's alone. */
  "folder.added": {
    fields: {
      folder: f.id,
      agent: f.name,
      name: f.name,
      access: f.oneOf("read", "write"),
      principal: f.orNull(f.id),
      ...BY,
    },
    content: ["path", "identity"],
  },
  "folder.removed": { fields: { folder: f.id, ...BY } },
  /** A file of a workspace that an agent would be told waits for its owner, in this version. `principal`: that person's alone. */
  "instructions.waiting": {
    fields: {
      agent: f.name,
      name: f.oneOf("AGENTS.md", "SOUL.md", "USER.md"),
      principal: f.orNull(f.id),
      state: f.oneOf("new", "changed"),
    },
    content: ["path"],
  },
  /** The owner has looked at a version: it is told from here on. `untrusted`: it was written beside something that nobody vouches for. */
  "instructions.accepted": {
    fields: {
      instructions: f.id,
      agent: f.name,
      name: f.oneOf("AGENTS.md", "SOUL.md", "USER.md"),
      principal: f.orNull(f.id),
      untrusted: f.oneOf("yes", "no"),
      replaces: f.orNull(f.id),
      ...BY,
    },
    content: ["path", "text", "digest"],
  },
  /** It is told no more: its agent was removed. */
  "instructions.withdrawn": { fields: { instructions: f.id, ...BY } },
  // Skills
  /** What this key signs, or whoever has a certificate under this root, is used, under names of this form, until then. `own`: as the operator's own word.
   *  A key's name is somebody's: it is content. `vkey`: of builds that had it here. */
  "skill.trusted": {
    fields: { key: f.id, names: f.namePattern, until: f.orNull(f.time), own: f.oneOf("yes", "no"), ...BY },
    optional: { of: f.oneOf("key", "root"), fingerprint: f.digest, vkey: f.vkey },
    content: ["vkey", "root"],
  },
  "skill.untrusted": { fields: { key: f.id, ...BY } },
  /** What these very files want was accepted. `digest`: SHA-256 of their manifest. */
  "skill.installed": {
    fields: { skill: f.id, name: f.name, version: f.version, digest: f.digest, replaces: f.orNull(f.id), ...BY },
    /** `signature`: what a foreign one was found to say. */
    content: ["source", "signature"],
  },
  "skill.removed": { fields: { skill: f.id, ...BY } },
  /** An MCP server is about to be started: `process` speaks to it, and `digest` is that of its entry in the configuration. */
  "mcp.started": {
    fields: { server: f.name, process: f.id, way: f.oneOf("command", "url"), digest: f.digest },
    outcomes: ["mcp.running"],
  },
  "mcp.running": { fields: {} },
  /** What it offers, in numbers. `tools` were taken, of which agents have `accepted`; `changed` were accepted as something else, and nobody has them. `left` were
   *  not taken. `digest`: of all tools as it offers them. */
  "mcp.listed": {
    fields: {
      server: f.name,
      protocol: f.version,
      tools: f.count,
      accepted: f.count,
      changed: f.count,
      left: f.count,
      digest: f.digest,
    },
    content: ["info", "changed"],
  },
  "mcp.ended": {
    fields: {
      server: f.name,
      process: f.id,
      reason: f.oneOf("exit", "stopped", "memory", "processes", "disk", "protocol"),
      status: f.orNull(f.count),
    },
    content: ["detail"],
  },
  /** These very tools of a server may be used from here on: `digest` is that of the list, which says what each is. */
  "mcp.tools-accepted": {
    fields: { server: f.name, tools: f.count, digest: f.digest, ...BY },
    content: ["tools"],
  },
  /** A server asks something back: a completion, or something of a person. */
  "mcp.asked": {
    fields: { server: f.name, what: f.oneOf("sampling", "elicitation"), ...TURN, call: f.id, principal: f.id },
    content: ["asked"],
    outcomes: ["mcp.told"],
  },
  "mcp.told": { fields: { verdict: f.oneOf("accept", "decline", "cancel") }, content: ["told"] },
  /** A list of skills was read that is newer than those before. */
  "skill.index.read": {
    fields: { number: f.count },
    optional: { fingerprint: f.digest, vkey: f.vkey },
    content: ["vkey"],
  },
  /** A skill that was to be installed or used, and was not. */
  "skill.refused": {
    fields: {
      reason: f.oneOf(
        "unsigned",
        "malformed",
        "forged",
        "untrusted",
        "revoked",
        "expired",
        "wrong-name",
        "altered",
        "extra",
        "missing",
        "path",
        "link",
        "too-large",
        "not-accepted",
        "rollback",
        "unreadable",
      ),
    },
    content: ["name", "why"],
  },
  // MCP servers
  /** A package is about to be installed from a registry, in a sandbox that reaches nothing else. */
  "mcp.installing": {
    fields: { registry: f.oneOf("npm", "pypi"), ...BY },
    content: ["package"],
    outcomes: ["mcp.installed"],
  },
  /** `digest`: of every path, mode, byte and link of what was installed; `lock`: of the lock file in it. Nothing of it runs before it was accepted. */
  "mcp.installed": { fields: { version: f.version, digest: f.digest, lock: f.digest } },
  /** A server's entry in the configuration is another now. `entry`: its SHA-256. */
  "mcp.configured": {
    fields: {
      server: f.name,
      change: f.oneOf("added", "enabled", "disabled", "updated"),
      entry: f.digest,
      ...BY,
    },
    content: ["entry"],
  },
  "mcp.removed": { fields: { server: f.name, ...BY } },
  /** What was installed for a server is another thing now, or gone: it is not started. */
  "mcp.altered": { fields: { server: f.name, digest: f.digest }, content: ["why"] },
  /** Its owner let it be used in their name; the tokens are rows of the vault. */
  "mcp.authorized": { fields: { server: f.name, ...BY } },
  "channel.enabled": { fields: { channel: f.name, ...BY } },
  "channel.disabled": { fields: { channel: f.name, ...BY } },
  "process.started": {
    fields: { process: f.id, role: f.name, subject: f.orNull(f.name) },
    outcomes: ["process.ready", "process.unready"],
  },
  "process.ready": { fields: { build: f.version } },
  "process.unready": { fields: { reason: f.oneOf("exit", "timeout", "build", "protocol", "stopped") } },
  "process.ended": {
    fields: {
      process: f.id,
      reason: f.oneOf("exit", "signal", "malformed", "oversized", "deep", "flood", "protocol", "stopped", "timeout"),
      status: f.orNull(f.count),
    },
    content: ["detail"],
  },

  // Keys and credentials
  "vault.changing": {
    fields: {
      change: f.oneOf("add", "remove", "protect", "content-key", "log-key", "account", "rollback", "rekey", "recovery"),
      scope: f.scope,
      from: f.count,
      fromRoot: f.digest,
      to: f.count,
      toRoot: f.digest,
    },
    outcomes: ["vault.changed", "vault.change.abandoned"],
  },
  "vault.changed": { fields: {} },
  "vault.change.abandoned": { fields: {} },
  /** `ended`: the row in which the newest change of the vault had ended. */
  "vault.opened": { fields: { protector: PROTECTOR, generation: f.count }, optional: { ended: f.count } },
  "vault.protected": { fields: { protector: PROTECTOR, ...BY } },
  "vault.locked": { fields: { ...BY } },
  /** A recovery phrase was made and typed; one of before opens nothing any more. */
  "vault.recovery.created": { fields: { ...BY } },
  /** The recovery phrase opened the vault; the new master that it then gets is rows of its own. */
  "vault.recovered": { fields: {} },
  /** Everything in the vault is about to be written to a file, and what will open that. */
  "vault.backup": { fields: { opens: f.oneOf("phrase", "passphrase", "both"), ...BY }, content: ["path"] },
  /** The vault of before does not open any more, and the content that was sealed under its keys with it. A new one takes its place. */
  "vault.reset": { fields: { credentials: f.count, ...BY }, content: ["lost"] },
  /** This vault was made from a backup. */
  "vault.restored": { fields: { made: f.time, credentials: f.count, ...BY } },
  "vault.refused": { fields: { reason: f.oneOf("passphrase", "keychain", "rollback", "edited") } },
  "credential.added": {
    fields: { scope: f.scope, version: f.count, checked: f.oneOf("yes", "no"), ...BY },
    content: ["account"],
  },
  "credential.removed": { fields: { scope: f.scope, ...BY } },
  /** A new version worked: the one before is destroyed. */
  "credential.confirmed": { fields: { scope: f.scope, version: f.count } },
  /** A new version did not work and is destroyed; what was in force before is so again, as version `to`. */
  "credential.rolledback": { fields: { scope: f.scope, version: f.count, to: f.count } },
  /** Its platform is about to be asked for another in its place, which spends what it is renewed with. The new one is `version`. */
  "credential.renewing": { fields: { scope: f.scope, version: f.count }, outcomes: ["credential.renewed"] },
  "credential.renewed": { fields: { version: f.count } },
  /** Its time is near or past; one row a day. */
  "credential.due": { fields: { scope: f.scope, version: f.count, what: f.oneOf("expires", "rotation"), at: f.time } },
  "credential.rekeyed": { fields: { scope: f.scope, ...BY } },
  "credential.checked": {
    fields: { scope: f.scope, result: f.oneOf("good", "refused", "unreachable") },
    content: ["account"],
  },
  "secret.used": { fields: { scope: f.scope, version: f.count, process: f.id }, outcomes: ["secret.handed"] },
  "secret.handed": { fields: {} },

  // People
  "person.added": { fields: { principal: f.id, role: f.oneOf("user", "approver", "owner"), ...BY }, content: ["name"] },
  "person.changed": { fields: { principal: f.id, role: f.oneOf("user", "approver", "owner"), ...BY } },
  /** Somebody with one channel only may decide there what they asked there, tier 3 too; or may not any more. */
  "person.same-channel": { fields: { principal: f.id, allowed: f.oneOf("yes", "no"), ...BY } },
  /** They are out. What ends with that are the rows that this one is the cause of, in the same transaction. */
  "person.revoked": { fields: { principal: f.id, ...BY } },
  /** Without `by`: they said a code that was made for them, or that they were let in with. */
  "identity.linked": { fields: { principal: f.id, channel: f.name }, optional: { ...BY }, content: ["sender", "name"] },
  "identity.unlinked": { fields: { principal: f.id, channel: f.name, ...BY }, content: ["sender"] },
  "pair.requested": { fields: { pairing: f.id, channel: f.name }, content: ["code", "sender", "name"] },
  /** `principal`: whom its first sender is then; the owner where it is left out. */
  "pair.invited": {
    fields: { pairing: f.id, channel: f.name, until: f.time, ...BY },
    optional: { principal: f.id },
    content: ["code"],
  },
  "pair.approved": { fields: { pairing: f.id, principal: f.id, role: f.oneOf("user", "approver", "owner"), ...BY } },
  "grant.given": {
    fields: {
      grant: f.id,
      key: f.actionKey,
      agent: f.name,
      principal: f.id,
      channel: f.name,
      session: f.orNull(f.id),
      until: f.time,
      uses: f.orNull(f.count),
      ...BY,
    },
  },
  "grant.revoked": { fields: { grant: f.id, ...BY } },
  "message.refused": {
    fields: {
      channel: f.name,
      reason: f.oneOf("stranger", "foreign-press", "not-ready", "bad-frame", "too-large", "too-many", "other-agent"),
      times: f.count,
      since: f.time,
    },
    content: ["sender"],
  },
  "refused.flood": { fields: { channel: f.name, times: f.count, since: f.time } },
  "web.link.made": { fields: { via: f.name } },
  "web.login": { fields: { web: f.id } },
  "web.login.refused": { fields: { reason: f.oneOf("bad-token", "locked"), times: f.count, since: f.time } },
  "web.session.ended": { fields: { web: f.id, reason: f.oneOf("logout", "idle", "age", "ended", "restart") } },

  // Schedules
  /** `conversation` is where it is done and answered, `principal` for whom. */
  "schedule.added": {
    fields: { schedule: f.id, agent: f.name, principal: f.id, conversation: f.id, channel: f.name, ...BY },
    content: ["cron", "zone", "text"],
  },
  /** Without `by`: it paused itself. */
  "schedule.paused": {
    fields: { schedule: f.id, reason: f.oneOf("asked", "failures", "removed") },
    optional: { ...BY },
  },
  "schedule.resumed": { fields: { schedule: f.id, ...BY } },
  "schedule.removed": { fields: { schedule: f.id, ...BY } },
  /** Somebody else's from now on, and sealed for them. */
  "schedule.transferred": {
    fields: { schedule: f.id, principal: f.id, conversation: f.id, channel: f.name, ...BY },
    content: ["cron", "zone", "text"],
  },
  /** A run: what an agent is to do, as if it had been written. `due` is the time that it was to be done at. */
  "schedule.started": {
    fields: {
      schedule: f.id,
      message: f.id,
      session: f.id,
      conversation: f.id,
      channel: f.name,
      principal: f.id,
      due: f.time,
      why: f.oneOf("due", "late", "asked"),
    },
    content: ["text"],
  },
  /** It was not done at `due`, nor at the `times` before that one which this row counts too. */
  "schedule.missed": {
    fields: {
      schedule: f.id,
      due: f.time,
      times: f.count,
      reason: f.oneOf("late", "running", "halted", "nowhere"),
    },
  },

  // What is kept, and for how long
  "content.erasing": {
    fields: {
      erasure: f.id,
      subject: f.oneOf("session", "principal", "retention"),
      session: f.orNull(f.id),
      principal: f.orNull(f.id),
      sessions: f.count,
      ...BY,
    },
    content: ["reason"],
    outcomes: ["content.erased"],
  },
  "content.erased": {
    fields: { sessions: f.count, parts: f.count, files: f.count },
    /** Parts of others that were sealed anew, because the key that they shared with what was erased was destroyed. */
    optional: { resealed: f.count },
  },
  "hold.added": {
    fields: {
      hold: f.id,
      subject: f.oneOf("session", "principal", "span"),
      session: f.orNull(f.id),
      principal: f.orNull(f.id),
      from: f.orNull(f.time),
      to: f.orNull(f.time),
      ...BY,
    },
    content: ["reason"],
  },
  "hold.removed": { fields: { hold: f.id, ...BY }, content: ["reason"] },
  "retention.applied": {
    fields: {
      store: f.oneOf("content", "rows", "undo", "blobs", "memory"),
      before: f.time,
      removed: f.count,
      held: f.count,
    },
  },

  // Conversations
  "conversation.opened": {
    fields: { conversation: f.id, channel: f.name, talk: f.oneOf("direct", "group") },
    content: ["place"],
  },
  "session.opened": { fields: { session: f.id, conversation: f.id, channel: f.name, agent: f.name } },
  "session.closed": {
    fields: { session: f.id, reason: f.oneOf("new", "idle", "closed", "removed") },
    optional: { ...BY },
  },
  "message.received": {
    fields: { message: f.id, session: f.id, conversation: f.id, channel: f.name, principal: f.id },
    /** `sentAt`: when its platform says that it was written. `held`: so long ago that nothing is done about it before that is asked for. */
    optional: { sentAt: f.time, files: f.count, held: f.oneOf("late") },
    /** `message` is the platform's id of it where that is not `platform`; `quote` what it replies to, `files` what came with it, as JSON. */
    content: ["text", "platform", "message", "quote", "files"],
  },
  /** Somebody changed or deleted a message of theirs. `queued`: nothing was begun for it, and the change counts. `begun`: it changes nothing any more. */
  "message.changed": {
    fields: {
      message: f.id,
      session: f.id,
      conversation: f.id,
      channel: f.name,
      principal: f.id,
      change: f.oneOf("edited", "deleted"),
      effect: f.oneOf("queued", "begun"),
    },
    content: ["text", "platform"],
  },
  /** Somebody said what is to become of messages that were held. */
  "message.resumed": { fields: { session: f.id, principal: f.id, decision: f.oneOf("do", "drop"), messages: f.count } },
  /** What a turn's agent was given as the message, where that is more than its words: what it replies to, files that came with it. */
  /** `shown`: files that a model may be shown with it, as JSON: digest, media type, bytes, and the row `file.fetched` that holds them. */
  "message.told": { fields: { ...TURN, message: f.id }, content: ["text", "shown"] },
  /** A file that came with a message is fetched for the turn. */
  "file.fetching": {
    fields: { ...TURN, message: f.id, principal: f.id, nth: f.count },
    content: ["name"],
    outcomes: ["file.fetched", "file.missed"],
  },
  /** `type` as its bytes show it; `path` is where it lies in the workspace; `bytes` the file itself, where a model may be shown it. */
  "file.fetched": { fields: { bytes: f.count, type: f.version }, content: ["path", "digest", "bytes"] },
  "file.missed": {
    fields: { reason: f.oneOf("too-large", "gone", "refused", "unreachable", "died", "workspace") },
    content: ["error"],
  },
  /** What a platform remembers of a message that a process or the daemon died with. */
  "message.traced": {
    fields: { message: f.id, outcome: f.oneOf("sent", "absent", "unknown"), parts: f.count },
    content: ["platform"],
  },
  /** A channel's process says something that the owner should know. */
  "channel.noticed": {
    fields: {
      channel: f.name,
      about: f.oneOf("foreign-use", "undecryptable", "removed", "gap", "degraded"),
      conversation: f.orNull(f.id),
      from: f.orNull(f.time),
      to: f.orNull(f.time),
    },
    content: ["sentence"],
  },
  "message.sent": {
    fields: {
      message: f.id,
      session: f.orNull(f.id),
      conversation: f.id,
      channel: f.name,
      /** `message`: sent by an agent into another conversation than that of its turn; `session` is the one of that turn. */
      purpose: f.oneOf("reply", "card", "notice", "pairing", "answer", "edit", "message"),
    },
    optional: { files: f.count },
    /** `files`: name, bytes and SHA-256 of each that goes along, as JSON. */
    content: ["text", "files"],
    outcomes: ["message.delivered", "message.failed"],
  },
  "message.delivered": { fields: { parts: f.count, bytes: f.count }, content: ["text", "platform"] },
  "message.failed": {
    fields: {
      reason: f.oneOf("refused", "rate-limited", "unreachable", "too-large", "unknown", "died", "stopped"),
      parts: f.count,
    },
    content: ["text", "platform", "error"],
  },

  // Turns
  /** Nothing runs there until it is ended. */
  /** Something may have leaked: everything is halted (`before`: it was already) until every credential of that time is replaced, or may stay. */
  "incident.opened": {
    fields: { incident: f.id, halted: f.oneOf("before", "now"), credentials: f.count, ...BY },
    /** `credentials`: scope and account of each, as JSON. */
    content: ["reason", "credentials", "path"],
  },
  "incident.waived": { fields: { incident: f.id, scope: f.scope, ...BY }, content: ["reason"] },
  "incident.closed": { fields: { incident: f.id, rotated: f.count, waived: f.count, ...BY } },
  "halt.begun": {
    fields: {
      halt: f.id,
      subject: f.oneOf("all", "agent", "session"),
      agent: f.orNull(f.name),
      session: f.orNull(f.id),
      ...BY,
    },
    content: ["reason"],
  },
  "halt.ended": { fields: { halt: f.id, ...BY }, content: ["reason"] },
  "turn.started": {
    fields: { ...TURN, agent: f.name, principal: f.id, message: f.id, ...UNDER },
    /** No agent was told of the message: it was a command, say, and dealt with at once. */
    optional: { without: f.oneOf("agent") },
  },
  "turn.ended": {
    fields: {
      ...TURN,
      reason: f.oneOf(
        "done",
        "stopped",
        "rounds",
        "time",
        "budget",
        "failed",
        "died",
        "denied",
        "interrupted",
        "halted",
      ),
      rounds: f.count,
    },
  },
  "turn.stopped": { fields: { ...TURN, ...BY } },
  "model.called": {
    fields: { ...TURN, agent: f.name, principal: f.id, provider: f.name, model: f.model, ...UNDER },
    /** `files`: of those that the request names, the model is shown the bytes (`images`: of pictures only), or is told in words that there are some; left
     *  out where it names none. `instead`: the agent's own model, `provider/model`, and `because`: why that was not asked, or asked in vain.
     *  `attested`: the row by which what the provider is was shown. `purpose`: the answer is a summary of what a conversation held before
     *  (`context.compacted`). */
    optional: {
      chain: f.chain,
      files: f.oneOf("all", "images", "none"),
      instead: f.model,
      because: f.oneOf("unreachable", "overloaded", "failing", "timeout", "died"),
      attested: f.seq,
      purpose: f.oneOf("summary"),
    },
    /** `items`: the root of the request and what is new in it (request-check.ts). Older rows have `request`, the whole of it as JSON, of which
     *  only the salt was kept, and `sources`, the rows it was made of. */
    content: ["request", "sources", "items"],
    // A request holds the whole conversation so far: kept with every call it would grow with the square of it.
    derived: ["request"],
    outcomes: ["model.answered"],
  },
  /** What had come of an answer that broke off: its person has read it. */
  "answer.cut": { fields: { ...TURN }, optional: { chain: f.chain }, content: ["text"] },
  /** From here on a session's requests hold less of what was said: `results` of tools are named by their rows only, and a summary of `summary`, a `model.answered`
   *  row, stands for `messages`. `plan` says which; `before` and `after` are tokens, as estimated. */
  "context.compacted": {
    fields: {
      ...TURN,
      reason: f.oneOf("window", "too-long", "asked"),
      results: f.count,
      messages: f.count,
      summary: f.orNull(f.seq),
      before: f.count,
      after: f.count,
    },
    content: ["plan"],
  },
  /** A model was not asked: the policy demands an attested one for what is in the context, or the budget does not hold a call to one that is asked instead
   *  of another. */
  "model.refused": {
    fields: {
      ...TURN,
      agent: f.name,
      principal: f.id,
      provider: f.name,
      model: f.model,
      reason: f.oneOf("not-attested", "budget", "no-key"),
      ...UNDER,
    },
    optional: { chain: f.chain },
    content: ["why"],
  },
  /** A provider is asked to show that it is what it says: nothing of anybody's is in that. */
  "model.attesting": { fields: { provider: f.name }, outcomes: ["model.attested"] },
  /** `manifest`: SHA-256 of the manifest that its proxy holds it to, where the operator said where that lies. */
  "model.attested": {
    fields: { result: f.oneOf("holds", "refused", "unreachable"), manifest: f.orNull(f.digest) },
    content: ["evidence"],
  },
  /** The owner has a model asked a few small questions, in which nothing of anybody's is. */
  "model.trying": { fields: { provider: f.name, model: f.model, ...BY }, outcomes: ["model.tried"] },
  "model.tried": {
    fields: { text: f.oneOf("yes", "no"), tools: f.oneOf("yes", "no"), inputTokens: f.count, outputTokens: f.count },
    optional: { images: f.oneOf("yes", "no") },
    content: ["why"],
  },
  /** The owner has the search service asked one question, in which nothing of anybody's is. */
  "search.trying": { fields: { service: f.name, ...BY }, outcomes: ["search.tried"] },
  "search.tried": { fields: { status: f.count } },
  "model.answered": {
    fields: {
      model: f.model,
      inputTokens: f.count,
      outputTokens: f.count,
      microDollars: f.orNull(f.count),
      stop: f.oneOf("stop", "tool-calls", "length", "content-filter", "other"),
    },
    content: ["answer"],
  },
  /** A call to a model that broke off in its answer: what it is taken to have used. */
  "budget.estimated": {
    fields: {
      agent: f.name,
      principal: f.id,
      provider: f.name,
      model: f.model,
      inputTokens: f.count,
      outputTokens: f.count,
      microDollars: f.orNull(f.count),
    },
  },
  /** The most that an agent may spend, or that may be spent for a person; null where `state` is not `limited`. */
  "budget.set": {
    fields: { ...BUDGET, state: f.oneOf("limited", "unlimited", "default"), most: f.orNull(f.count), ...BY },
  },
  /** So much of a budget is used that its people are told; once in each hour, day or month, which begins at `since`. */
  "budget.warned": { fields: { ...BUDGET, since: f.time, most: f.count, used: f.count } },
  /** A call was not made for want of money or tokens; once likewise. */
  "budget.exhausted": { fields: { ...BUDGET, since: f.time, most: f.count, used: f.count } },
  "tool.called": {
    fields: {
      ...TURN,
      call: f.id,
      agent: f.name,
      principal: f.id,
      tool: f.tool,
      key: f.actionKey,
      tier: f.count,
      authority: f.oneOf("free", "grant", "approval", "policy"),
      /** The row of the grant or of the approval's decision. */
      rests: f.orNull(f.seq),
      ...UNDER,
    },
    /** Where it has several keys: the rows of the grants of the others. */
    /** `skills`: those whose limits it was decided with. */
    /** `server`, `accepted`: the MCP server, and the digest of what was accepted of its tool. */
    optional: { chain: f.chain, restsAlso: f.seqs, skills: f.skills, server: f.name, accepted: f.digest },
    /** `call` is the model's own id for it; `before` is the file as it was that this writes, so that it can be taken back. */
    content: ["action", "call", "before", "task"],
    outcomes: ["tool.finished"],
  },
  "tool.finished": {
    fields: { outcome: f.oneOf("done", "failed", "stopped", "limit"), status: f.orNull(f.count) },
    /** What held a command to its memory and processes: the kernel, or a watch that looks at them. */
    optional: { limits: f.oneOf("cgroup", "watch") },
    content: ["result"],
  },
  /** A command that its call asked to go on behind the answer. */
  "command.started": {
    fields: { ...TURN, command: f.id, agent: f.name, principal: f.id },
    content: ["action"],
    outcomes: ["command.ended"],
  },
  "command.ended": {
    fields: { outcome: f.oneOf("done", "failed", "stopped", "limit"), status: f.orNull(f.count) },
    /** What held a command to its memory and processes: the kernel, or a watch that looks at them. */
    optional: { limits: f.oneOf("cgroup", "watch") },
    content: ["result"],
  },
  "tool.refused": {
    fields: {
      ...TURN,
      call: f.id,
      agent: f.name,
      principal: f.id,
      tool: f.orNull(f.tool),
      key: f.orNull(f.actionKey),
      reason: f.oneOf(
        "unknown-tool",
        "bad-arguments",
        "policy",
        "denied",
        "expired",
        "no-sandbox",
        "changed",
        "again",
        "stopped",
        "log",
      ),
      ...UNDER,
    },
    optional: { chain: f.chain },
    /** `told` is what the model was told of it. */
    content: ["action", "why", "call", "told"],
  },
  /** Something that is in a session's context, or is about to be, looks as if it tried to steer the agent. It decides nothing. */
  "injection.found": {
    fields: {
      ...TURN,
      entry: f.oneOf("message", "result", "page", "memory", "mcp", "skill", "instructions"),
      class: f.oneOf("override", "role", "hidden", "encoded", "exfiltration", "tool-call", "credentials"),
      times: f.count,
    },
    /** The first place, with a little around it. */
    content: ["text"],
  },
  /** From here on there is something in the session that nobody whom we know typed, or that is somebody's; `person`: whose, null: everybody's who uses
   *  the agent. */
  "label.raised": { fields: { session: f.id, label: f.oneOf("untrusted", "private"), person: f.orNull(f.id) } },
  /** The turn wrote so many files that carry its labels. */
  "label.filed": { fields: { ...TURN, files: f.count }, content: ["files"] },
  /** The owner says that it is of no account any more: what is in a session, or, where that is null, in files. */
  "label.cleared": { fields: { session: f.orNull(f.id), ...BY }, content: ["path"] },
  /** Something is kept for later conversations of a person with an agent, sealed under that person's key. `untrusted`: of what the conversation held then, somebody
   *  else's words may be in it. `replaces`: what it takes the place of. */
  "memory.written": {
    fields: {
      memory: f.id,
      agent: f.name,
      principal: f.id,
      session: f.id,
      channel: f.name,
      untrusted: f.oneOf("yes", "no"),
      bytes: f.count,
      replaces: f.orNull(f.id),
    },
    content: ["text", "private"],
  },
  "memory.removed": { fields: { memory: f.id, ...BY } },
  /** What a command changed, kept as it was: `files` are all that it made, changed or took away, of which `beyond` were not kept. */
  "undo.kept": {
    fields: { ...TURN, agent: f.name, principal: f.id, files: f.count, bytes: f.count, beyond: f.count },
    content: ["changes", "copies"],
  },
  /** A turn's file changes are about to be taken back. `force`: also where somebody changed them since. */
  "undo.begun": {
    fields: { undo: f.id, ...TURN, files: f.count, force: f.oneOf("yes", "no"), ...BY },
    content: ["files"],
    outcomes: ["undo.done"],
  },
  "undo.done": { fields: { restored: f.count, conflicts: f.count, failed: f.count }, content: ["files"] },
  "approval.requested": {
    fields: {
      approval: f.id,
      ...TURN,
      agent: f.name,
      principal: f.id,
      key: f.actionKey,
      tier: f.count,
      expires: f.time,
    },
    optional: { chain: f.chain },
    content: ["action", "card"],
  },
  /** One of the several people who have to approve it did. */
  "approval.counted": { fields: { approval: f.id, ...BY, count: f.count }, content: ["card"] },
  /** Nobody had answered in time; now it is asked again, and decided anew. */
  "approval.repeated": { fields: { approval: f.id, session: f.id, ...BY }, content: ["text"] },
  "approval.decided": {
    fields: {
      approval: f.id,
      decision: f.oneOf("approved", "denied", "expired", "withdrawn"),
      scope: f.oneOf("once", "session", "always"),
      by: f.orNull(f.id),
      via: f.orNull(f.name),
    },
    /** The row that allowed it on the channel that asked, where nothing else would have. */
    optional: { under: f.seq },
    content: ["reason"],
  },
} as const satisfies Record<string, KindSpec>;

type Kinds = typeof KINDS;
export type Kind = keyof Kinds;

type FieldsOf<K extends Kind> = {
  readonly [F in keyof Kinds[K]["fields"]]: f.FieldValue<Kinds[K]["fields"][F]>;
} & (Kinds[K] extends { optional: infer O } ? { readonly [F in keyof O]?: f.FieldValue<O[F]> } : unknown);

/** An action of one kind, as it stands in a row's body. */
export type ActionOf<K extends Kind> = { readonly kind: K } & FieldsOf<K>;
export type Action = { [K in Kind]: ActionOf<K> }[Kind];

/** Kinds that take effect outside the log: recorded first, redeemed once, finished by an outcome. */
export type IntentKind = { [K in Kind]: Kinds[K] extends { outcomes: readonly string[] } ? K : never }[Kind];
/** Kinds that say what happened and call for nothing more. */
export type FactKind = Exclude<Kind, IntentKind>;

/** The outcome kinds of an intent, `action.failed` aside (which any may end in). */
export type OutcomeKind<K extends IntentKind> = Kinds[K] extends { outcomes: readonly (infer O)[] } ? O & Kind : never;

/** The names of the content parts that a kind may have. */
export type PartOf<K extends Kind> = Kinds[K] extends { content: readonly (infer P)[] } ? P & string : never;
/** Content to be sealed and committed to: text (as UTF-8) or bytes. A part may be left out. */
export type ContentOf<K extends Kind> = { readonly [P in PartOf<K>]?: string | Uint8Array };
