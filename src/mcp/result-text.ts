import type { ContentBlock } from "@modelcontextprotocol/sdk/types.js";
import { MAX_MCP_TEXT } from "../ipc/mcp-frames.ts";

/** What comes back of a server, as a model reads it. Pictures and sounds are named and left out. */

interface Embedded {
  readonly uri: string;
  readonly mimeType?: string | undefined;
  readonly text?: string;
  readonly blob?: string;
}

/** @param structured what a tool gave besides, which its text usually repeats. */
export function contentText(blocks: readonly ContentBlock[], structured?: unknown): string {
  const texts = blocks.map(blockText);
  const plain = texts.join("\n");
  if (structured === undefined || (plain.trim() !== "" && sameJson(plain, structured))) return bounded(plain);
  const json = JSON.stringify(structured, null, 1);
  return bounded(plain.trim() === "" ? json : `${plain}\n[as data]\n${json}`);
}

export function blockText(block: ContentBlock): string {
  switch (block.type) {
    case "text":
      return block.text;
    case "image":
    case "audio":
      return `[${block.type} left out: ${oneLine(block.mimeType)}, ${bytesOf(block.data)} bytes]`;
    case "resource":
      return embeddedText(block.resource);
    case "resource_link":
      return `[resource ${oneLine(block.uri)}${block.name === "" ? "" : `: ${oneLine(block.name)}`}]`;
  }
}

export function embeddedText({ uri, mimeType = "no type", ...held }: Embedded): string {
  if (held.text !== undefined) return `[resource ${oneLine(uri)}, ${oneLine(mimeType)}]\n${held.text}`;
  return `[resource ${oneLine(uri)} left out: ${oneLine(mimeType)}, ${bytesOf(held.blob ?? "")} bytes]`;
}

function bytesOf(base64: string): number {
  return Math.floor((base64.length * 3) / 4);
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, " ").slice(0, 500);
}

function sameJson(text: string, structured: unknown): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify(structured);
  } catch {
    return false;
  }
}

/** At most {@link MAX_MCP_TEXT} bytes of UTF-8: the first of it, and how much was left out. */
export function bounded(text: string): string {
  const bytes = Buffer.from(text.toWellFormed());
  if (bytes.length <= MAX_MCP_TEXT) return bytes.toString("utf8");
  const room = MAX_MCP_TEXT - 100;
  const kept = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(0, room), { stream: true });
  return `${kept}\n[… ${bytes.length - Buffer.byteLength(kept)} bytes left out]`;
}
