import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";
/** Nothing of its own on the network: a request that is seen is the page's. */
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function openBrowser(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error("the browser tests need Chromium: apt-get install chromium");
  return await chromium.launch({ executablePath: CHROMIUM, args: ARGS, headless: true });
}

/** What a page asked the network for, and what its console complained of. */
export interface Watch {
  readonly requests: string[];
  readonly complaints: string[];
}

/** Records every request of every page of the context, refused and failed ones included. */
export function watch(context: BrowserContext): Watch {
  const seen: Watch = { requests: [], complaints: [] };
  context.on("request", (request) => seen.requests.push(request.url()));
  context.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") seen.complaints.push(message.text());
  });
  context.on("weberror", (error) => seen.complaints.push(String(error.error())));
  return seen;
}

/** Requests that went elsewhere. (`data:` is no request: it is how Chromium reports an address that holds its own bytes.) */
export function outside(seen: Watch, origin: string): string[] {
  return seen.requests.filter((url) => !url.startsWith(`${origin}/`) && !url.startsWith("data:"));
}

/** What a person does on the page, by what they see: roles and names, no structure. */
export class PageDriver {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** Opens a login link and waits until the page is in. */
  async logIn(link: string): Promise<void> {
    await this.page.goto(link);
    await this.page.getByRole("tab", { name: "Chat" }).waitFor();
    await this.page.getByRole("log").locator("> *").first().waitFor({ state: "attached" });
  }

  async tab(name: "Chat" | "Audit log" | "Usage" | "Status"): Promise<void> {
    await this.page.getByRole("tab", { name }).click();
  }

  async say(text: string): Promise<void> {
    await this.page.getByLabel("Message", { exact: true }).fill(text);
    await this.page.keyboard.press("Enter");
  }

  /** The newest reply's text, once it holds `text`. */
  async reply(text: string | RegExp): Promise<string> {
    const entry = this.page.getByRole("log").getByLabel("Wirken").filter({ hasText: text }).last();
    await entry.waitFor();
    return (await entry.textContent()) ?? "";
  }

  /** The one card that waits; its text is the action. */
  async card(): Promise<string> {
    const card = this.page.getByLabel("the whole action").last();
    await card.waitFor();
    return (await card.textContent()) ?? "";
  }

  async approve(label = "Approve once"): Promise<void> {
    await this.page.getByRole("button", { name: label }).last().click();
  }

  async deny(reason = ""): Promise<void> {
    await this.page.getByLabel("Reason for denying").last().fill(reason);
    await this.page.getByRole("button", { name: "Deny" }).last().click();
  }

  /** The verdict's headline, when there is one. */
  async verdict(): Promise<string> {
    await this.tab("Audit log");
    const verdict = this.page.locator("#verdict:not([data-state=checking]) h2");
    await verdict.waitFor();
    return (await verdict.textContent()) ?? "";
  }
}
