import * as z from "zod/mini";
import { MAX_RESULTS } from "../../ipc/fetch-frames.ts";
import { ArgumentsError, defineTool } from "./tool.ts";

export const webSearch = defineTool({
  name: "web_search",
  description:
    "Searches the web by the search service that is set up, and shows titles, addresses and short extracts. Read a page that it finds with http_request.",
  schema: z.strictObject({
    query: z.string().check(z.minLength(1), z.maxLength(400), z.describe("What to look for, in a few words.")),
    limit: z._default(z.int().check(z.gte(1), z.lte(MAX_RESULTS)), 8).check(z.describe("Results that are shown.")),
  }),
  prepare: ({ query, limit }, _workspace, look) => {
    const service = look.searching();
    if (typeof service === "string") throw new ArgumentsError(service);
    if (!query.isWellFormed()) throw new ArgumentsError("the query holds half a character (a lone surrogate)");
    return { type: "web.search", ...service, query, limit };
  },
});
