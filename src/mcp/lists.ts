import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import * as z from "zod/mini";
import {
  type ListKind,
  MAX_LIST,
  MAX_OFFERED,
  MAX_PAGE,
  type OfferedPrompt,
  type OfferedResource,
  type OfferedTool,
} from "../ipc/mcp-frames.ts";
import { offeredPrompt, offeredResource, offeredTool } from "./offered.ts";

/** Pages that a server is asked for. */
const MAX_PAGES = 200;
/** One page of it has to come within this. */
const PAGE_MS = 30_000;

export type Offered = OfferedTool | OfferedResource | OfferedPrompt;

/** What a server offers of one kind. `left`: so many were not taken; at least so many, where it was not asked to the end. */
export interface Listing<T> {
  readonly items: readonly T[];
  readonly left: number;
}

const METHODS = {
  tools: [["tools/list", "tools"]],
  resources: [
    ["resources/list", "resources"],
    ["resources/templates/list", "resourceTemplates"],
  ],
  prompts: [["prompts/list", "prompts"]],
} as const;

const Page = z.looseObject({ nextCursor: z.optional(z.string()) });

/** Asks for page after page, and takes what fits our form, each name once. A page with something malformed in it is not malformed as a whole. */
export async function listed(client: Client, what: "tools"): Promise<Listing<OfferedTool>>;
export async function listed(client: Client, what: ListKind): Promise<Listing<Offered>>;
export async function listed(client: Client, what: ListKind): Promise<Listing<Offered>> {
  const taken = new Map<string, Offered>();
  let left = 0;
  let bytes = 0;
  for (const [method, field] of METHODS[what]) {
    let cursor: string | undefined;
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const page = await pageOf(client, method, cursor);
      if (page === null) break;
      const entries: unknown = page[field];
      for (const entry of Array.isArray(entries) ? entries : []) {
        const one = read(what, entry);
        const size = one === null ? 0 : Buffer.byteLength(JSON.stringify(one));
        const key = one === null ? "" : "uri" in one ? one.uri : one.name;
        if (one === null || taken.size >= MAX_OFFERED || bytes + size > MAX_LIST || taken.has(key)) left += 1;
        else {
          taken.set(key, one);
          bytes += size;
        }
      }
      cursor = page.nextCursor;
      if (cursor === undefined || cursor === "") break;
      if (left > MAX_OFFERED) return { items: [...taken.values()], left };
    }
  }
  return { items: [...taken.values()], left };
}

/** @returns null where a server has resources, and no templates for them. */
async function pageOf(client: Client, method: string, cursor?: string): Promise<z.infer<typeof Page> | null> {
  try {
    const params = cursor === undefined ? {} : { cursor };
    return await client.request({ method, params }, Page, { timeout: PAGE_MS });
  } catch (error) {
    if (method === "resources/templates/list") return null;
    throw error;
  }
}

function read(what: ListKind, entry: unknown): Offered | null {
  switch (what) {
    case "tools":
      return offeredTool(entry);
    case "resources":
      return offeredResource(entry);
    case "prompts":
      return offeredPrompt(entry);
  }
}

/** Cut into what a frame holds. */
export function pagesOf(items: readonly Offered[]): string[] {
  const pages: string[] = [];
  let page: string[] = [];
  let bytes = 2;
  for (const item of items) {
    const text = JSON.stringify(item);
    const size = Buffer.byteLength(text) + 1;
    if (bytes + size > MAX_PAGE && page.length > 0) {
      pages.push(`[${page.join(",")}]`);
      page = [];
      bytes = 2;
    }
    page.push(text);
    bytes += size;
  }
  return [...pages, `[${page.join(",")}]`];
}
