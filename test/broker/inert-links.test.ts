import fc from "fast-check";
import { expect, test } from "vitest";
import { inertLinks } from "../../src/broker/inert-links.ts";

const TYPED = new Set(["https://bank.example/accounts", "docs.example"]);
const inert = (text: string): string => inertLinks(text, (address) => TYPED.has(address));

test.for([
  ["see https://evil.example/?q=a.", "see hxxps://evil[.]example/?q=a."],
  ["[here](https://evil.example/x) it is", "here (hxxps://evil[.]example/x) it is"],
  ["![](https://evil.example/x.png)", "hxxps://evil[.]example/x.png"],
  [
    "[https://bank.example/accounts](https://evil.example/x)",
    "https://bank.example/accounts (hxxps://evil[.]example/x)",
  ],
  ["<https://evil.example>", "<hxxps://evil[.]example>"],
  ["[1]: https://evil.example/x", "[1]: hxxps://evil[.]example/x"],
  ["evil.com/x and www.evil.com", "evil[.]com/x and www[.]evil[.]com"],
  ["tg://resolve?domain=evil", "tg[:]//resolve?domain=evil"],
  ["https://a.example/?to=evil.com/x", "hxxps://a[.]example/?to=evil[.]com/x"],
  ["as you said: https://bank.example/accounts, yes", "as you said: https://bank.example/accounts, yes"],
  ["https://bank.example/accounts/", "hxxps://bank[.]example/accounts/"],
  ["main.ts, README.md and e.g. this: 3.14", "main.ts, README.md and e.g. this: 3.14"],
  ["ada@mail.example", "ada@mail.example"],
] as const)("%j is sent as %j", ([text, sent]) => {
  expect(inert(text)).toBe(sent);
});

test("whatever stands around it, an address that nobody typed is none any more", () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.string(),
      fc.constantFrom("", "[x](", "![](", "<", "`", "```\n", "(", "*"),
      (before, after, mark) => {
        const sent = inert(`${before}${mark}https://evil.example/?q=kestrel ${after}`);
        expect(sent).not.toContain("https://evil.example");
        expect(sent).toContain("evil[.]example");
      },
    ),
  );
});

test("a long hostile text is read in linear time", () => {
  const begun = performance.now();
  for (const piece of ["[", "[a](", "https://", "a.", "www.", "![](x", "\u0000"])
    inert(piece.repeat(100_000 / piece.length));
  expect(performance.now() - begun).toBeLessThan(5000);
});
