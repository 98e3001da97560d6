import { availableParallelism } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** Tests of whole processes start daemons, browsers and keyrings: few at a time, and with patience. */
const WHOLE = ["test/claims/**/*.test.ts", "test/cli/transcripts.test.ts", "test/cli/on-a-terminal.test.ts"];

/** How long a test waits for a condition that holds soon: as with what it waits for in a browser, the machine may be busy. Only a failure takes so long. */
const POLL = { poll: { timeout: 10_000 } };

/** Of many processors not all are taken: each whole daemon has ten processes of its own. */
const WORKERS = Math.min(6, availableParallelism() + 1);

/** As in the build: discord.js's gateway gets our WebSocket. */
const DISCORD_WEB_SOCKET = {
  name: "discord-web-socket",
  enforce: "pre" as const,
  resolveId: (source: string, importer: string | undefined) =>
    source === "ws" && importer?.includes("/@discordjs/ws/") === true
      ? join(import.meta.dirname, "adapters/discord/web-socket.ts")
      : null,
};

// The one default export: vitest looks for it.
// oxlint-disable-next-line import/no-default-export
export default defineConfig({
  test: {
    projects: [
      {
        plugins: [DISCORD_WEB_SOCKET],
        test: {
          name: "unit",
          server: { deps: { inline: ["@discordjs/ws"] } },
          include: ["test/**/*.test.ts"],
          exclude: WHOLE,
          setupFiles: "test/support/seed.ts",
          // Half of what they do is waiting for processes that they started: one more than there are processors.
          maxWorkers: WORKERS,
          // A process for each of two hundred files takes a minute and a half of two processors. What a file starts, it ends.
          isolate: false,
          testTimeout: 20_000,
          // Browsers on two shared cores: what fails twice has failed.
          retry: 1,
          expect: POLL,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "types",
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            include: ["test/types/**/*.test-d.ts"],
            tsconfig: "test/types/tsconfig.json",
            // The sources have a check of their own.
            ignoreSourceErrors: true,
          },
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "whole",
          include: WHOLE,
          setupFiles: "test/support/seed.ts",
          testTimeout: 120_000,
          retry: 1,
          expect: POLL,
          hookTimeout: 60_000,
          maxWorkers: WORKERS,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
