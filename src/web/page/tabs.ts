import { byId } from "./element.ts";

export const TABS = ["chat", "audit", "usage", "status"] as const;
export type Tab = (typeof TABS)[number];

/** Tabs as the ARIA practices have them: arrow keys move, the tab that has the focus is the one that is shown. */
export class Tabs {
  readonly #shown: (tab: Tab) => void;
  #current: Tab = "chat";

  constructor(shown: (tab: Tab) => void) {
    this.#shown = shown;
    for (const [i, tab] of TABS.entries()) {
      const handle = byId(`tab-${tab}`, HTMLButtonElement);
      handle.addEventListener("click", () => this.open(tab));
      handle.addEventListener("keydown", (event) => {
        const to = target(event.key, i);
        if (to === null) return;
        event.preventDefault();
        this.open(to);
        byId(`tab-${to}`, HTMLButtonElement).focus();
      });
    }
  }

  get current(): Tab {
    return this.#current;
  }

  open(tab: Tab): void {
    this.#current = tab;
    for (const one of TABS) {
      const handle = byId(`tab-${one}`, HTMLButtonElement);
      handle.setAttribute("aria-selected", String(one === tab));
      handle.tabIndex = one === tab ? 0 : -1;
      byId(`panel-${one}`, HTMLElement).hidden = one !== tab;
    }
    history.replaceState(null, "", tab === "chat" ? "/" : `/#${tab}`);
    this.#shown(tab);
  }
}

function target(key: string, at: number): Tab | null {
  switch (key) {
    case "ArrowRight":
      return TABS[(at + 1) % TABS.length] ?? null;
    case "ArrowLeft":
      return TABS[(at + TABS.length - 1) % TABS.length] ?? null;
    case "Home":
      return TABS[0];
    case "End":
      return TABS.at(-1) ?? null;
    default:
      return null;
  }
}
