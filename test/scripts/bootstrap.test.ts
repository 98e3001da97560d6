import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";

const bootstrap = join(import.meta.dirname, "../../scripts/bootstrap.mjs");

/** Runs a program by way of `become`, as npm start and npm test do. */
function becoming(script: string) {
  const code = `import { become } from ${JSON.stringify(bootstrap)};\nbecome(process.execPath, ["-e", ${JSON.stringify(script)}]);`;
  return spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "pipe"] });
}

test.for([0, 1, 3, 70])("what it starts ends with %i, and so does it", async (status) => {
  const child = becoming(`process.exit(${status})`);
  await once(child, "close");
  expect(child.exitCode).toBe(status);
});

test.for(["SIGINT", "SIGTERM", "SIGHUP"] as const)("%s reaches what it started, which may end well", async (signal) => {
  const child = becoming(
    `process.on("${signal}", () => { console.log("heard"); process.exit(0); }); console.log("ready"); setInterval(() => {}, 1000)`,
  );
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    if (said === "ready\n") child.kill(signal);
  });
  await once(child, "close");
  expect(said).toBe("ready\nheard\n");
  expect(child.exitCode).toBe(0);
});

test("what dies of a signal is told as such", async () => {
  const child = becoming("process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)");
  await once(child, "close");
  expect(child.signalCode).toBe("SIGTERM");
});
