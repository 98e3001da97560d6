import type { Recorded } from "../../audit/recorded.ts";
import { copyOf } from "../../vault/secret.ts";
import type { Vault } from "../../vault/vault.ts";

/** Hands recorded secrets to the child that needs them: its bytes go over its own pipe once, and no copy of ours stays.
 *  @param send writes one frame and wipes the payload when it is written. */
export async function handSecrets(
  recorded: Recorded<"secret.used">,
  vault: Vault,
  names: readonly string[],
  send: (name: string, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  recorded.redeem();
  const { scope, version } = recorded.action;
  try {
    for (const name of names) {
      using secret = vault.take(scope, name, version);
      await secret.use((bytes) => send(name, copyOf(bytes)));
    }
  } catch (error) {
    await recorded.fail(error);
    throw error;
  }
  await recorded.finish({ kind: "secret.handed" });
}
