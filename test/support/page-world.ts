import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { openBrowser, outside, PageDriver, type Watch, watch } from "./browser.ts";
import { buildPage } from "./page-build.ts";
import { PageScript } from "./page-script.ts";
import { WebSupervisor } from "./web-supervisor.ts";

/** The real page in Chromium, from the real processes; the test is the supervisor. Fresh for every test, but for the browser and, where a test
 *  left them alive, the processes. */
export class PageWorld {
  // Filled before each test, and not read earlier.
  browser!: Browser;
  script!: PageScript;
  supervisor!: WebSupervisor;
  context!: BrowserContext;
  page!: Page;
  driver!: PageDriver;
}

/** Called once at the top of a file. Each test also fails if anything left the page's origin, or the page's policy had something to forbid. */
export function usePage(): PageWorld {
  const world = new PageWorld();
  let seen: Watch;
  let started: WebSupervisor | null = null;

  beforeAll(async () => {
    await buildPage();
    world.browser = await openBrowser();
  });
  afterAll(async () => {
    await world.browser.close();
    await world.supervisor[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    world.script = new PageScript();
    started = started === null ? null : world.supervisor;
    if (started === null || started.ends.web !== undefined || started.ends.ingress !== undefined) {
      await started?.[Symbol.asyncDispose]();
      started = await WebSupervisor.start(world.script.answer);
      world.supervisor = started;
    }
    started.renew(world.script.answer);
    world.context = await world.browser.newContext();
    world.context.setDefaultTimeout(10_000); // before the test's own, so that what was waited for is named
    seen = watch(world.context);
    world.page = await world.context.newPage();
    world.driver = new PageDriver(world.page);
  });
  afterEach(async () => {
    await world.context.close();
    const faults = [
      ...outside(seen, world.supervisor.origin),
      ...seen.complaints.filter((text) => /Content Security Policy|Trusted|TypeError/.test(text)),
    ];
    if (faults.length > 0) throw new Error(faults.join("\n"));
  });
  return world;
}

/** A text in the part of the page that is looked at; the announcer repeats some for who listens. */
export function shown(page: Page, text: string): Locator {
  return page.locator("main").getByText(text).filter({ visible: true }).first();
}
