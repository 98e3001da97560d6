import { FromAdapter, type ToAdapter } from "../ipc/adapter-frames.ts";
import { addressOnLane } from "../ipc/local-socket.ts";
import { type AdapterChannel, platformOf } from "../ipc/channel.ts";
import { decodeNamedBytes, type NamedBytes } from "../ipc/named-bytes.ts";
import type { CredentialRenewal } from "./credential-renewal.ts";
import type { Checked } from "./credentials.ts";
import { insteadOf } from "./exchanged.ts";
import type { Processes, SecretOf } from "./processes.ts";
import type { Reach } from "./reach-list.ts";
import { RenewalExchange } from "./renewal-exchange.ts";

const CHECK_MS = 30_000;

export interface ChannelCheck {
  readonly processes: Processes;
  readonly channel: AdapterChannel;
  /** What a person typed, or what the vault holds. */
  readonly candidate: readonly NamedBytes[] | SecretOf;
  readonly apiRoot: string | null;
  readonly reach: () => Reach;
  readonly renewals: () => CredentialRenewal;
  readonly cause: number | null;
}

/** Asks a platform whether candidates are good, in a process of that platform that gets nothing else. */
export async function checkChannel(asked: ChannelCheck): Promise<Checked> {
  const { channel, candidate } = asked;
  let renewal: Promise<void> = Promise.resolve();
  let exchange: RenewalExchange | null = null;
  let instead: readonly NamedBytes[] | null = null;
  const checked = await asked.processes.check<FromAdapter, ToAdapter>({
    role: "adapter",
    args: [platformOf(channel)],
    subject: channel,
    accepts: FromAdapter,
    stop: { type: "stop" },
    secret: (name) => ({ type: "secret", name }),
    candidate,
    reach: asked.reach,
    start: {
      type: "start",
      check: true,
      cursor: null,
      apiRoot: asked.apiRoot === null ? null : addressOnLane(asked.apiRoot),
    },
    timeoutMs: CHECK_MS,
    cause: asked.cause,
    hear: (header, payload, process) => {
      // Of what is kept already nothing is exchanged.
      if (header.type === "exchanged" && !("scope" in candidate)) instead = takenInstead(channel, payload);
      if (header.type === "renewed" || header.type === "unrenewed") exchange?.take(header, payload);
      if (header.type !== "renewal" || exchange !== null) return;
      exchange = new RenewalExchange(channel, header.ref, async (frame) => await process.send(frame));
      // What is not saved is not renewed: it would be spent, and nothing kept.
      if (!("scope" in candidate)) {
        void exchange.deny(CHECK_MS);
        return;
      }
      const renewing = exchange.renewing(candidate, async (_, tell) => {
        await tell();
        return null;
      });
      renewal = asked.renewals().run(renewing, true);
    },
    ended: () => exchange?.lost(),
  });
  await renewal;
  return instead === null || checked.result !== "good" ? checked : { ...checked, instead };
}

function takenInstead(channel: AdapterChannel, payload: Uint8Array): readonly NamedBytes[] | null {
  try {
    const given = insteadOf(channel, decodeNamedBytes(payload));
    if (given !== null) return given;
  } catch {
    // Of no form that is known here.
  }
  payload.fill(0);
  return null;
}
