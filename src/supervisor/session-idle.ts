/** Milliseconds after the last message or turn of a session: what is written then begins another, with nothing of it in the agent's context. */
export const SESSION_IDLE_MS = 8 * 60 * 60_000;

/** @param last an ISO time. @param now Unix milliseconds. */
export function isOver(last: string, now: number): boolean {
  return now - Date.parse(last) >= SESSION_IDLE_MS;
}
