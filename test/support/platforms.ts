import type { Platform } from "../../adapters/adapter.ts";
import { check as checkMatrix } from "../../adapters/matrix/check.ts";
import { MatrixConnection } from "../../adapters/matrix/connection.ts";
import { renewable as renewableMatrix } from "../../adapters/matrix/renewal.ts";
import { check as checkSlack } from "../../adapters/slack/check.ts";
import { SlackConnection } from "../../adapters/slack/connection.ts";
import { check as checkTelegram } from "../../adapters/telegram/check.ts";
import { TelegramConnection } from "../../adapters/telegram/connection.ts";

/** Adapters as their programs put them together, to be talked to in the test's own process. */

export const telegram: Platform = {
  check: checkTelegram,
  connect: (credentials, start, host) => new TelegramConnection(credentials, start, host),
};

export const slack: Platform = {
  check: checkSlack,
  connect: (credentials, start, host) => new SlackConnection(credentials, start, host),
};

/** Invitations that wait are looked at again after so long: a test has no half a minute. */
const SOON_MS = 200;

export const matrix: Platform = {
  check: checkMatrix,
  renewable: renewableMatrix,
  connect: (credentials, start, host, kept) => new MatrixConnection(credentials, start, host, kept, SOON_MS),
};
