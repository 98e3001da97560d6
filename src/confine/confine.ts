import { readdirSync } from "node:fs";
import { trustCertificates } from "./certificates.ts";
import { ConfineError } from "./error.ts";
import { LOCAL_SOCKETS, NEEDS, type Needs, type Role, SCOPES, type Scope } from "./role.ts";
import { buildWalls, type Wall } from "./walls.ts";
import { readAhead } from "./warm.ts";

export type { Role } from "./role.ts";

/** What holds a process, for the status and the record. */
export interface Confinement {
  readonly role: Role;
  /** `permissions` everywhere; the walls of the operating system on Linux. */
  readonly layers: readonly ("permissions" | Wall)[];
  /** Landlock's version on this kernel; 0 where it has none. What each version adds is in landlock.ts. */
  readonly landlockAbi: number;
  /** The scopes of Node's permission model that were kept. */
  readonly keeps: readonly Scope[];
}

let current: Role | null = null;

/** The first statement of every child. Addons first (`before`), walls second, drops third: a wall needs a permission that is then dropped.
 *
 *  Afterwards this process can open no file, start no process, load no native code, signal nobody else, and open the sockets of its role
 *  only. None of it can be undone. Descriptors that are open stay usable: its pipe among them.
 *  @param options.before loads the native addon of the role that has one.
 *  @param options.built is told after each wall of the operating system, for who tries them one after the other.
 *  @throws {ConfineError} if anything does not hold: the process must then exit. */
export function confine(
  role: Role,
  options: { readonly before?: () => void; readonly built?: (wall: Wall) => void } = {},
): Confinement {
  if (current !== null) throw new ConfineError("CONFINE_TWICE", `This process is confined already, as ${current}`);
  const needs = needsOf(role, process.argv);
  const { keeps } = needs;
  assertStartedRight(keeps);
  options.before?.();
  for (const wrong of trustCertificates(process.env)) process.stderr.write(`wirken: ${wrong}\n`);
  const { walls, landlockAbi } =
    process.platform === "linux" ? standing(needs, options.built) : { walls: [], landlockAbi: 0 };
  for (const scope of SCOPES) if (!keeps.includes(scope)) drop(scope);
  assertEnforced();
  current = role;
  return { role, layers: ["permissions", ...walls], landlockAbi, keeps };
}

function standing(needs: Needs, built?: (wall: Wall) => void): ReturnType<typeof buildWalls> {
  readAhead(needs);
  return buildWalls(needs, built);
}

/** @param words as whoever started it gave them: nothing from outside is read yet. */
function needsOf(role: Role, words: readonly string[]): Needs {
  const needs = NEEDS[role];
  return role === "egress" && words.includes(LOCAL_SOCKETS) ? { ...needs, sockets: "internet and paths" } : needs;
}

/** For ingress and a relay, once they listen: they still accept connections, and can open none.
 *  @throws {ConfineError} if the scope is not gone, or this process is confined as neither. */
export function dropNetwork(): void {
  if (current !== "ingress" && current !== "relay")
    throw new ConfineError("CONFINE_TWICE", "Only a confined ingress or relay drops its network");
  drop("net");
}

/** For a command that parses what strangers send: it gives up what it does not need. It keeps its files. @throws {ConfineError} if one stays. */
export function dropScopes(scopes: readonly Scope[]): void {
  for (const scope of scopes) drop(scope);
}

/** For a process that is no child, once the one connection or listener that it needs is there: it opens no other.
 *  @throws {ConfineError} if the scope is not gone. */
export function closeNetwork(): void {
  drop("net");
}

/** A name that Node does not know is ignored by `drop`, hence the question after it. */
function drop(scope: Scope): void {
  process.permission.drop(scope);
  if (process.permission.has(scope)) throw new ConfineError("CONFINE_FAILED", `The permission ${scope} did not go`);
}

function assertStartedRight(keeps: readonly Scope[]): void {
  // The types promise it; Node has it under --permission only.
  const permission: unknown = Reflect.get(process, "permission");
  if (typeof permission !== "object" || permission === null)
    throw new ConfineError(
      "CONFINE_UNSTARTED",
      "Started without --permission: start it with the flags of confine/flags.ts",
    );
  for (const scope of keeps)
    if (!process.permission.has(scope))
      throw new ConfineError("CONFINE_UNSTARTED", `Started without the permission ${scope}, which this role needs`);
  if (process.platform === "linux" && !process.permission.has("ffi"))
    throw new ConfineError("CONFINE_UNSTARTED", "Started without --allow-ffi, which the walls are built with");
  // It opens any file, whatever the permissions say.
  if (hasSqlite()) throw new ConfineError("CONFINE_UNSTARTED", "Started without --no-experimental-sqlite");
}

/** Under --permission-audit Node says that a scope is gone and lets everything through. */
function assertEnforced(): void {
  try {
    readdirSync("/");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_ACCESS_DENIED") return;
    throw new ConfineError("CONFINE_FAILED", "The permission model gave an unknown answer", { cause: error });
  }
  throw new ConfineError("CONFINE_FAILED", "The permission model is not enforced: a folder could be read");
}

function hasSqlite(): boolean {
  const sqlite: unknown = process.getBuiltinModule("node:sqlite");
  return sqlite !== undefined;
}
