import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { exchange, MAX_ANSWER } from "../../src/fetch/exchange.ts";
import { readable } from "../../src/fetch/readable.ts";
import { MAX_TEXT } from "../../src/ipc/fetch-frames.ts";
import { type Answering, entry, HOST, order, site, way } from "./world.ts";

async function read(answer: Answering, given: Parameters<typeof order>[2] = {}): Promise<string> {
  const { port } = await site(answer);
  const { agent } = await way([entry(port)]);
  const asked = order(port, "/", given);
  return readable(await exchange(asked, [], agent), asked.url);
}

async function codeOf(asked: Promise<unknown>): Promise<unknown> {
  return await asked.then(
    () => "answered",
    (error: unknown) => (error instanceof Error && "code" in error ? error.code : error),
  );
}

describe("a request", () => {
  test("carries its method, headers and body, and nothing of ours that takes their place", async () => {
    const { port, asked } = await site((_, response) => response.end("ok"));
    const { agent } = await way([entry(port)]);
    const headers = [
      { name: "accept", value: "application/json" },
      { name: "x-note", value: "a b" },
    ];
    await exchange(
      order(port, "/p?q=1", { method: "POST", headers, body: "grüße" }),
      [["authorization", "Bearer k"]],
      agent,
    );
    expect(asked[0]).toMatchObject({ method: "POST", url: "/p?q=1" });
    expect(asked[0]?.headers).toMatchObject({
      accept: "application/json",
      "x-note": "a b",
      authorization: "Bearer k",
      "content-length": "7",
      host: `${HOST}:${port}`,
    });
    expect(asked[0]?.headers).not.toHaveProperty("cookie");
  });

  test("reaches the host that its lane lists, and no other, whatever it asks for", async () => {
    const { port, asked } = await site((_, response) => response.end("ok"));
    const { agent, verdicts } = await way([entry(port)]);
    expect(await codeOf(exchange(order(port), [], agent))).toBe("answered");
    const elsewhere = { ...order(port), url: `https://other.example:${port}/` };
    expect(await codeOf(exchange(elsewhere, [], agent))).toBe("refused");
    expect(asked).toHaveLength(1);
    expect(verdicts.map(({ host, reason }) => [host, reason])).toContainEqual(["other.example", "unlisted"]);
  });

  test("is refused where a public name leads inside, the first time and the second", async () => {
    const { port, asked } = await site((_, response) => response.end("ok"));
    const answers = ["127.0.0.1", "10.0.0.1", "::1", "169.254.169.254"];
    const { agent } = await way([entry(port, HOST, false)], () => Promise.resolve([answers.shift() ?? ""]));
    for (let at = 0; at < 4; at++) expect(await codeOf(exchange(order(port), [], agent))).toBe("refused");
    expect(asked).toEqual([]);
  });

  test("does not speak to a server whose certificate is for another name", async () => {
    const { port, asked } = await site((_, response) => response.end("ok"));
    const { agent } = await way([entry(port, "wrong.example")]);
    const to = { ...order(port), url: `https://wrong.example:${port}/` };
    expect(await codeOf(exchange(to, [["authorization", "Bearer k"]], agent))).toBe("tls");
    expect(asked).toEqual([]);
  });
});

describe("an answer", () => {
  test.for([
    ["gzip", gzipSync("packed")],
    ["deflate", deflateSync("packed")],
    ["br", brotliCompressSync("packed")],
    ["identity", Buffer.from("packed")],
  ] as const)("encoded as %s is unpacked", async ([encoding, bytes]) => {
    const text = await read((_, response) => {
      response.setHeader("content-type", "text/plain");
      response.setHeader("content-encoding", encoding);
      response.end(bytes);
    });
    expect(text).toBe("200 OK\ncontent-type: text/plain\n\npacked");
  });

  test.for([
    ["gzip", gzipSync(Buffer.alloc(64 * MAX_ANSWER))],
    ["br", brotliCompressSync(Buffer.alloc(64 * MAX_ANSWER))],
  ] as const)("that is a bomb of %s is unpacked to 1 MiB and no further", async ([encoding, bomb]) => {
    expect(bomb.length).toBeLessThan(MAX_ANSWER / 8);
    const { port } = await site((_, response) => {
      response.setHeader("content-encoding", encoding);
      response.end(bomb);
    });
    const { agent } = await way([entry(port)]);
    const { body, whole } = await exchange(order(port), [], agent);
    expect([body.length, whole]).toEqual([MAX_ANSWER, false]);
  });

  test("of any length is read to 1 MiB, and what is left out is said", async () => {
    const text = await read((_, response) => {
      response.setHeader("content-type", "text/plain");
      const more = (): void => {
        while (response.write("line after line after line\n".repeat(100)));
        response.once("drain", more);
      };
      more();
    });
    expect(text).toContain("[the answer is longer than 1 MiB: the rest was not read]");
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_TEXT);
  });

  test("with headers without end is refused", async () => {
    const { port } = await site((_, response) => {
      for (let at = 0; at < 40; at++) response.setHeader(`x-${at}`, "v".repeat(1_000));
      response.end();
    });
    const { agent } = await way([entry(port)]);
    expect(await codeOf(exchange(order(port), [], agent))).toBe("too-large");
  });

  test.for([
    ["text/plain; charset=iso-8859-1", Buffer.from("caf\xe9", "latin1")],
    ["text/plain; charset=utf-16le", Buffer.from("café", "utf16le")],
    ["text/plain", Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from("café", "utf16le")])],
    ["text/html", Buffer.from('<meta charset="windows-1252"><p>caf\xe9', "latin1")],
    ["text/html; charset=no-such", Buffer.from("<p>café")],
    ["", Buffer.from("café")],
  ] as const)("of the type %s is read in its charset", async ([type, bytes]) => {
    const text = await read((_, response) => {
      if (type !== "") response.setHeader("content-type", type);
      response.end(bytes);
    });
    expect(text.split("\n").at(-1)).toBe("café");
  });

  test.for([
    ["image/png", Buffer.from([0x89, 0x50]), "image/png, 2 bytes: no text, so it is not shown"],
    ["text/plain", Buffer.from([0, 1, 2]), "text/plain, 3 bytes: no text, so it is not shown"],
    ["", Buffer.from([0xff, 0, 0xfe, 0]), "no content type, 4 bytes: no text, so it is not shown"],
    ["text/html", Buffer.from("<script>x</script>"), "the page has no text of its own"],
    ["text/plain", Buffer.from(""), "the answer has no body"],
  ] as const)("of the type %s that is no text is said by type and size", async ([type, bytes, said]) => {
    const text = await read((_, response) => {
      if (type !== "") response.setHeader("content-type", type);
      response.end(bytes);
    });
    expect(text).toContain(said);
  });

  test("encoded as nothing that is known here is not shown", async () => {
    const text = await read((_, response) => {
      response.setHeader("content-encoding", "zstd");
      response.setHeader("content-type", "text/plain");
      response.end("xxxx");
    });
    expect(text).toContain("encoded as zstd: not shown");
  });

  test("that says how it is packed and is not is told as unreadable", async () => {
    const { port } = await site((_, response) => {
      response.setHeader("content-encoding", "gzip");
      response.end("no gzip at all");
    });
    const { agent } = await way([entry(port)]);
    expect(await codeOf(exchange(order(port), [], agent))).toBe("bad-answer");
  });

  test("shows the headers that a reader needs, and no cookie", async () => {
    const text = await read((_, response) => {
      response.statusCode = 429;
      response.setHeader("retry-after", "30");
      response.setHeader("set-cookie", "session=1");
      response.setHeader("content-type", "application/json");
      response.end('{"error":"slow down"}');
    });
    expect(text).toBe(
      '429 Too Many Requests\ncontent-type: application/json\nretry-after: 30\n\n{"error":"slow down"}',
    );
  });
});
