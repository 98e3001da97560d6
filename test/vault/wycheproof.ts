import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod/mini";

/** Wycheproof's vectors lie beside the project, unchanged, and are not copied into it. */
const FOLDER = new URL("../../../shared/vectors/", import.meta.url);

const File = <Group extends z.ZodMiniType>(group: Group) =>
  z.object({ numberOfTests: z.number(), testGroups: z.array(group) });
const result = z.enum(["valid", "invalid", "acceptable"]);

export const AeadGroup = z.object({
  tests: z.array(
    z.object({
      tcId: z.number(),
      key: z.string(),
      iv: z.string(),
      aad: z.string(),
      msg: z.string(),
      ct: z.string(),
      tag: z.string(),
      result,
    }),
  ),
});
export const HkdfGroup = z.object({
  tests: z.array(
    z.object({
      tcId: z.number(),
      ikm: z.string(),
      salt: z.string(),
      info: z.string(),
      size: z.number(),
      okm: z.string(),
      result,
    }),
  ),
});
export const EddsaGroup = z.object({
  publicKeyDer: z.string(),
  tests: z.array(z.object({ tcId: z.number(), msg: z.string(), sig: z.string(), result })),
});

/** Reads a file of vectors, and says on the output that it did or could not. @returns no groups where the folder is not there. */
export function readVectors<Group extends z.ZodMiniType>(name: string, group: Group): z.infer<Group>[] {
  const path = fileURLToPath(new URL(name, FOLDER));
  if (!existsSync(path)) {
    process.stdout.write(`wycheproof: ${name} could not be read: there is no ../shared/vectors beside the project\n`);
    return [];
  }
  const file = File(group).parse(JSON.parse(readFileSync(path, "utf8")));
  process.stdout.write(`wycheproof: ${name} was read, ${file.numberOfTests} vectors\n`);
  return file.testGroups;
}

export function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}
