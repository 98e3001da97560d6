import type { ServerResponse } from "node:http";
import type { OperatorFailure } from "../ipc/operator.ts";
import type { FailureAnswer } from "./api.ts";
import { SECURITY_HEADERS } from "./security-headers.ts";

const STATUS = {
  usage: 400,
  "not-found": 404,
  "not-ready": 503,
  locked: 423,
  refused: 403,
  "bad-answer": 422,
  stopped: 503,
  bug: 500,
} as const satisfies Record<OperatorFailure["code"], number>;

type Headers = Record<string, string>;

export function sendBytes(
  response: ServerResponse,
  status: number,
  type: string,
  body: Uint8Array,
  more: Headers = {},
): void {
  if (response.destroyed) return;
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    "content-type": type,
    "content-length": String(body.length),
    ...more,
  });
  response.end(body);
}

export function sendJson(response: ServerResponse, status: number, body: object, more: Headers = {}): void {
  sendBytes(response, status, "application/json", Buffer.from(JSON.stringify(body)), more);
}

/** @param status where the failure's own would not say enough. */
export function sendFailure(
  response: ServerResponse,
  failure: OperatorFailure,
  status: number = STATUS[failure.code],
  more: Headers = {},
): void {
  const retryAfter = more["retry-after"];
  const body: FailureAnswer = { failure, ...(retryAfter === undefined ? {} : { retryAfter: Number(retryAfter) }) };
  sendJson(response, status, body, more);
}

export function sendSentence(response: ServerResponse, status: number, sentence: string, more: Headers = {}): void {
  sendBytes(response, status, "text/plain; charset=utf-8", Buffer.from(`${sentence}\n`), more);
}
