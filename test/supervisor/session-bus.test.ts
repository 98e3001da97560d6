import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { hasSessionBus } from "../../src/supervisor/session-bus.ts";

const runtime = mkdtempSync(join(tmpdir(), "wirken-runtime-"));

test("a session bus is where the environment or the runtime directory says, or where a display would start one", () => {
  onTestFinished(() => rmSync(runtime, { recursive: true }));
  expect(hasSessionBus({})).toBe(false);
  expect(hasSessionBus({ DBUS_SESSION_BUS_ADDRESS: "", DISPLAY: "", XDG_RUNTIME_DIR: "" })).toBe(false);
  expect(hasSessionBus({ DBUS_SESSION_BUS_ADDRESS: "unix:path=/run/user/1000/bus" })).toBe(true);
  expect(hasSessionBus({ DISPLAY: ":0" })).toBe(true);
  expect(hasSessionBus({ XDG_RUNTIME_DIR: runtime })).toBe(false);
  writeFileSync(join(runtime, "bus"), "");
  expect(hasSessionBus({ XDG_RUNTIME_DIR: runtime })).toBe(true);
});
