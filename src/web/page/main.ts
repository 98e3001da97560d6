/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { ApprovalView } from "../../ipc/operator.ts";
import { Approvals } from "./approvals.ts";
import { Audit } from "./audit.ts";
import { ask, CallError, forgetKey, logIn, logOut, onLoggedOut, storedKey } from "./call.ts";
import { Chat } from "./chat.ts";
import { byId, el } from "./element.ts";
import { Events, type Heard } from "./events.ts";
import { attempt, command, tell, withCode } from "./notices.ts";
import { StatusTab } from "./status.ts";
import { UsageTab } from "./usage.ts";
import { TABS, Tabs } from "./tabs.ts";

const LOGIN = /^#login=([A-Za-z0-9_-]{1,256})$/;

const offline = byId("offline", HTMLElement);
const chat = new Chat();
const audit = new Audit();
const status = new StatusTab();
const usage = new UsageTab();
const approvals = new Approvals((waiting) => {
  const badge = byId("waiting", HTMLElement);
  badge.hidden = waiting === 0;
  badge.textContent = `${waiting}`;
  badge.setAttribute("aria-label", `${waiting} waiting for approval`);
  document.title = waiting === 0 ? "Wirken" : `(${waiting}) Wirken`;
});
const tabs = new Tabs((tab) => {
  if (tab === "status") status.show();
  else status.hide();
  if (tab === "audit") audit.show();
  if (tab === "usage") usage.show();
  if (tab === "chat") chat.focus();
});
const events = new Events(hear);
let version: string | null = null;
let loggedIn = false;

/** Takes the token out of the address before anything else: it works once, and is not to be seen, kept or sent on. */
async function takeToken(): Promise<void> {
  const [, token] = LOGIN.exec(location.hash) ?? [];
  if (token === undefined) return;
  history.replaceState(null, "", "/");
  try {
    await logIn(token);
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    if (storedKey() === null) showLogin(error.failure.sentence, error.failure.hint);
    else tell(error.failure.sentence, error.failure.hint);
  }
}

async function begin(): Promise<void> {
  await takeToken();
  if (storedKey() === null) {
    if (byId("panel-login", HTMLElement).hidden) showLogin(null, null);
    return;
  }
  byId("panel-login", HTMLElement).hidden = true;
  byId("app", HTMLElement).hidden = false;
  loggedIn = true;
  const wanted = TABS.find((tab) => location.hash === `#${tab}`) ?? "chat";
  tabs.open(wanted);
  events.start(); // its `hello` has everything loaded
}

function showLogin(sentence: string | null, hint: string | null): void {
  loggedIn = false;
  events.stop();
  forgetKey();
  chat.clear();
  approvals.clear();
  audit.clear();
  status.clear();
  usage.clear();
  offline.hidden = true;
  byId("app", HTMLElement).hidden = true;
  byId("panel-login", HTMLElement).hidden = false;
  const why = byId("login-why", HTMLElement);
  why.replaceChildren();
  if (sentence !== null) why.append(el("p", { class: "note", role: "alert" }, sentence));
  if (hint !== null) why.append(el("p", { class: "hint" }, ...withCode(hint)));
}

async function loadAll(): Promise<void> {
  const named = nameAgent();
  await Promise.all([chat.load(named), named.then(async () => await approvals.load())]);
  chat.toEnd(true);
  if (tabs.current === "audit") audit.show();
  if (tabs.current === "status") status.show();
  if (tabs.current === "usage") usage.show();
}

async function nameAgent(): Promise<void> {
  const { model, agents, version: running } = await ask({ call: "status" });
  chat.agents(agents, model.agent);
  byId("version", HTMLElement).textContent = running;
}

function hear(heard: Heard): void {
  switch (heard.type) {
    case "hello":
      offline.hidden = true;
      if (version !== null && version !== heard.version) {
        location.reload(); // another version serves now, and this page may not speak its language
        return;
      }
      version = heard.version;
      void attempt(loadAll);
      return;
    case "following":
      void attempt(loadAll);
      return;
    case "event":
      if (heard.event.event === "approval") showApproval(heard.event.approval);
      if (heard.event.event === "approval.closed") approvals.close(heard.event.approval, heard.event.again === true);
      chat.heard(heard.event, heard.text);
      return;
    case "refused":
      chat.refused(heard.failure.sentence, heard.failure.hint);
      return;
    case "over":
      if (heard.because === "session") showLogin("This session has ended.", null);
      else showOffline("Wirken is stopping.");
      return;
    case "offline":
      showOffline(heard.sentence);
      return;
  }
}

/** A card stands below what was said: a reader who was at the end sees it. */
function showApproval(view: ApprovalView): void {
  const follow = chat.isNearEnd;
  approvals.show(view);
  if (follow) chat.toEnd(true);
}

function showOffline(sentence: string): void {
  if (!loggedIn) return;
  offline.replaceChildren(
    el("span", null, `${sentence} Trying again… If it does not run, start it:`),
    command("wirken start"),
  );
  offline.hidden = false;
}

onLoggedOut(() => {
  if (loggedIn) showLogin("This browser is not logged in any more.", null);
});
byId("logout", HTMLButtonElement).addEventListener("click", () => {
  void attempt(logOut).then(() => showLogin("You have logged out.", null));
});
byId("login-command", HTMLElement).append(command("wirken web"));
window.addEventListener("hashchange", () => {
  if (LOGIN.test(location.hash)) void begin();
});
// Another tab logged in or out.
window.addEventListener("storage", () => {
  if (storedKey() === null && loggedIn) showLogin("You have logged out.", null);
  else if (storedKey() !== null && !loggedIn) void begin();
});

void begin();
