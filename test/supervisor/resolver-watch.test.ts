import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { ResolverWatch } from "../../src/supervisor/resolver-watch.ts";

const folder = mkdtempSync(join(tmpdir(), "resolver-"));
const [resolv, other] = [join(folder, "resolv.conf"), join(folder, "other")];
const EVERY = { files: [resolv], everyMs: 10 };
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  rmSync(resolv, { force: true });
  writeFileSync(resolv, "nameserver 192.0.2.1\n");
});

/** Long enough for several looks. */
async function looks(): Promise<void> {
  for (let look = 0; look < 5; look++) await new Promise((done) => setTimeout(done, EVERY.everyMs));
}

test.for<[string, () => void]>([
  [
    "put in its place",
    () => {
      writeFileSync(other, "nameserver 192.0.2.2\n");
      renameSync(other, resolv);
    },
  ],
  ["removed", () => rmSync(resolv)],
  [
    "made a link to another",
    () => {
      writeFileSync(other, "nameserver 192.0.2.2\n");
      rmSync(resolv);
      symlinkSync(other, resolv);
    },
  ],
])("a file of the resolver that is %s is another one", async ([, change]) => {
  const replaced = vi.fn<() => void>();
  using _watch = new ResolverWatch(replaced, EVERY);
  await looks();
  expect(replaced).not.toHaveBeenCalled();
  change();
  await expect.poll(() => replaced.mock.calls.length).toBe(1);
  await looks();
  expect(replaced).toHaveBeenCalledOnce();
});

test("one that is rewritten is the same, and after the watch nobody is told", async () => {
  const replaced = vi.fn<() => void>();
  {
    using _watch = new ResolverWatch(replaced, EVERY);
    writeFileSync(resolv, "nameserver 192.0.2.3\n");
    await looks();
  }
  rmSync(resolv);
  await looks();
  expect(replaced).not.toHaveBeenCalled();
});
