import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certificateFor } from "../support/certificate.ts";
import { changingResolver } from "../support/changing-resolver.ts";
import { ask, needLine, until } from "../support/claims-world.ts";
import { TestDaemon } from "../support/daemon.ts";
import { ScriptedModel } from "../support/scripted-model.ts";

/** Runs in a network of its own: the whole daemon, and a name that leads to a public address the first time it is asked for and to this machine from then
 *  on, with a server at each that the name's certificate is good for. Prints what came of a request of the agent's to each answer, as JSON. */

const PUBLIC = "93.184.216.34";
const HOST = "rebinding.example";
const folder = mkdtempSync(join(tmpdir(), "wirken-rebinding-"));
const certificate = certificateFor(HOST);
writeFileSync(join(folder, "ca.pem"), certificate.cert);
await using resolver = await changingResolver({ [HOST]: [PUBLIC, "127.0.0.1"] });
void resolver;

const reached: string[] = [];
const servers = await Promise.all(
  [PUBLIC, "127.0.0.1"].map(async (address) => {
    const server = createServer(certificate, (_, response) => {
      reached.push(address);
      response.setHeader("content-type", "text/plain");
      response.end(`this is ${address}`);
    });
    await new Promise<void>((resolve) => server.listen(443, address, resolve));
    return server;
  }),
);

await using model = await ScriptedModel.start();
const config = {
  agents: { default: { model: "scripted/test-model" } },
  providers: { scripted: { baseUrl: model.baseUrl } },
  network: { ca: join(folder, "ca.pem") },
  policy: { rules: [{ effect: "allow", key: `http:${HOST}` }] },
  search: { service: "off" },
  web: { port: 0 },
};
await using daemon = await TestDaemon.start({ config });

/** One turn in which the agent asks for the page. @returns what its call was answered, and who had been reached by then. */
async function requested(words: string): Promise<{ readonly result: string; readonly reached: readonly string[] }> {
  const call = { name: "http_request", arguments: { url: `https://${HOST}/` } };
  model.script(words, { calls: [call] }, { text: "done" });
  await ask(daemon, words, { fresh: true });
  await using line = await needLine(daemon);
  const { rows } = await line.call({ call: "audit.rows", filter: { limit: 1, kind: "tool.finished" } });
  return { result: rows[0]?.content["result"] ?? "", reached: [...reached] };
}

const first = await requested("read it");
const second = await requested("read it again");
// That the second answer leads there, and somebody answers: a name that the operator wrote down may.
writeFileSync(
  join(daemon.environment["WIRKEN_HOME"] ?? "", "config.json"),
  JSON.stringify({ ...config, network: { ...config.network, local: [HOST] } }),
);
await until(
  async () => JSON.stringify(await daemon.json("egress", "show", "fetch")).includes(HOST),
  "the name is one of the operator's network",
);
const allowed = await requested("read it once more");
const log = await daemon.json("egress", "log", "--refused");
process.stdout.write(JSON.stringify({ first, second, allowed, log }));
for (const server of servers) server.close();
rmSync(folder, { recursive: true, force: true });
