import { existsSync } from "node:fs";
import { join } from "node:path";

/** Is there a session bus, on which a keychain may answer? Where it is looked for is what libsecret's own library does: the address in the environment,
 *  the socket in the runtime directory, and a bus that a display would start. Elsewhere than on Linux keychains need none. */
export function hasSessionBus(environment: NodeJS.ProcessEnv): boolean {
  if (process.platform !== "linux") return true;
  if ((environment["DBUS_SESSION_BUS_ADDRESS"] ?? "") !== "" || (environment["DISPLAY"] ?? "") !== "") return true;
  const runtime = environment["XDG_RUNTIME_DIR"] ?? "";
  return runtime !== "" && existsSync(join(runtime, "bus"));
}
