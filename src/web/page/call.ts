import type { CallName, OperatorCall, OperatorFailure } from "../../ipc/operator.ts";
import { type CallAnswer, type CallRequest, type FailureAnswer, KEY_HEADER, type LoginAnswer } from "../api.ts";

/** Where this origin keeps its half of the session's secret. */
const KEY = "wirken-key";

export function storedKey(): string | null {
  return localStorage.getItem(KEY);
}

export function forgetKey(): void {
  localStorage.removeItem(KEY);
}

/** What was asked was not done: `failure` says why, in words for the person. */
export class CallError extends Error {
  override readonly name = "CallError";
  readonly failure: OperatorFailure;
  /** HTTP status; 0 when the daemon could not be reached. */
  readonly status: number;
  constructor(failure: OperatorFailure, status: number) {
    super(failure.sentence);
    this.failure = failure;
    this.status = status;
  }
}

const UNREACHABLE: OperatorFailure = {
  code: "not-ready",
  sentence: "Wirken does not answer.",
  hint: "is it running? start it with `wirken start`",
};

/** Told when a call finds that this browser is not logged in. */
let loggedOut: () => void = () => undefined;
export function onLoggedOut(then: () => void): void {
  loggedOut = then;
}

/** @throws {CallError} */
export async function ask<C extends CallName>(
  call: Extract<OperatorCall, { call: C }>,
  text?: string,
): Promise<CallAnswer<C>> {
  const body: CallRequest = text === undefined ? { call } : { call, text };
  const answer: CallAnswer<C> = await post("/api/call", body);
  return answer;
}

/** @throws {CallError} */
export async function logIn(token: string): Promise<void> {
  const answer: LoginAnswer = await post("/api/login", { token });
  localStorage.setItem(KEY, answer.key);
}

export async function logOut(): Promise<void> {
  try {
    await post("/api/logout", {});
  } finally {
    forgetKey();
  }
}

/** Opens the event stream. @throws {CallError} */
export async function openEvents(signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const response = await send("/api/events", { headers: { accept: "text/event-stream", ...keyHeader() }, signal });
  if (response.body === null) throw new CallError(UNREACHABLE, 0);
  return response.body;
}

async function post<T>(path: string, body: object): Promise<T> {
  const headers = { "content-type": "application/json", ...keyHeader() };
  const response = await send(path, { method: "POST", headers, body: JSON.stringify(body) });
  const answer: T = await response.json();
  return answer;
}

function keyHeader(): Record<string, string> {
  const key = storedKey();
  return key === null ? {} : { [KEY_HEADER]: key };
}

async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", redirect: "error", cache: "no-store", ...init });
  } catch {
    throw new CallError(UNREACHABLE, 0);
  }
  if (response.ok) return response;
  const failure = await failureOf(response);
  if (response.status === 401 && path !== "/api/login") loggedOut();
  throw new CallError(failure, response.status);
}

async function failureOf(response: Response): Promise<OperatorFailure> {
  try {
    const answer: FailureAnswer = await response.clone().json();
    return answer.failure;
  } catch {
    const sentence = (await response.text().catch(() => "")).slice(0, 300);
    return {
      code: "bug",
      sentence: sentence === "" ? `The page's server answered ${response.status}.` : sentence,
      hint: null,
    };
  }
}
