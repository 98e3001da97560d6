import { expect, test } from "vitest";
import { stateOf } from "../../src/keychain/service.ts";

test.for([
  ["Cannot autolaunch D-Bus without X11 $DISPLAY", "absent"],
  ["The name org.freedesktop.secrets was not provided by any .service files", "absent"],
  ["Object does not exist at path “/org/freedesktop/secrets/collection/login”", "absent"],
  ["Cannot create an item in a locked collection", "locked"],
  ["Prompt was dismissed", "locked"],
  ["User interaction is not allowed.", "locked"],
  ["Could not connect: No such file or directory", "unreachable"],
  ["Timeout was reached", "unreachable"],
  ["words that nobody has seen before", "unreachable"],
  ["", "unreachable"],
] as const)("%s means that the keychain is %s", ([words, state]) => {
  expect(stateOf(words)).toBe(state);
});
