import type { Place, Steps } from "./finding.ts";

/** What stands in the templates that conversations and calls are given to models in, and in no other text. */

const ROLE_MARKS = [
  "<|im_start|>",
  "<|im_end|>",
  "<|system|>",
  "<|user|>",
  "<|assistant|>",
  "<|endoftext|>",
  "<|eot_id|>",
  "<|start_header_id|>",
  "<|begin_of_text|>",
  "<|start|>",
  "<|channel|>",
  "<|message|>",
  "[inst]",
  "[/inst]",
  "<<sys>>",
  "<</sys>>",
  "<start_of_turn>",
  "<end_of_turn>",
  "<system>",
  "</system>",
  "<system-reminder>",
  "<system_prompt>",
  "</system_prompt>",
  "<assistant>",
  "</assistant>",
  "<admin>",
  "[system]",
  "[/system]",
  "[system message]",
  "[system:",
  "### instruction:",
  "### system:",
  "### response:",
  "\n\nhuman:",
  "\n\nassistant:",
  "begin_system_prompt",
  "end_of_user_input",
  "--- end of user",
  "---end of user",
  "=== end of document",
  "--- end of document",
] as const;
const CALL_MARKS = [
  "<tool_call>",
  "</tool_call>",
  "<tool_calls>",
  "<tool_result>",
  "<tool_response>",
  "<function_calls>",
  "<function_call>",
  "<function_results>",
  "<function=",
  "<invoke name=",
  "<tool_use>",
  "<|python_tag|>",
  "<|tool_call|>",
  "[tool_calls]",
  "[tool_call]",
  '"tool_calls":',
  '"tool_use"',
  '"function_call":',
  "to=functions.",
  "action: exec",
  "action input:",
] as const;

/** A line that begins so speaks for somebody else. */
const SPEAKERS = ["system:", "assistant:", "developer:", "system prompt:", "system message:", "ai:"] as const;
/** Of a JSON call: its name and its arguments are no further apart. */
const CALL_SPAN = 300;

type Mark = { readonly class: "role" | "tool-call"; readonly text: string };
const MARKS: readonly Mark[] = [
  ...ROLE_MARKS.map((text): Mark => ({ class: "role", text })),
  ...CALL_MARKS.map((text): Mark => ({ class: "tool-call", text })),
];
/** By the code of their first two characters: words that begin like a mark are rare. */
const BY_BEGINNING: ReadonlyMap<number, readonly Mark[]> = Map.groupBy(
  MARKS,
  ({ text }) => text.charCodeAt(0) * 128 + text.charCodeAt(1),
);
const QUOTE = 0x22;
const LINE_FEED = 0x0a;
const BEFORE_SPEAKER: ReadonlySet<number> = new Set(Array.from(" \t*_>#", (one) => one.charCodeAt(0)));

const NONE: readonly Mark[] = [];

/** Finds marks of conversation templates and what looks like a call. */
export function marksIn(text: string, steps: Steps): Place[] {
  const low = smallAscii(text);
  const places: Place[] = [];
  let name = -CALL_SPAN - 1;
  let lineStart = true;
  for (let at = 0; at < low.length; at += 1) {
    steps.count += 1;
    const first = low.charCodeAt(at);
    for (const mark of (first < 128 ? BY_BEGINNING.get(first * 128 + low.charCodeAt(at + 1)) : undefined) ?? NONE) {
      steps.count += 1;
      if (low.startsWith(mark.text, at)) places.push({ class: mark.class, from: at, to: at + mark.text.length });
    }
    if (lineStart) {
      for (const speaker of SPEAKERS) {
        steps.count += 1;
        if (low.startsWith(speaker, at)) places.push({ class: "role", from: at, to: at + speaker.length });
      }
    }
    // Blanks, quotes and stars before a speaker's name hide nothing.
    lineStart = first === LINE_FEED || (lineStart && BEFORE_SPEAKER.has(first));
    if (first !== QUOTE) continue;
    if (low.startsWith('"name"', at) || low.startsWith('"tool"', at) || low.startsWith('"function"', at)) name = at;
    const given = low.startsWith('"arguments"', at) ? 11 : low.startsWith('"parameters"', at) ? 12 : 0;
    if (given > 0 && at - name <= CALL_SPAN && holdsValue(low, at + given))
      places.push({ class: "tool-call", from: name, to: at + given });
  }
  return places;
}

/** Is what follows `: {"` or `: "{`, the arguments themselves, and not a list or a schema of them? */
function holdsValue(text: string, from: number): boolean {
  const next = text.slice(from, from + 24).replaceAll(/\s|\\/g, "");
  return (next.startsWith(':{"') && !next.startsWith(':{"type"')) || next.startsWith(':"{');
}

/** Only A to Z: the text stays as long as it is. */
function smallAscii(text: string): string {
  const low = text.toLowerCase();
  // A few letters get longer: places would not be where they were.
  return low.length === text.length ? low : text.replaceAll(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
}
