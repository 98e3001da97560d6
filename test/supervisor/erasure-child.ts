import { DataFolder } from "../vault/world.ts";
import { KeepingWorld } from "./keeping-world.ts";

/** Erases a person and is killed after one step. argv: folder, person, step. */
const [path, principal = "", step] = process.argv.slice(2);
const world = await KeepingWorld.open(new DataFolder(path));
const { removal, state } = world.steps;

function after(reached: string): void {
  if (reached === step) process.kill(process.pid, "SIGKILL");
}

let [keys, renewed, forgotten, deleted] = [0, 0, 0, 0];
await world
  .erasure({
    ...world.steps,
    destroyKey: async (scope, cause) => {
      if (keys === 0) after("intent");
      await world.steps.destroyKey(scope, cause);
      keys += 1;
      after(scope === principal ? "own key" : keys === 1 ? "key" : "second key");
    },
    renewKey: async (scope, cause) => {
      await world.steps.renewKey(scope, cause);
      renewed += 1;
      after(renewed === 1 ? "new key" : "second new key");
    },
    forgetKeys: async (scope, cause) => {
      await world.steps.forgetKeys(scope, cause);
      forgotten += 1;
      after(forgotten === 1 ? "former key" : "second former key");
    },
    removal: {
      parts: (from, to) => removal.parts(from, to),
      delete: async (ids) => {
        if (deleted === 0) after("rows");
        const parts = await removal.delete(ids);
        deleted += 1;
        after(deleted === 1 ? "content" : "own content");
        return parts;
      },
      reseal: async (scopes) => {
        const resealed = await removal.reseal(scopes);
        after("resealed");
        return resealed;
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
      reseal: (seal, log) => {
        state.reseal(seal, log);
        after("projection");
      },
      compact: () => {
        const done = state.compact();
        after("compact");
        return done;
      },
    },
  })
  .erase({ principal }, "she asked for it", world.owner);
