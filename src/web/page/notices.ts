import { CallError } from "./call.ts";
import { button, byId, el } from "./element.ts";

/** A sentence that is seen and read aloud, and goes away when it was read. */
const SHOWN_MS = 12_000;

export function tell(sentence: string, hint: string | null = null, kind: "failure" | "info" = "failure"): void {
  const shelf = byId("toasts", HTMLElement);
  const toast = el(
    "div",
    { class: "toast", "data-kind": kind },
    el("p", null, sentence),
    hint === null ? null : el("p", { class: "hint" }, ...withCode(hint)),
  );
  const close = button("Dismiss", () => toast.remove(), { class: "quiet" });
  toast.append(close);
  shelf.append(toast);
  while (shelf.children.length > 3) shelf.firstElementChild?.remove();
  setTimeout(() => toast.remove(), SHOWN_MS);
}

export function tellError(error: unknown): void {
  if (!(error instanceof CallError)) {
    tell("Something went wrong in this page: reload it.", error instanceof Error ? error.message : null);
  } else if (error.status !== 401) {
    tell(error.failure.sentence, error.failure.hint);
  }
}

/** Runs what a person asked for, and says so if it fails. @returns whether it was done. */
export async function attempt(what: () => Promise<void>): Promise<boolean> {
  try {
    await what();
    return true;
  } catch (error) {
    tellError(error);
    return false;
  }
}

/** Words between backticks as code. */
export function withCode(text: string): Node[] {
  return text.split("`").map((part, i) => (i % 2 === 1 ? el("code", null, part) : document.createTextNode(part)));
}

/** A command to be typed in a terminal, with a button that copies it. */
export function command(text: string): HTMLElement {
  const copy = button(
    "Copy",
    async () => {
      try {
        await navigator.clipboard.writeText(text);
        copy.textContent = "Copied";
      } catch {
        copy.textContent = "Select it";
      }
      setTimeout(() => {
        copy.textContent = "Copy";
      }, 2000);
    },
    { class: "quiet", "aria-label": `copy ${text}` },
  );
  return el("span", { class: "command" }, el("code", null, text), copy);
}

/** Said to a screen reader, once. */
export function announce(text: string): void {
  byId("announcer", HTMLElement).textContent = text;
}
