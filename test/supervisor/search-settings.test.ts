import { expect, test } from "vitest";
import { Config } from "../../src/config/schema.ts";
import { searchSentence, searchSettings } from "../../src/supervisor/search-settings.ts";

function settings(search: object): ReturnType<typeof searchSettings> {
  return searchSettings(Config.parse({ search }));
}

test("nothing said, Wikipedia is asked, in the language that is wanted, without a key", () => {
  expect(settings({})).toMatchObject({ service: "wikipedia", host: "en.wikipedia.org", port: 443, key: null });
  expect(settings({ language: "de" })).toMatchObject({ host: "de.wikipedia.org" });
  expect(searchSentence({ service: "wikipedia", host: "en.wikipedia.org" })).toContain("without a key");
});

test.for([
  ["brave", "api.search.brave.com"],
  ["tavily", "api.tavily.com"],
  ["kagi", "kagi.com"],
  ["marginalia", "api2.marginalia-search.com"],
] as const)("%s is asked at %s, with its key", ([service, host]) => {
  expect(settings({ service })).toMatchObject({ service, host, port: 443, base: null, key: service });
});

test("an instance of one's own is asked where it is", () => {
  expect(settings({ service: "searxng", url: "https://search.example:8443/x" })).toMatchObject({
    host: "search.example",
    port: 8443,
    base: "https://search.example:8443/x",
    key: null,
  });
});

test.for([
  [{ service: "off" }, "config.json says so"],
  [{ service: "searxng" }, "say where your searxng is"],
  [{ service: "searxng", url: "https://10.0.0.1/" }, "an address is not reached"],
] as const)("%j is off, and says why", ([search, why]) => {
  expect(settings(search)).toContain(why);
});
