import { PromptSchema, ResourceSchema, ResourceTemplateSchema, ToolSchema } from "@modelcontextprotocol/sdk/types.js";
import { OfferedPrompt, OfferedResource, OfferedTool } from "../ipc/mcp-frames.ts";
import { canonical } from "./canonical.ts";

/** What a server offers, written anew in our own form. What does not fit into that is null: it is not taken. */

export function offeredTool(given: unknown): OfferedTool | null {
  const read = ToolSchema.safeParse(given);
  if (!read.success) return null;
  const { name, title, description, inputSchema, outputSchema, annotations } = read.data;
  try {
    return OfferedTool.parse({
      name,
      title: title ?? annotations?.title ?? null,
      description: (description ?? "").toWellFormed(),
      schema: canonical(inputSchema),
      output: outputSchema === undefined ? null : canonical(outputSchema),
      hints: {
        readOnly: annotations?.readOnlyHint ?? null,
        destructive: annotations?.destructiveHint ?? null,
        idempotent: annotations?.idempotentHint ?? null,
        openWorld: annotations?.openWorldHint ?? null,
      },
    });
  } catch {
    return null;
  }
}

export function offeredResource(given: unknown): OfferedResource | null {
  const plain = ResourceSchema.safeParse(given);
  if (plain.success) {
    const { uri, name, title, description, mimeType } = plain.data;
    return resource({ uri, template: false, name: title ?? name, description, mime: mimeType });
  }
  const template = ResourceTemplateSchema.safeParse(given);
  if (!template.success) return null;
  const { uriTemplate, name, title, description, mimeType } = template.data;
  return resource({ uri: uriTemplate, template: true, name: title ?? name, description, mime: mimeType });
}

function resource(given: {
  readonly uri: string;
  readonly template: boolean;
  readonly name: string;
  readonly description: string | undefined;
  readonly mime: string | undefined;
}): OfferedResource | null {
  const { uri, template, name, description = "", mime } = given;
  const made = { uri, template, name: cut(name, 128), description: cut(description, 1_000), mime: mime ?? null };
  return OfferedResource.safeParse(made).data ?? null;
}

export function offeredPrompt(given: unknown): OfferedPrompt | null {
  const read = PromptSchema.safeParse(given);
  if (!read.success) return null;
  const { name, description = "", arguments: wanted = [] } = read.data;
  const made = {
    name,
    description: cut(description, 1_000),
    arguments: wanted.map((one) => ({
      name: one.name,
      description: cut(one.description ?? "", 1_000),
      required: one.required ?? false,
    })),
  };
  return OfferedPrompt.safeParse(made).data ?? null;
}

function cut(text: string, most: number): string {
  return text.slice(0, most).toWellFormed();
}
