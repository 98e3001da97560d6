import type { AnswerTo } from "../ipc/operator.ts";
import type { MessageView, StepView, TurnView } from "../ipc/session-calls.ts";
import { moment } from "./moment.ts";
import { amount } from "./money.ts";
import { printable, printableLines } from "./printable.ts";

/** What `sessions replay` says of one turn: each request as the model saw it, what of it was new, and what came back. */
export function replayText({ turn, of, steps, verdict }: AnswerTo<"session.replay">): string {
  const head = `turn ${turn.number} of ${of}, for ${printable(turn.person)}, ${moment(turn.at)} (row ${turn.row}): ${endOf(turn)}`;
  if (steps.length === 0) return `${head}\nno model was asked\n`;
  return [
    head,
    ...steps.flatMap((step, at) => stepLines(step, at + 1)),
    `turn ${turn.number}: ${verdictOf({ verdict, why: whyOf(steps, verdict) })}`,
    "",
  ].join("\n");
}

function endOf({ ended }: TurnView): string {
  return ended === null ? "it has not ended" : `it ended (${ended})`;
}

function whyOf(steps: readonly StepView[], verdict: StepView["verdict"]): string | null {
  return steps.find((step) => step.verdict === verdict)?.why ?? null;
}

const ASKED = { turn: "the agent asks", agent: "a sub-agent asks", summary: "a summary is asked of" } as const;

function stepLines(step: StepView, number: number): string[] {
  const { setup, messages, from, answer } = step;
  return [
    "",
    `step ${number}: ${ASKED[step.purpose]} ${printable(step.model)}, ${moment(step.at)} (row ${step.row})`,
    ...(setup === null
      ? ["  system prompt and tools: as before"]
      : [
          "  system prompt:",
          ...inset(setup.instructions ?? "[erased]", "    "),
          `  tools offered: ${setup.tools.map(({ name }) => printable(name)).join(", ") || "none"}`,
        ]),
    ...(from === 0 ? [] : [`  messages 1 to ${from}: as before`]),
    ...messages.flatMap((message, at) => messageLines(message, from + at + 1)),
    ...answerLines(answer),
    `  ${verdictOf(step)}`,
  ];
}

const WHOSE = { user: "user", assistant: "assistant", tool: "result" } as const;

function messageLines({ role, row, text, tool, calls, files }: MessageView, number: number): string[] {
  const of = tool === null ? "" : ` of ${printable(tool)}`;
  return [
    `  message ${number}, ${WHOSE[role]}${of}${row === null ? "" : ` (row ${row})`}:`,
    ...(text === "" ? [] : inset(text, "    ")),
    ...calls.map((call) => `    calls ${printable(call.name)} ${printable(call.arguments)}`),
    ...files.map(
      ({ media, bytes, sha256 }) => `    shows ${media}, ${bytes.toLocaleString("en-US")} bytes, SHA-256 ${sha256}`,
    ),
  ];
}

function answerLines(answer: StepView["answer"]): string[] {
  if (answer === null) return ["  no answer came"];
  const { inputTokens, outputTokens, microDollars } = answer;
  const cost = `${inputTokens.toLocaleString("en-US")} tokens in, ${outputTokens.toLocaleString("en-US")} out, ${microDollars === null ? "no price" : amount("usd", microDollars)}`;
  return [
    `  answer of ${printable(answer.model)} (row ${answer.row}; ${answer.stop}; ${cost}):`,
    ...(answer.text === "" ? [] : inset(answer.text ?? "[erased]", "    ")),
    ...answer.calls.map((call) => `    calls ${printable(call.name)} ${printable(call.arguments)}`),
  ];
}

function verdictOf({ verdict, why }: { readonly verdict: StepView["verdict"]; readonly why: string | null }): string {
  if (verdict === "same") return "same: what its rows make is what was sent, byte for byte";
  return `${verdict}: ${printable(why ?? "it is not known what")}`;
}

function inset(text: string, by: string): string[] {
  return printableLines(text)
    .split("\n")
    .map((line) => `${by}${line}`);
}
