import fc from "fast-check";
import { expect, test } from "vitest";
import { attestedRefusal } from "../../src/broker/attested.ts";

const facts = fc.record({
  labels: fc.record({ untrusted: fc.boolean(), private: fc.array(fc.string(), { maxLength: 3 }) }),
  attested: fc.boolean(),
  model: fc.string(),
});

test("a demand never allows what would not be allowed without it", () => {
  fc.assert(
    fc.property(facts, (given) => {
      const without = attestedRefusal({ demand: null, ...given });
      const with_ = attestedRefusal({ demand: "private", ...given });
      expect(without !== null && with_ === null).toBe(false);
    }),
  );
});

test("what the demand refuses is exactly what is private and goes to somebody who showed nothing", () => {
  fc.assert(
    fc.property(facts, (given) => {
      const refused = attestedRefusal({ demand: "private", ...given }) !== null;
      expect(refused).toBe(!given.attested && given.labels.private.length > 0);
    }),
  );
});

test("an attestation, or one label less, never makes it stricter", () => {
  fc.assert(
    fc.property(facts, (given) => {
      if (attestedRefusal({ demand: "private", ...given }) !== null) return;
      expect(attestedRefusal({ demand: "private", ...given, attested: true })).toBeNull();
      const fewer = { ...given.labels, private: given.labels.private.slice(1) };
      expect(attestedRefusal({ demand: "private", ...given, labels: fewer })).toBeNull();
    }),
  );
});
