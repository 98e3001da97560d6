import { expect, test } from "vitest";
import { packageOf, registryOf, specificationOf } from "../../src/supervisor/mcp-package.ts";

test.for([
  ["npx -y @scope/server /data", "npm", "@scope/server", null, ["/data"]],
  ["npx @scope/server@^2.1 --flag", "npm", "@scope/server@^2.1", null, ["--flag"]],
  ["npx --yes -- server@latest -y", "npm", "server@latest", null, ["-y"]],
  ["npx -y --package=@scope/server run it", "npm", "@scope/server", "run", ["it"]],
  ["npx -p server@1.0.0 run", "npm", "server@1.0.0", "run", []],
  ["npm exec -y server", "npm", "server", null, []],
  [
    "uvx mcp-server-time --local-timezone Europe/Berlin",
    "pypi",
    "mcp-server-time",
    null,
    ["--local-timezone", "Europe/Berlin"],
  ],
  ["uvx mcp-server-time@2.0.1", "pypi", "mcp-server-time==2.0.1", null, []],
  ["uvx mcp-server-time@latest", "pypi", "mcp-server-time", null, []],
  ["uvx --from server[cli]>=1,<2 run x", "pypi", "server[cli]>=1,<2", "run", ["x"]],
  ["uv tool run server", "pypi", "server", null, []],
] as const)("%s is a package", ([words, registry, specification, program, args]) => {
  const found = packageOf(words.split(" "));
  expect(found?.wish).toMatchObject({ registry, program });
  expect(found === null ? null : specificationOf(found.wish)).toBe(specification);
  expect(found?.args).toEqual(args);
});

test.for(["node server.js", "/usr/bin/npx x", "docker run x", "uv run server.py", "npm install x"])(
  "%s is a program, and no package",
  (words) => {
    expect(packageOf(words.split(" "))).toBeNull();
  },
);

test.for([
  ["npx -y https://example.org/x.tgz", "is no package of the npm registry"],
  ["npx -y github:somebody/something", "is no package of the npm registry"],
  ["npx -y git+ssh://git@example.org/x", "is no package of the npm registry"],
  ["npx -y ./folder", "is no package of the npm registry"],
  ["npx -y other@npm:something@1", "is no package of the npm registry"],
  ["npx -y server@file:../x", "is no package of the npm registry"],
  ["npx -y", "is not told which package"],
  ["npx -c something", "npx -c is not known here"],
  ["npx --registry=https://example.org x", "is not known here"],
  ["npx -p", "names nothing"],
  ["npx -p server ../run", "is no name of a program"],
  ["uvx git+https://example.org/x", "is no package of a Python index"],
  ["uvx --with other server", "uvx --with is not known here"],
  ["uvx server@https://example.org/x.whl", "is no package of a Python index"],
  ["uvx --from ./x run", "is no package of a Python index"],
] as const)("%s is refused: it %s", ([words, sentence]) => {
  expect(() => packageOf(words.split(" "))).toThrow(sentence);
});

test("a public registry may not lie in a private network, and one that the operator wrote down may", () => {
  const open = registryOf("pypi", {});
  expect(open.url).toBe("https://pypi.org/simple/");
  expect(open.reach.map(({ entry }) => entry)).toEqual([
    { to: "host", host: "pypi.org", port: 443, tls: true, private: false },
    { to: "host", host: "files.pythonhosted.org", port: 443, tls: true, private: false },
  ]);
  const own = registryOf("npm", { npm: { url: "https://npm.example.internal:8443/all/", files: [] } });
  expect(own).toMatchObject({ host: "npm.example.internal", url: "https://npm.example.internal:8443/all/" });
  expect(own.reach).toEqual([
    {
      entry: { to: "host", host: "npm.example.internal", port: 8443, tls: true, private: true },
      source: "config",
      from: "registries.npm in config.json",
    },
  ]);
});
