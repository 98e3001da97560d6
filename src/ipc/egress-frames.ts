import * as z from "zod/mini";
import { Ready, Ref, Stop } from "./frame-common.ts";

/** Spare lanes that one egress process is started with: its descriptors from {@link FIRST_LANE} on. */
export const LANES = 64;
export const FIRST_LANE = 4;
/** The one lane of a child that reaches the network: this descriptor of it, HTTP/2 towards egress, one CONNECT a connection. */
export const OWN_LANE = 4;

/** Which spare lane, from 0. */
const LaneIndex = z.int().check(z.gte(0), z.lte(LANES - 1));
const Port = z.int().check(z.gte(1), z.lte(65_535));

/** A host's name in lower case, without a dot at its end: RFC 1123, at most 253 bytes. An address is no name. */
export const HostName = z
  .string()
  .check(
    z.maxLength(253),
    z.regex(/^(?=.*[a-z])(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/),
  );

/** One thing that a lane may reach. Whatever is on no entry is refused.
 *
 *  `host`: a name, or `*.` before one for every name below it; egress resolves it itself, and connects to addresses outside global unicast only
 *  where `private` says that the operator wrote this host down. `address`: one address that the operator wrote down (IPv4, or IPv6 without
 *  brackets). `socket`: a Unix socket's absolute path, reached under `name`, port 80.
 *  `tls`: the first bytes must be a TLS hello that asks for this very host. */
export const LaneEntry = z.discriminatedUnion("to", [
  z.strictObject({
    to: z.literal("host"),
    host: z.union([HostName, z.string().check(z.maxLength(255), z.regex(/^\*\.[a-z0-9_.-]+\.[a-z0-9-]+$/))]),
    port: Port,
    tls: z.boolean(),
    private: z.boolean(),
  }),
  z.strictObject({
    to: z.literal("address"),
    address: z.union([z.ipv4(), z.ipv6()]),
    port: Port,
    tls: z.boolean(),
  }),
  z.strictObject({
    to: z.literal("socket"),
    name: HostName,
    path: z.string().check(z.maxLength(107), z.regex(/^\/[^\0]+$/)),
  }),
]);
export type LaneEntry = z.infer<typeof LaneEntry>;

/** Entries of one list. */
export const MAX_ENTRIES = 64;
export const LaneList = z.array(LaneEntry).check(z.maxLength(MAX_ENTRIES));

/** Why nothing, or no more, is reached. `unlisted`: on no entry. `literal`: an address where only names are listed. `private`: the name leads to an
 *  address outside global unicast. `server-name`: the TLS hello asks for another host, or is none. `malformed`: no CONNECT that names a host and a
 *  port. `busy`: too many connections on this lane. `unresolved`, `unreachable`, `timeout`: allowed, and not to be had. `withdrawn`: the list changed. */
export const EgressReason = z.enum([
  "unlisted",
  "literal",
  "private",
  "server-name",
  "malformed",
  "busy",
  "unresolved",
  "unreachable",
  "timeout",
  "withdrawn",
]);
export type EgressReason = z.infer<typeof EgressReason>;

/** A company's proxy, through which every host is reached that is not an address or a socket of this machine. */
export const UpstreamProxy = z.strictObject({
  host: z.union([HostName, z.ipv4(), z.ipv6()]),
  port: Port,
  /** Whether the proxy itself is spoken to over TLS. */
  tls: z.boolean(),
});
export type UpstreamProxy = z.infer<typeof UpstreamProxy>;

export const FromEgress = z.discriminatedUnion("type", [
  Ready,
  /** A list is in force: the lane may be handed out. */
  z.strictObject({ type: z.literal("bound"), lane: LaneIndex, ref: Ref }),
  /** What was asked for on a lane, at most one frame a second for each lane, host, port and result, with how often since the last. `reason` is null
   *  exactly where the host was reached. The payload is the host as it was asked for: at most 255 bytes, and empty where there was none. */
  z.strictObject({
    type: z.literal("verdict"),
    lane: LaneIndex,
    port: z.nullable(Port),
    reason: z.nullable(EgressReason),
    times: z.int().check(z.gte(1), z.lte(1_000_000_000)),
  }),
]);
export type FromEgress = z.infer<typeof FromEgress>;

export const ToEgress = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("start"), proxy: z.nullable(UpstreamProxy) }),
  /** The proxy's credential, sent before `start` where it wants one: the payload is `user:password`. */
  z.strictObject({ type: z.literal("secret"), name: z.literal("proxy-credential") }),
  /** Gives a lane its list, or another one: connections that the new list does not allow are cut. */
  z.strictObject({ type: z.literal("bind"), lane: LaneIndex, ref: Ref, entries: LaneList }),
  Stop,
]);
export type ToEgress = z.infer<typeof ToEgress>;
