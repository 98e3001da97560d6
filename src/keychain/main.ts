import { confine } from "../confine/confine.ts";
import { BUILD } from "../ipc/build.ts";
import { PROTOCOL } from "../ipc/frame-common.ts";
import { type FromKeychain, ToKeychain } from "../ipc/keychain-frames.ts";
import { ownPipe, type Pipe } from "../ipc/pipe.ts";
import { type Keytar, loadKeytar } from "./keytar.ts";
import { answer, type KeychainQuestion } from "./service.ts";

// The keychain in a process of its own, for one question: a keychain that hangs blocks even the exit of whoever called it.

/** A master is 32 bytes and a pin a few hundred; some keychains refuse more than 2 KiB of text. */
const MAX_VALUE_BYTES = 1024;

async function start(): Promise<void> {
  // The addon first: what it takes to load native code goes with the walls. Nothing from outside is read before they stand.
  const keytar = await loadKeytar();
  confine("keychain");

  let asked = false;
  const pipe = ownPipe<ToKeychain, FromKeychain>(
    ToKeychain,
    {
      frame(header, payload) {
        if (asked) throw new TypeError("a keychain helper answers one question");
        asked = true;
        void reply(pipe, keytar, questionOf(header, payload), payload);
      },
      end: () => undefined,
    },
    3,
    { largest: MAX_VALUE_BYTES },
  );
  await pipe.send({ type: "ready", protocol: PROTOCOL, build: BUILD });
}

function questionOf(header: ToKeychain, payload: Uint8Array): KeychainQuestion {
  return header.type === "write" ? { type: "write", account: header.account, value: payload } : header;
}

async function reply(
  pipe: Pipe<ToKeychain, FromKeychain>,
  keytar: Keytar | Error,
  question: KeychainQuestion,
  payload: Uint8Array,
): Promise<void> {
  const answered = await answer(keytar, question);
  payload.fill(0);
  if (answered.type === "found") await pipe.send({ type: "found" }, answered.value, { wipe: true });
  else if (answered.type === "failed")
    await pipe.send({ type: "failed", state: answered.state }, Buffer.from(answered.words));
  else await pipe.send({ type: answered.type });
  pipe.close();
}

void start();
