import {
  BackupDecryptionKey,
  DeviceId,
  initAsync,
  OlmMachine,
  RequestType,
  UserId,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import { encodeRecoveryKey } from "matrix-js-sdk/lib/crypto-api/recovery-key.js";
import { TypedEventEmitter } from "matrix-js-sdk/lib/models/typed-event-emitter.js";
import { ServerSideSecretStorageImpl } from "matrix-js-sdk/lib/secret-storage.js";
import type { MatrixServer } from "./matrix-server.ts";

/** Sets up secure backup for the bot's account as another program of its owner does: signing keys, a backup of message keys, and both in the secret storage.
 *  @returns the recovery key. */
export async function secureBackup(server: MatrixServer): Promise<string> {
  await initAsync();
  const { user, home } = server;
  const token = server.other(user, "ELEMENT");
  const ask = async (method: string, path: string, body: string): Promise<string> => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const response = await fetch(`${server.root}/_matrix/client/v3/${path}`, { method, headers, body });
    if (response.status !== 200) throw new Error(`${path}: ${response.status}`);
    return await response.text();
  };
  const machine = await OlmMachine.initialize(new UserId(user), new DeviceId("ELEMENT"));
  for (const request of await machine.outgoingRequests()) {
    const path = request.type === RequestType.KeysUpload ? "keys/upload" : "keys/query";
    await machine.markRequestAsSent(request.id ?? "", request.type, await ask("POST", path, request.body));
  }
  const made = await machine.bootstrapCrossSigning(true);
  await ask("POST", "keys/device_signing/upload", made.uploadSigningKeysRequest.body);
  await ask("POST", "keys/signatures/upload", made.uploadSignaturesRequest.body);
  const keys = await machine.exportCrossSigningKeys();
  const backup = BackupDecryptionKey.createRandomKey();
  const about = {
    algorithm: "m.megolm_backup.v1.curve25519-aes-sha2",
    auth_data: { public_key: backup.megolmV1PublicKey.publicKeyBase64 },
  };
  await ask("POST", "room_keys/version", JSON.stringify(about));
  const key = crypto.getRandomValues(new Uint8Array(32));
  const { data } = home.account(user);
  const storage = new ServerSideSecretStorageImpl(
    Object.assign(new TypedEventEmitter(), {
      // The SDK's types name what each kind of account data holds.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      getAccountDataFromServer: async (type: string) => (data.get(type) ?? null) as never,
      setAccountData: async (type: string, content: unknown) => {
        data.set(type, content);
        return {};
      },
    }),
    { getSecretStorageKey: async ({ keys: known }) => [Object.keys(known)[0] ?? "", key] },
  );
  const { keyId } = await storage.addKey("m.secret_storage.v1.aes-hmac-sha2", { key });
  await storage.setDefaultKeyId(keyId);
  await storage.store("m.cross_signing.master", keys?.masterKey ?? "");
  await storage.store("m.cross_signing.self_signing", keys?.self_signing_key ?? "");
  await storage.store("m.cross_signing.user_signing", keys?.userSigningKey ?? "");
  await storage.store("m.megolm_backup.v1", backup.toBase64());
  machine.close();
  return encodeRecoveryKey(key) ?? "";
}
