import { vi } from "vitest";

/** A loaded machine with two cores included. */
const PATIENCE_MS = 15_000;

/** Waits until a check holds. @throws what it threw last, after 15 s. */
export async function soon(check: () => void, options: { readonly interval?: number } = {}): Promise<void> {
  await vi.waitFor(check, { timeout: PATIENCE_MS, ...options });
}
