import type { Limits } from "./limits.ts";

/** What a launcher is told, as JSON, on {@link ORDER}. */
export interface LaunchOrder {
  readonly argv: readonly string[];
  /** Where the command starts, and all that it may change if `write`. */
  readonly workspace: string;
  /** What else it may reach, and of that what it may change. */
  readonly folders: readonly { readonly path: string; readonly write: boolean }[];
  readonly write: boolean;
  /** As whom, when we are root; null: as whoever we are. */
  readonly runAs: number | null;
  readonly limits: Limits;
  /** Folders with programs, beside the system's. */
  readonly toolchains: readonly string[];
}

/** What the keeper of a launched command and the launcher are given, by number. */
export const LAUNCHED = {
  /** A file: the {@link LaunchOrder}. */
  order: 3,
  /** What the launcher or the keeper says of the end: {@link NOT_RUN}, or the command's status. */
  status: 4,
  /** Ends with the supervisor, or when it wants everything to end. */
  lifeline: 5,
} as const;

/** The launcher's word for a command of which nothing ran. */
export const NOT_RUN = "not run";
