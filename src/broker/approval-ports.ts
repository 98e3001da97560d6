import type { Channel } from "../ipc/channel.ts";
import type { ApprovalId } from "../ipc/ids.ts";
import type { ApprovalScope, Role } from "../ipc/operator.ts";
import type { Several } from "./cards/subject.ts";
import type { ClosedCard } from "./closed-cards.ts";
import type { Suspect } from "./injection/suspects.ts";
import type { ActionKey } from "./keys.ts";
import type { PendingApproval } from "./pending.ts";
import type { TurnContext } from "./turn.ts";

/** What the broker wants approved. */
export interface ApprovalRequest {
  readonly turn: TurnContext;
  /** The completion that the call came from. */
  readonly group: number;
  /** The row that led to it. */
  readonly cause: number;
  readonly keys: readonly [ActionKey, ...ActionKey[]];
  readonly tier: number;
  readonly scopes: readonly ApprovalScope[];
  /** The keys that an approval for longer than once is remembered for. */
  readonly remembers: readonly ActionKey[];
  readonly reason: string;
  /** The very bytes that are to run; of a plan, of everything that is on it. */
  readonly actions: readonly Uint8Array[];
  /** For each action why the model says it wants it; null: it does not say. */
  readonly whys: readonly (string | null)[];
  /** Of a plan: until when its actions may run, in milliseconds since 1970. */
  readonly end: number | null;
  readonly labels: { readonly untrusted: boolean; readonly private: boolean };
  readonly suspects: readonly Suspect[];
  /** More than one person has to approve it. */
  readonly several: Omit<Several, "given"> | null;
}

export type Verdict =
  /** `covers`: SHA-256 of the bytes of each action that was approved. */
  | {
      readonly state: "approved";
      readonly rests: number;
      readonly covers: readonly string[];
      readonly scope: ApprovalScope;
    }
  | { readonly state: "denied"; readonly reason: string | null }
  | { readonly state: "expired"; readonly approval: ApprovalId }
  | { readonly state: "withdrawn" };

export type ClosedState = ClosedCard["state"];

/** The supervisor's part: cards go out, and are closed. */
export interface ApprovalPorts {
  /** Shows a card wherever it may be decided beside the terminal and the page, and there to whoever watches.
   *  @param sentTo to be called with a channel before the card leaves for it: a press that comes back is then none of a stranger. */
  show(pending: PendingApproval, sentTo: (channel: Channel) => void): Promise<void>;
  /** @param by who decided it, and where; null: nobody did. */
  closed(
    pending: PendingApproval,
    state: ClosedState,
    sentence: string,
    by: Pick<Answering, "name" | "via"> | null,
  ): void;
  /** One of several people approved it: the card says so, and waits for another. The ones that were sent before are not decided on any more. */
  counted(
    before: PendingApproval,
    pending: PendingApproval,
    sentence: string,
    sentTo: (channel: Channel) => void,
  ): Promise<void>;
  /** The row that lets somebody decide tier 3 on the channel that they asked on, for they are known nowhere else; null: none does. */
  sameChannel(principal: string, channel: Channel): number | null;
  /** Was this person not removed, nor made one who only asks, since? */
  stillDecides(principal: string): boolean;
  /** Somebody pressed on a channel that the card was never sent to: to be recorded as a refused message. */
  foreignPress(via: Channel, by: string): void;
}

/** An answer to a card. */
export interface Answering {
  readonly by: string;
  /** What they are called: shown where others have to approve it too. */
  readonly name: string;
  readonly role: Role;
  /** The channel that the answer came on: a property of its pipe. */
  readonly via: Channel;
  readonly decision: "approve" | "deny";
  readonly scope: ApprovalScope;
  /** SHA-256 of the card that the person saw; null where the press itself belongs to the card (a button or a typed code). */
  readonly card: string | null;
  readonly reason: string | null;
}

/** What became of an answer. */
export interface Answered {
  readonly state: "approved" | "counted" | "denied" | "expired" | "gone";
  readonly sentence: string;
  /** The card that it was an answer to, where that expired. */
  readonly approval: string | null;
}
