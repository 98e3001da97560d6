import type { Verdict } from "../../src/supervisor/credentials.ts";
import { dyingWorld } from "./dying-world.ts";
import { named, NEXT, renewing, SCOPE, WHO } from "./renewal-world.ts";

/** Replaces a credential as `wirken vault rotate` does, and dies by its own hand at the step it is told: when a row is on disk, around each commit of the
 *  vault, and around the hand-over. argv: folder, whether the new one works, the step. Ends with status 0 when there is no such step. */
const [path = "", works = "", at = ""] = process.argv.slice(2);

const { folder, world, step } = await dyingWorld(path, Number(at));
const handOver = async (): Promise<Verdict> => {
  step();
  await Promise.resolve();
  step();
  return works === "works" ? { works: true, account: "@wirken" } : { works: false, sentence: "it does not" };
};
const { rotation } = renewing(world, folder, () => Date.now(), handOver);
const given = { scope: SCOPE, check: true, hosts: null, expires: null, rotationDue: null };
await rotation
  .rotate(given, named({ "client-id": "1.2", "client-secret": "0123456789abcdef", ...NEXT }), WHO)
  .catch((error: unknown) => {
    if (works === "works") throw error;
  });
await world[Symbol.asyncDispose]();
