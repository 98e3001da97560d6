import type { inspect } from "node:util";
import { expectTypeOf, test } from "vitest";
import { Secret } from "../../vault/secret.ts";

declare const secret: Secret;
declare function text(value: string): void;
declare function bytes(value: Uint8Array): void;
type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
declare function json(value: Json): void;

test("a secret is not text, bytes or JSON", () => {
  // @ts-expect-error it is no string
  text(secret);
  // @ts-expect-error it is no bytes: they are seen inside `use` only
  bytes(secret);
  // @ts-expect-error it is no JSON
  json({ token: secret });
  expectTypeOf<ReturnType<Secret["toJSON"]>>().toBeNever();
});

test("a secret is made by moving bytes in, and cannot be imitated", () => {
  // @ts-expect-error the constructor is its own
  void new Secret(new Uint8Array(1));
  // @ts-expect-error an object of the same methods is no secret
  const imitation: Secret = { use: <T>(read: (own: Uint8Array) => T) => read(new Uint8Array(1)), copy: () => secret };
  void imitation;
  expectTypeOf<keyof Secret>().toEqualTypeOf<
    "use" | "copy" | "toJSON" | "toString" | typeof Symbol.dispose | typeof inspect.custom
  >();
});
