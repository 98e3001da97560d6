import { dyingWorld } from "./dying-world.ts";
import { processOf, renewing, TokenPlatform } from "./renewal-world.ts";

/** Renews a credential, and dies by its own hand at the step it is told: when a row is on disk, around the question to the platform, around each commit of
 *  the vault, and when its process is told. argv: folder, whether the platform has grace, the step. Ends with status 0 when there is no such step. */
const [path = "", grace = "", at = ""] = process.argv.slice(2);

const { folder, world, step } = await dyingWorld(path, Number(at));
const platform = new TokenPlatform(folder);
const asks = processOf(world, platform, { grace: grace === "grace" });
await renewing(world, folder).renewal.run({
  ...asks,
  grant: async () => {
    step();
    const said = await asks.grant();
    step();
    return said;
  },
  kept: async (secret) => {
    step();
    return await asks.kept(secret);
  },
});
await world[Symbol.asyncDispose]();
