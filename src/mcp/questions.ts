import type { CreateMessageRequest, ElicitRequest } from "@modelcontextprotocol/sdk/types.js";
import * as z from "zod/mini";
import { type AskedField, ElicitationAsk, SamplingAsk } from "../ipc/mcp-frames.ts";
import { McpProcessError } from "./mcp-error.ts";
import { blockText } from "./result-text.ts";

/** What a server asks back, in our own form. */

/** @throws {McpProcessError} for what is too much to be asked. */
export function samplingAsk({ params }: CreateMessageRequest): SamplingAsk {
  const messages = params.messages.map(({ role, content }) => ({
    role,
    text: (Array.isArray(content) ? content : [content])
      .map((block) =>
        block.type === "tool_use" || block.type === "tool_result" ? `[${block.type}]` : blockText(block),
      )
      .join("\n")
      .toWellFormed(),
  }));
  const asked = { system: params.systemPrompt?.toWellFormed() ?? null, messages, maxTokens: params.maxTokens };
  const read = SamplingAsk.safeParse(asked);
  if (read.success) return read.data;
  throw new McpProcessError("too-large", "what the server asks a model is too long, or empty");
}

const Choice = z.object({ const: z.string(), title: z.string() });
const Property = z.object({
  type: z.string(),
  title: z.optional(z.string()),
  description: z.optional(z.string()),
  default: z.optional(z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])),
  enum: z.optional(z.array(z.string())),
  oneOf: z.optional(z.array(Choice)),
  items: z.optional(z.object({ enum: z.optional(z.array(z.string())), anyOf: z.optional(z.array(Choice)) })),
});
const Form = z.object({
  properties: z.record(z.string(), Property),
  required: z.optional(z.array(z.string())),
});

/** What is to be filled in, and how an answer is given back to the server. */
export interface Elicitation {
  readonly ask: ElicitationAsk;
  /** @param values by name, as a person gave them. */
  content(
    values: Readonly<Record<string, string | number | boolean>>,
  ): Record<string, string | number | boolean | string[]>;
}

/** @throws {McpProcessError} for what nobody can be asked. */
export function elicitation({ params }: ElicitRequest): Elicitation {
  const message = params.message.slice(0, 4_096).toWellFormed();
  if (params.mode === "url") {
    const ask = ElicitationAsk.safeParse({ message, fields: [], url: params.url });
    if (!ask.success) throw new McpProcessError("too-large", "the server leads to an address that is too long");
    return { ask: ask.data, content: () => ({}) };
  }
  const form = Form.safeParse(params.requestedSchema);
  if (!form.success) throw new McpProcessError("protocol", "the server asks for something in a form that is not known");
  const lists = new Set<string>();
  const fields = Object.entries(form.data.properties).map(([name, property]): AskedField => {
    const choices =
      property.enum ??
      property.oneOf?.map((one) => one.const) ??
      property.items?.enum ??
      property.items?.anyOf?.map((one) => one.const) ??
      [];
    if (property.type === "array") lists.add(name);
    return {
      name,
      title: (property.title ?? name).slice(0, 200).toWellFormed(),
      description: described(property).slice(0, 1_000).toWellFormed(),
      kind: choices.length > 0 ? "choice" : kindOf(property.type),
      required: form.data.required?.includes(name) ?? false,
      choices: choices.map((one) => one.toWellFormed()),
    };
  });
  const ask = ElicitationAsk.safeParse({ message, fields, url: null });
  if (!ask.success) throw new McpProcessError("too-large", "the server asks for more than anybody fills in");
  return {
    ask: ask.data,
    content: (values) =>
      Object.fromEntries(
        Object.entries(values).map(([name, value]) => [name, lists.has(name) ? [String(value)] : value]),
      ),
  };
}

/** What a field that is left out counts as is the server's to say, and the person's to see. */
function described({ description = "", default: left }: z.infer<typeof Property>): string {
  return left === undefined ? description : `${description} (left out: ${JSON.stringify(left)})`.trim();
}

function kindOf(type: string): AskedField["kind"] {
  return type === "number" || type === "integer" || type === "boolean" ? type : "text";
}
