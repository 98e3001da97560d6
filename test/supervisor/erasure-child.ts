import { DataFolder } from "../vault/world.ts";
import { KeepingWorld } from "./keeping-world.ts";

/** Erases a person and is killed after one step. argv: folder, person, step. */
const [path, principal = "", step] = process.argv.slice(2);
const world = await KeepingWorld.open(new DataFolder(path));
const { destroyKey, removal, state } = world.steps;

function after(reached: string): void {
  if (reached === step) process.kill(process.pid, "SIGKILL");
}

let keys = 0;
await world
  .erasure({
    destroyKey: async (scope, cause) => {
      if (keys === 0) after("intent");
      await destroyKey(scope, cause);
      keys += 1;
      after(keys === 1 ? "key" : "second key");
    },
    removal: {
      parts: (from, to) => removal.parts(from, to),
      delete: async (ids) => {
        after("rows");
        const deleted = await removal.delete(ids);
        after("content");
        return deleted;
      },
      truncate: async () => {
        await removal.truncate();
        after("truncate");
      },
    },
    state: {
      forgetRows: (seqs, conversations) => state.forgetRows(seqs, conversations),
      forgetPerson: (one) => {
        state.forgetPerson(one);
        after("person");
      },
      compact: () => {
        const done = state.compact();
        after("compact");
        return done;
      },
    },
  })
  .erase({ principal }, "she asked for it", world.owner);
