import Database from "better-sqlite3";
import { DataFolder } from "../vault/world.ts";
import { KeepingWorld } from "./keeping-world.ts";
import { removalOf } from "./removal-world.ts";

/** Removes a person and is killed at one step. argv: folder, person, step: `taken`, `row N`, or `written`, before the projection has it. */
const [path, principal = "", step = ""] = process.argv.slice(2);
let counting = false;
let rows = 0;

function at(reached: string): void {
  if (reached === step) process.kill(process.pid, "SIGKILL");
}

// Each row of the log as it is put into the transaction: the statement that inserts it is prepared once.
const prepare: unknown = Reflect.get(Database.prototype, "prepare");
Object.defineProperty(Database.prototype, "prepare", {
  value(this: Database.Database, sql: string): unknown {
    const statement: unknown = called(prepare, this, [sql]);
    if (!sql.startsWith("INSERT INTO entry") || typeof statement !== "object" || statement === null) return statement;
    return new Proxy(statement, {
      get:
        (target, name) =>
        (...values: unknown[]) => {
          const result = called(Reflect.get(target, name, target), target, values);
          if (counting && name === "run") at(`row ${(rows += 1)}`);
          return result;
        },
    });
  },
});

function called(what: unknown, of: object, values: unknown[]): unknown {
  if (typeof what !== "function") throw new TypeError("a statement was asked for what it has not");
  return Reflect.apply(what, of, values);
}

const folder = new DataFolder(path);
const world = await KeepingWorld.open(folder, (row) => {
  if (row.action.kind === "person.revoked") at("written");
});
const removal = removalOf(world, {
  logins: () => [],
  schedules: () => {
    at("taken");
    return [];
  },
});
counting = true;
await removal.remove(principal, world.owner);
