/** What texts are looked through for. A finding is told and recorded, and decides nothing: a text without one is no safer. */
export const INJECTION_CLASSES = [
  "override",
  "role",
  "hidden",
  "encoded",
  "exfiltration",
  "tool-call",
  "credentials",
] as const;
export type InjectionClass = (typeof INJECTION_CLASSES)[number];

/** By what way a text came into a context. */
export const ENTRIES = ["message", "result", "page", "memory", "mcp", "skill", "instructions"] as const;
export type Entry = (typeof ENTRIES)[number];

/** One place in a text. */
export interface Place {
  readonly class: InjectionClass;
  /** In UTF-16 units; the end is exclusive. */
  readonly from: number;
  readonly to: number;
}

/** What was found of one class in one text. */
export interface Finding {
  readonly class: InjectionClass;
  /** How often. */
  readonly times: number;
  /** The first place, with a little of what stands around it. */
  readonly excerpt: string;
}

/** Counts what a scan looks at, so that a test can say that it is linear without a clock. */
export interface Steps {
  count: number;
}

/** A finding class in words. */
export const MEANS: Readonly<Record<InjectionClass, string>> = {
  override: "tells an agent to drop its instructions, or to hide something from its person",
  role: "pretends to be another part of the conversation",
  hidden: "holds characters that nobody sees",
  encoded: "holds a text in an encoding",
  exfiltration: "holds a link or an image that would carry something away",
  "tool-call": "looks like a call of a tool",
  credentials: "asks for a credential",
};

export const ENTRY_MEANS: Readonly<Record<Entry, string>> = {
  message: "a message",
  result: "what a tool gave",
  page: "a web page",
  memory: "memory",
  mcp: "what an MCP server gave",
  skill: "a skill",
  instructions: "a file of instructions",
};
