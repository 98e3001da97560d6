import { confine } from "../confine/confine.ts";
import { isRole } from "../confine/role.ts";
import { BUILD } from "../ipc/build.ts";
import { PROTOCOL } from "../ipc/frame-common.ts";
import { ownPipe } from "../ipc/pipe.ts";
import { type FromProbe, ToProbe } from "../ipc/probe-frames.ts";
import { Attempts } from "./attempts.ts";

// A process in a role that has nothing to do in it: it tries what the role may not, after each of its walls, and says which one refused it.

const role = process.argv.at(-2) ?? "";
if (!isRole(role)) throw new TypeError("a probe is started with a role");

const attempts = process.platform === "linux" ? new Attempts() : null;
attempts?.tryNative("system");
const { layers, landlockAbi } = confine(role, { built: (wall) => attempts?.tryNative(wall) });
const tried = attempts?.finish() ?? [];

async function say(): Promise<void> {
  const pipe = ownPipe<ToProbe, FromProbe>(ToProbe, { frame: () => process.exit(0), end: () => process.exit(0) });
  await pipe.send({ type: "ready", protocol: PROTOCOL, build: BUILD });
  await pipe.send({ type: "probed", layers: [...layers], landlockAbi, tried });
}

void say();
