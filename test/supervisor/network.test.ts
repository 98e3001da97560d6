import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Config } from "../../src/config/schema.ts";
import { UpstreamProxy } from "../../src/ipc/egress-frames.ts";
import { networkOf } from "../../src/supervisor/network.ts";
import { ownFolder } from "../support/folder.ts";

function config(network: object): Config {
  return Config.parse({ network });
}

describe("the proxy", () => {
  test.for([
    ["http://proxy.example:3128", { host: "proxy.example", port: 3128, tls: false }, "proxy.example:3128"],
    ["http://Proxy.Example./", { host: "proxy.example", port: 80, tls: false }, "proxy.example:80"],
    ["https://proxy.example", { host: "proxy.example", port: 443, tls: true }, "https://proxy.example:443"],
    ["http://10.1.2.3:8080", { host: "10.1.2.3", port: 8080, tls: false }, "10.1.2.3:8080"],
    ["http://[fd00::1]:8080", { host: "fd00::1", port: 8080, tls: false }, "[fd00::1]:8080"],
    ["http://localhost:3128", { host: "localhost", port: 3128, tls: false }, "localhost:3128"],
  ] as const)("is the one of config.json: %s", ([address, proxy, place]) => {
    const chosen = networkOf(config({ proxy: address }), { HTTPS_PROXY: "http://other.example" });
    expect(chosen).toEqual({
      proxy: { proxy, place, from: "network.proxy in config.json" },
      certificates: null,
      notes: [],
    });
    expect(UpstreamProxy.parse(chosen.proxy?.proxy)).toEqual(proxy);
  });

  test.for([
    [{ HTTPS_PROXY: "http://env.example:3128" }, "env.example:3128", "HTTPS_PROXY"],
    [{ https_proxy: "env.example:3128" }, "env.example:3128", "https_proxy"],
    [{ HTTPS_PROXY: "", https_proxy: "http://env.example" }, "env.example:80", "https_proxy"],
  ] as const)("is else the one of the environment: %j", ([environment, place, name]) => {
    const { proxy, notes } = networkOf(config({}), environment);
    expect(proxy).toMatchObject({ place, from: `${name} in the environment of wirken start` });
    expect(notes).toEqual([]);
  });

  test("keeps no credential of the environment, and says where it belongs", () => {
    const chosen = networkOf(config({}), { HTTPS_PROXY: "http://user:hunter2@env.example:3128" });
    expect(chosen.proxy?.place).toBe("env.example:3128");
    expect(chosen.notes).toEqual([
      "the credential in HTTPS_PROXY is not used, for everybody reads it there: run wirken vault add proxy",
    ]);
    expect(JSON.stringify(chosen)).not.toContain("hunter2");
  });

  test.for(["socks5://env.example:1080", "http://", "http://a b", "http://-x.example"])(
    "is none where the environment names none that can be used, which is said: %s",
    (address) => {
      const { proxy, notes } = networkOf(config({}), { HTTPS_PROXY: address });
      expect(proxy).toBeNull();
      expect(notes).toEqual([expect.stringContaining("names no proxy that can be used")]);
    },
  );

  test("is none where nobody says so", () => {
    expect(networkOf(config({}), {})).toEqual({ proxy: null, certificates: null, notes: [] });
  });
});

describe("certificates of one's own", () => {
  test("are a file that is looked at, and what is wrong with it is said", () => {
    const folder = ownFolder();
    const [good, bad] = [join(folder, "good.pem"), join(folder, "bad.pem")];
    writeFileSync(good, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    writeFileSync(bad, "MIIB");
    expect(networkOf(config({ ca: good }), { NODE_EXTRA_CA_CERTS: bad })).toMatchObject({
      certificates: good,
      notes: [],
    });
    expect(networkOf(config({}), { NODE_EXTRA_CA_CERTS: good })).toMatchObject({ certificates: good, notes: [] });
    expect(networkOf(config({ ca: bad }), {}).notes).toEqual([
      `network.ca in config.json: there is no certificate in ${bad}: it holds them as PEM, between BEGIN CERTIFICATE and END CERTIFICATE; until then connections that need it fail`,
    ]);
    expect(networkOf(config({}), { NODE_EXTRA_CA_CERTS: `${folder}/none` }).notes).toEqual([
      `NODE_EXTRA_CA_CERTS: ${folder}/none cannot be read (ENOENT); until then connections that need it fail`,
    ]);
  });
});
