import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { setDefaultCACertificates, getCACertificates } from "node:tls";
import { onTestFinished } from "vitest";
import type { HttpOrder, ToFetch } from "../../src/ipc/fetch-frames.ts";
import type { LaneEntry } from "../../src/ipc/egress-frames.ts";
import type { Resolve } from "../../src/egress/resolve.ts";
import { tunnelAgents } from "../../src/tunnel/agents.ts";
import { Dialler } from "../../src/tunnel/dialler.ts";
import { Tunnel } from "../../src/tunnel/tunnel.ts";
import { laneWorld } from "../egress/lane-world.ts";
import { certificateFor } from "../support/certificate.ts";
import { serving } from "../support/serving.ts";

export const HOST = "pages.example";
const certificate = certificateFor(HOST, "other.example", "localhost");
export const CA = certificate.cert;

export type Answering = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** A server that speaks HTTPS for {@link HOST}, on loopback. @returns its port, and what it was asked. */
export async function site(answer: Answering): Promise<{ readonly port: number; readonly asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const server = await serving(
    createServer({ ...certificate }, (request, response) => {
      const pieces: Uint8Array[] = [];
      request.on("data", (piece: Uint8Array) => pieces.push(piece));
      request.on("end", () => {
        asked.push(request);
        answer(request, response, Buffer.concat(pieces).toString("utf8"));
      });
    }),
  );
  onTestFinished(async () => await server[Symbol.asyncDispose]());
  return { port: server.port, asked };
}

export function entry(port: number, host = HOST, inside = true): LaneEntry {
  return { to: "host", host, port, tls: true, private: inside };
}

const here: Resolve = () => Promise.resolve(["127.0.0.1"]);

/** The way out of a fetch process, in this one: a real lane with that list. */
export async function way(list: readonly LaneEntry[], resolve: Resolve = here) {
  setDefaultCACertificates([...getCACertificates("bundled"), CA]);
  const world = await laneWorld(list, resolve);
  onTestFinished(async () => await world[Symbol.asyncDispose]());
  const tunnel = new Tunnel(
    () => world.near,
    "fetch",
    () => undefined,
  );
  return { agent: tunnelAgents(new Dialler(tunnel)).https, verdicts: world.verdicts };
}

export function order(port: number, path = "/", given: Partial<HttpOrder> = {}): HttpOrder {
  return { method: "GET", url: `https://${HOST}:${port}${path}`, headers: [], body: null, ...given };
}

export function searching(
  given: Partial<Extract<ToFetch, { type: "search" }>> = {},
): Extract<ToFetch, { type: "search" }> {
  return { type: "search", service: "wikipedia", base: null, language: "en", limit: 5, ...given };
}
