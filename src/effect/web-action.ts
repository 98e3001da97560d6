import * as z from "zod/mini";
import {
  CredentialPlace,
  HttpMethod,
  MAX_BODY,
  MAX_HEADERS,
  MAX_RESULTS,
  MAX_URL,
  RequestHeader,
  SearchService,
} from "../ipc/fetch-frames.ts";
import { HostName } from "../ipc/egress-frames.ts";

/** What is asked of the web for an agent, to the letter. */

/** Text that survives UTF-8: a lone surrogate would be shown as one thing and written as another. */
const Text = z.string().check(z.refine((text) => text.isWellFormed(), "holds half a character"));

/** A credential as a person named it in the vault, such as `github-token` for `secret/github-token`. */
export const CredentialName = z.string().check(z.regex(/^[a-z0-9][a-z0-9-]{0,63}$/));

/** Redirects that one call may go on to. */
export const MAX_HOPS = 5;

export const HttpRequest = z.strictObject({
  type: z.literal("http.request"),
  method: HttpMethod,
  /** As it goes out: in the one form that URLs have, without a fragment. */
  url: z.string().check(z.maxLength(MAX_URL), z.regex(/^https:\/\/[^/?#@]+\/[^#]*$/)),
  /** As the model wrote it, where that is another form of the same; null: the same. */
  written: z.nullable(Text.check(z.maxLength(MAX_URL))),
  host: HostName,
  port: z.int().check(z.gte(1), z.lte(65_535)),
  headers: z.array(RequestHeader).check(z.maxLength(MAX_HEADERS)),
  body: z.nullable(Text.check(z.maxLength(MAX_BODY))),
  /** What it carries by name; its bytes are in no action. */
  credential: z.nullable(z.extend(CredentialPlace, { name: CredentialName })),
  /** The address whose answer led here; null: the model asked for this one itself. */
  from: z.nullable(z.string().check(z.maxLength(MAX_URL))),
  /** How many answers led here. */
  hop: z.int().check(z.gte(0), z.lte(MAX_HOPS)),
});

export const WebSearch = z.strictObject({
  type: z.literal("web.search"),
  service: SearchService,
  /** The host that is asked. */
  host: HostName,
  query: Text.check(z.minLength(1), z.maxLength(400)),
  limit: z.int().check(z.gte(1), z.lte(MAX_RESULTS)),
});
