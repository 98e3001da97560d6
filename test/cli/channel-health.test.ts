import { expect, test } from "vitest";
import { healthText } from "../../src/cli/channel-health.ts";
import { firstMessage } from "../../src/cli/platform-instructions.ts";
import { PLATFORMS } from "../../src/ipc/channel.ts";

const AT = "2026-11-29T17:00:00.000Z";

test("a channel's state is told with when it last heard and spoke, what went wrong, and what it said of itself", () => {
  const text = healthText([
    {
      channel: { channel: "telegram", enabled: true, state: "connected", account: "@a_bot", note: null },
      health: {
        connectedSince: AT,
        lastIn: AT,
        lastOut: null,
        redelivered: 2,
        failed: 1,
        lastError: "Forbidden\u001b[2J",
        notices: [{ at: AT, about: "foreign-use", sentence: "another program polls with this token" }],
      },
    },
  ]);
  const [head, row] = text.split("\n");
  expect(head).toMatch(/channel +state +connected since +last in +last out +redelivered +errors/);
  expect(row).toMatch(/telegram +connected +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +.* +- +2 +1/);
  expect(text).toContain("- telegram, last error: Forbidden\\x1b[2J");
  expect(text).toContain("another program polls with this token");
  expect(text).not.toContain("\u001b");
});

test("where there is none, that is said", () => {
  expect(healthText([])).toBe("no channel is set up");
});

test.for(PLATFORMS)("%s is told how its first message is written", (platform) => {
  expect(firstMessage(platform, "@a_bot")).toMatch(/^send it a message now: /);
  expect(firstMessage(platform, null)).not.toContain("@");
});

test("on Telegram a link leads there", () => {
  expect(firstMessage("telegram", "@a_bot")).toContain("https://t.me/a_bot and");
});
