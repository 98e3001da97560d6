import { expect, test } from "vitest";
import { placeNotes, type PlaceRisk, placeRisks } from "../../src/supervisor/data-place.ts";

const MOUNTS = [
  "21 1 254:1 / / rw,relatime - ext4 /dev/mapper/root rw",
  "30 21 8:2 / /home rw,relatime shared:1 - ext4 /dev/sda2 rw",
  "31 30 0:44 / /home/ada/share rw - nfs4 server:/export rw",
  "32 30 0:45 / /home/ada/with\\040space rw - cifs //server/share rw",
  "33 30 0:46 / /home/ada/locked rw - fuse.gocryptfs /home/ada/.locked rw",
  "34 21 0:24 / /run rw - tmpfs tmpfs rw",
  "35 21 0:50 / /data rw - btrfs /dev/mapper/data rw",
  "36 21 0:99 / /box rw - overlay overlay rw",
].join("\n");

/** The device-mapper uuids from a device down to its disk. */
const DEVICES: Readonly<Record<string, readonly string[]>> = {
  "254:1": ["LVM-abc", "CRYPT-LUKS2-0123-root", ""],
  "8:2": [""],
  "/dev/mapper/data": ["CRYPT-LUKS2-4567-data", ""],
};
const devices = (device: string, source: string) => DEVICES[device] ?? DEVICES[source] ?? null;

const exists = (path: string): boolean => path === "/data/synced/.stfolder";

test.for<[string, PlaceRisk[]]>([
  ["/var/lib/wirken", []],
  ["/home/ada/.wirken", ["unencrypted"]],
  ["/home/ada/share/.wirken", ["network"]],
  ["/home/ada/with space/.wirken", ["network"]],
  ["/home/ada/locked/.wirken", []],
  ["/run/user/1000/wirken", []],
  ["/data/wirken", []],
  // Nothing is known of it, and nothing is said.
  ["/box/wirken", []],
  ["/home/ada/Dropbox/wirken", ["unencrypted", "synced"]],
  ["/data/OneDrive - Acme/wirken", ["synced"]],
  ["/data/synced/wirken", ["synced"]],
  ["/homework/wirken", []],
])("a data directory at %s is told to be %s", ([root, risks]) => {
  expect(placeRisks(root, { mounts: MOUNTS, devices, exists })).toEqual(risks);
  expect(placeNotes(root, { mounts: MOUNTS, devices, exists })).toHaveLength(risks.length);
});

test("where the system tells nothing of its mounts, only a synced folder is known", () => {
  const facts = { mounts: null, devices: () => null, exists: () => false };
  expect(placeRisks("/Users/ada/Library/Mobile Documents/wirken", facts)).toEqual(["synced"]);
  expect(placeRisks("/Users/ada/.wirken", facts)).toEqual([]);
});

test("what this system says of its own root can be read", () => {
  expect(placeNotes("/").every((note) => note.includes("WIRKEN_HOME"))).toBe(true);
});
