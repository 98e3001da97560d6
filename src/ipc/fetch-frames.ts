import * as z from "zod/mini";
import { Ready, SecretFrame, Stop } from "./frame-common.ts";

/** What the supervisor and a fetch process say to each other. One process performs one request and ends with its answer. */

export const HttpMethod = z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
export type HttpMethod = z.infer<typeof HttpMethod>;

/** Of a URL, in characters: what servers take. */
export const MAX_URL = 8_192;
/** Headers of one request, and the characters of one's value. */
export const MAX_HEADERS = 32;
export const MAX_HEADER_VALUE = 4_096;
/** Of a request's body, in characters. */
export const MAX_BODY = 256 * 1024;
/** Of the text that comes back, in bytes of UTF-8: what a model is given at the most. */
export const MAX_TEXT = 60 * 1024;

/** Of a file that is fetched, in bytes: the largest skill, packed. */
export const MAX_DOWNLOAD = 21 * 1024 * 1024;

/** A header's name in lower case: a token of RFC 9110. */
export const HeaderName = z.string().check(z.regex(/^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/));
/** What may stand in a header's value: visible ASCII, with blanks inside. */
export const HeaderValue = z
  .string()
  .check(z.maxLength(MAX_HEADER_VALUE), z.regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/));
export const RequestHeader = z.strictObject({ name: HeaderName, value: HeaderValue });

/** The payload of `request`, as JSON. */
export const HttpOrder = z.strictObject({
  method: HttpMethod,
  /** https, a name and no address, no user and no password. */
  url: z.string().check(z.maxLength(MAX_URL)),
  headers: z.array(RequestHeader).check(z.maxLength(MAX_HEADERS)),
  body: z.nullable(z.string().check(z.maxLength(MAX_BODY))),
});
export type HttpOrder = z.infer<typeof HttpOrder>;

/** Search services that a fetch process can ask. */
export const SearchService = z.enum(["wikipedia", "searxng", "brave", "tavily", "kagi", "marginalia"]);
export type SearchService = z.infer<typeof SearchService>;

/** Results of one search. */
export const MAX_RESULTS = 20;

/** Where a credential stands in a request: `authorization` and `Bearer `, say. */
export const CredentialPlace = z.strictObject({
  header: HeaderName,
  prefix: z.string().check(z.maxLength(32), z.regex(/^(?:[\x21-\x7e]+ )?$/)),
});
export type CredentialPlace = z.infer<typeof CredentialPlace>;

/** Why there is no answer. The payload is one sentence for the model. */
export const FetchFailure = z.enum(["refused", "unreachable", "timeout", "tls", "bad-answer", "too-large", "other"]);
export type FetchFailure = z.infer<typeof FetchFailure>;

const Status = z.int().check(z.gte(100), z.lte(999));

export const FromFetch = z.discriminatedUnion("type", [
  Ready,
  /** The payload is text for the model: UTF-8, at most {@link MAX_TEXT}. */
  z.strictObject({ type: z.literal("answered"), status: Status }),
  /** The payload is the whole body, at most {@link MAX_DOWNLOAD} bytes. */
  z.strictObject({ type: z.literal("downloaded"), status: Status }),
  /** The payload is the absolute URL that the server named: nothing was asked there. */
  z.strictObject({ type: z.literal("redirected"), status: Status }),
  z.strictObject({ type: z.literal("failed"), reason: FetchFailure }),
]);
export type FromFetch = z.infer<typeof FromFetch>;

export const ToFetch = z.discriminatedUnion("type", [
  /** At most one, before the request that carries it. */
  SecretFrame,
  /** The payload is an {@link HttpOrder}. */
  z.strictObject({ type: z.literal("request"), credential: z.nullable(CredentialPlace) }),
  /** The payload is an {@link HttpOrder}: its answer is wanted as it is, for whoever checks every byte of it. */
  z.strictObject({ type: z.literal("download") }),
  /** The payload is what is looked for. */
  z.strictObject({
    type: z.literal("search"),
    service: SearchService,
    /** Of a service that somebody runs for themselves; null: where it is shipped to be. */
    base: z.nullable(z.string().check(z.maxLength(512))),
    /** Such as `en`; for Wikipedia it says which one. */
    language: z.string().check(z.regex(/^[a-z]{2,3}$/)),
    limit: z.int().check(z.gte(1), z.lte(MAX_RESULTS)),
  }),
  Stop,
]);
export type ToFetch = z.infer<typeof ToFetch>;
