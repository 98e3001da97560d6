import * as z from "zod/mini";
import { HostName } from "../ipc/egress-frames.ts";
import { CredentialPlace } from "../ipc/fetch-frames.ts";
import { Name } from "../ipc/ids.ts";

/** What the operator may write of one MCP server. */

const Path = z.string().check(z.maxLength(1024), z.regex(/^\//, "write the whole path, from / on"));

/** A word of the environment. What makes programs load something, or leads around the proxy, is no server's to have. */
const Variable = z.string().check(
  z.regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, "write the name of a variable, such as API_TOKEN"),
  z.refine(
    (name) => !/^(?:LD_|DYLD_|NODE_OPTIONS$|PYTHONSTARTUP$|BASH_ENV$|ENV$|.*_PROXY$|NO_PROXY$)/i.test(name),
    "this variable is not a server's to have",
  ),
);

/** One credential of the vault, by its name there, and how the server gets it. */
const McpCredential = z
  .strictObject({
    /** Such as `github-token` for `secret/github-token`. */
    name: z.string().check(z.regex(/^[a-z0-9][a-z0-9-]{0,63}$/)),
    /** Of a file below /run/secrets, in memory. */
    file: z.optional(z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/))),
    /** The number of an open file, which can be read once. */
    descriptor: z.optional(z.int().check(z.gte(20), z.lte(39))),
    /** Where a program takes it no other way: whatever it starts has it too. */
    env: z.optional(Variable),
    /** Of a server with a URL. */
    header: z.optional(CredentialPlace),
  })
  .check(
    z.refine(
      ({ file, descriptor, env, header }) =>
        [file, descriptor, env, header].filter((one) => one !== undefined).length === 1,
      "say how the server gets it: by file, descriptor, env or header, one of them",
    ),
  );

const McpLimits = z.strictObject({
  /** Megabytes, all of its processes together. */
  memoryMb: z._default(z.int().check(z.gte(16), z.lte(16_384)), 512),
  /** Processes and threads at once. */
  processes: z._default(z.int().check(z.gte(4), z.lte(2_048)), 256),
  /** Seconds that one call may take. */
  callSeconds: z._default(z.int().check(z.gte(1), z.lte(1_800)), 60),
});

/** The exact version of a package, as it was installed: it is run from there and nowhere else. */
const McpInstalled = z.strictObject({
  registry: z.enum(["npm", "pypi"]),
  package: z.string().check(z.maxLength(214), z.regex(/^(?:@[a-z0-9._~-]+\/)?[A-Za-z0-9][A-Za-z0-9._~-]*$/)),
  version: z.string().check(z.maxLength(64), z.regex(/^[A-Za-z0-9][A-Za-z0-9.!+_-]*$/)),
  /** SHA-256 of all of its files, by name, mode and content. */
  digest: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  /** What was asked for, such as npx -y PACKAGE@^2: wirken mcp update takes the newest of that. */
  from: z.array(z.string().check(z.maxLength(256))).check(z.minLength(2), z.maxLength(8)),
});

export const McpServer = z
  .strictObject({
    enabled: z._default(z.boolean(), true),
    /** The program and its arguments, started without a shell: a path, or the name of a program that commands find. With `installed`, a path that begins
     *  with /package/ lies in that tree. */
    command: z.optional(
      z.array(z.string().check(z.minLength(1), z.maxLength(4096))).check(z.minLength(1), z.maxLength(128)),
    ),
    installed: z.optional(McpInstalled),
    /** Its environment, beside what every command has. Secrets stand under credentials. */
    env: z._default(z.record(Variable, z.string().check(z.maxLength(4096), z.regex(/^[^\0]*$/))), {}),
    /** A server that is reached over streamable HTTP; http:// for one on this machine only. */
    url: z.optional(
      z
        .url({ protocol: /^https?$/, error: "write https://HOST/PATH" })
        .check(
          z.maxLength(2048),
          z.regex(/^[^@#]*$/, "a server's password does not stand here: credentials names one of the vault"),
          z.regex(/^(?:https:|http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?:[:/]|$))/i, "write https://HOST/PATH"),
        ),
    ),
    /** What a command may reach, on ports 443 and 80, through the same proxy as any command; with a URL: hosts beside its own, for an authorization. */
    hosts: z._default(z.array(HostName).check(z.maxLength(32)), []),
    /** Folders and files of this machine that it sees at their own paths, and those that it may change as well. */
    read: z._default(z.array(Path).check(z.maxLength(32)), []),
    write: z._default(z.array(Path).check(z.maxLength(32)), []),
    credentials: z._default(z.array(McpCredential).check(z.maxLength(16)), []),
    /** Nothing of what it says is anybody's: its answers are untrusted, and not private. */
    public: z._default(z.boolean(), false),
    /** The agents that have it; left out: all. */
    agents: z.optional(z.array(Name).check(z.maxLength(64))),
    limits: z.prefault(McpLimits, {}),
  })
  .check(
    z.refine(({ command, url }) => (command === undefined) !== (url === undefined), "write either command or url"),
    z.refine(
      ({ url, installed, env, read, write }) =>
        url === undefined ||
        (installed === undefined && Object.keys(env).length === 0 && read.length === 0 && write.length === 0),
      "a server with a url is not started here: installed, env, read and write are for one with a command",
    ),
    z.refine(
      ({ url, credentials }) => credentials.every(({ header }) => (header !== undefined) === (url !== undefined)),
      "a header is for a server with a url; one with a command gets a credential by file, descriptor or env",
    ),
  );
export type McpServer = z.infer<typeof McpServer>;
