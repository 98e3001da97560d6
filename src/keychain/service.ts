import { randomBytes } from "node:crypto";
import type { Keytar } from "./keytar.ts";

/** Everything of ours in the keychain is under this name. */
const SERVICE = "wirken";
const PROBE_BYTES = 16;

/** What the keychain answered. `failed`: `locked` it is there and does not open by itself; `absent` there is none for this session;
 *  `unreachable` neither can be told. A bare null of the keychain's is never taken for `missing`: a locked one answers the same. */
export type KeychainAnswer =
  | { readonly type: "works" | "missing" | "done" }
  | { readonly type: "found"; readonly value: Uint8Array }
  | { readonly type: "failed"; readonly state: KeychainState; readonly words: string };
export type KeychainState = "locked" | "absent" | "unreachable";

export type KeychainQuestion =
  | { readonly type: "probe" }
  | { readonly type: "read" | "delete"; readonly account: string }
  | { readonly type: "write"; readonly account: string; readonly value: Uint8Array };

/** Answers one question. @param keytar or why it could not be loaded. It never rejects: what the platform throws becomes `failed` with the platform's own words.
 *  Values are kept in base64, for the platform's interface takes text. */
export async function answer(keytar: Keytar | Error, question: KeychainQuestion): Promise<KeychainAnswer> {
  if (keytar instanceof Error) return { type: "failed", state: "absent", words: keytar.message };
  try {
    switch (question.type) {
      case "read":
        return await read(keytar, question.account);
      case "write":
        return await write(keytar, question.account, question.value);
      case "delete":
        return await remove(keytar, question.account);
      case "probe":
        break;
    }
    return await probe(keytar);
  } catch (error) {
    const words = wordsOf(error);
    return { type: "failed", state: stateOf(words), words };
  }
}

/** Writes, reads back and deletes an entry of its own: only that tells a locked keychain from an empty one. */
async function probe(keytar: Keytar): Promise<KeychainAnswer> {
  const account = `probe/${randomBytes(PROBE_BYTES).toString("hex")}`;
  await keytar.setPassword(SERVICE, account, account);
  const back = await keytar.getPassword(SERVICE, account);
  await keytar.deletePassword(SERVICE, account);
  if (back === account) return { type: "works" };
  return { type: "failed", state: "unreachable", words: "The keychain took an entry and did not give it back" };
}

async function read(keytar: Keytar, account: string): Promise<KeychainAnswer> {
  const text = await keytar.getPassword(SERVICE, account);
  if (text === null) return await unlessClosed(keytar);
  const value = Buffer.from(text, "base64");
  if (value.toString("base64") !== text)
    return { type: "failed", state: "unreachable", words: "The keychain's entry was not written by this program" };
  return { type: "found", value };
}

async function write(keytar: Keytar, account: string, value: Uint8Array): Promise<KeychainAnswer> {
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
  await keytar.setPassword(SERVICE, account, text);
  if ((await keytar.getPassword(SERVICE, account)) === text) return { type: "done" };
  return { type: "failed", state: "unreachable", words: "The keychain took an entry and did not give it back" };
}

async function remove(keytar: Keytar, account: string): Promise<KeychainAnswer> {
  if (await keytar.deletePassword(SERVICE, account)) return { type: "done" };
  return await unlessClosed(keytar);
}

/** `missing` only if the keychain proves to be open. */
async function unlessClosed(keytar: Keytar): Promise<KeychainAnswer> {
  const probed = await probe(keytar);
  return probed.type === "works" ? { type: "missing" } : probed;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** By the words of GLib, libsecret and gnome-keyring: their error codes do not come through. */
const STATES: readonly (readonly [KeychainState, RegExp])[] = [
  // No session bus: GLib would have to start one.
  ["absent", /autolaunch D-Bus|DBUS_SESSION_BUS_ADDRESS/i],
  // A bus, and nothing on it that keeps secrets.
  ["absent", /not provided by any \.service files|ServiceUnknown/i],
  // A service with no collection to keep anything in, and nobody to ask for a password for a new one.
  ["absent", /Object does not exist at path|No such (object|secret collection)/i],
  ["locked", /locked collection|is locked|prompt was dismissed|user interaction is not allowed/i],
];

/** @param words the platform's own. Words that are not known mean `unreachable`: nothing is concluded from them. */
export function stateOf(words: string): KeychainState {
  return STATES.find(([, pattern]) => pattern.test(words))?.[0] ?? "unreachable";
}
