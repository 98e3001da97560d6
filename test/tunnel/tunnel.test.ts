import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { EgressReason } from "../../src/ipc/egress-frames.ts";
import { Tunnel } from "../../src/tunnel/tunnel.ts";
import { TunnelError } from "../../src/tunnel/tunnel-error.ts";
import type { TunnelSocket } from "../../src/tunnel/tunnel-socket.ts";
import { ConnectServer, type Route } from "../support/connect-server.ts";
import { socketPair } from "../support/socket-pair.ts";
import { soon } from "../support/soon.ts";

interface World {
  readonly gone: () => number;
  readonly tunnel: Tunnel;
  readonly egress: ConnectServer;
}

async function world(route: (authority: string) => Route): Promise<World> {
  const [near, far] = await socketPair();
  onTestFinished(() => {
    near.destroy();
    far.destroy();
  });
  let gone = 0;
  const tunnel = new Tunnel(
    () => near,
    "adapter:slack",
    () => gone++,
  );
  return { tunnel, egress: new ConnectServer(far, route), gone: () => gone };
}

/** A server of this machine; its connections end with the test. @returns its port. */
async function listening(accept: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    accept(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server does not listen");
  return address.port;
}

async function errorOf(socket: TunnelSocket): Promise<TunnelError> {
  const [error]: unknown[] = await once(socket, "error");
  if (!(error instanceof TunnelError)) throw new Error("another error", { cause: error });
  return error;
}

/** What is heard until the other side ends; this side stays open. */
async function textOf(socket: TunnelSocket): Promise<string> {
  let text = "";
  socket.on("data", (piece) => {
    text += String(piece);
  });
  await once(socket, "end");
  return text;
}

describe("a connection through the tunnel", () => {
  test("says and hears, asks by name, and is told of the end of the other side while it still speaks", async () => {
    const port = await listening((far) => {
      far.end("first word");
      let heard = "";
      far.on("data", (chunk) => {
        heard += String(chunk);
      });
      far.on("end", () => words.push(heard));
    });
    const words: string[] = [];
    const { tunnel, egress } = await world(() => port);
    const socket = tunnel.connect("API.Example.com.", 443);
    expect(socket.connecting).toBe(true);
    expect(await textOf(socket)).toBe("first word");
    expect(socket.connecting).toBe(false);
    socket.end("last word");
    await soon(() => expect(words).toEqual(["last word"]));
    await soon(() => expect(socket.destroyed).toBe(true));
    expect(egress.asked).toEqual(["api.example.com:443"]);
    expect(egress.open).toBe(0);
  });

  test("may end its own side first, and hears the rest", async () => {
    const port = await listening((far) => {
      let heard = "";
      far.on("data", (chunk) => {
        heard += String(chunk);
      });
      far.on("end", () => far.end(`heard: ${heard}`));
    });
    const { tunnel } = await world(() => port);
    const socket = tunnel.connect("api.example.com", 443);
    socket.write("one, ");
    socket.end("two");
    expect(await textOf(socket)).toBe("heard: one, two");
  });

  test.for([
    ["::1", "[::1]:443"],
    ["[::1]", "[::1]:443"],
    ["127.0.0.1", "127.0.0.1:443"],
  ] as const)("asks for the address %s as %s", async ([host, authority]) => {
    const { tunnel, egress } = await world(() => "literal");
    await errorOf(tunnel.connect(host, 443));
    expect(egress.asked).toEqual([authority]);
  });
});

describe("what egress does not give is an error in words", () => {
  test.for<[reason: EgressReason, code: string, final: boolean, message: string]>([
    [
      "unlisted",
      "EACCES",
      true,
      "api.example.com:443 is not on this process's list: see `wirken egress show adapter:slack`",
    ],
    ["private", "EACCES", true, "leads to an address of a private network"],
    ["malformed", "EACCES", true, "no host and port"],
    ["busy", "EAGAIN", false, "too many connections"],
    ["unresolved", "ENOTFOUND", false, "is not found"],
    ["unreachable", "ECONNREFUSED", false, "takes no connection"],
    ["timeout", "ETIMEDOUT", false, "did not answer in time"],
  ])("%s", async ([reason, code, final, message]) => {
    const { tunnel } = await world(() => reason);
    const error = await errorOf(tunnel.connect("api.example.com", 443));
    expect(error).toMatchObject({ reason, code, final, syscall: "connect", hostname: "api.example.com", port: 443 });
    expect(error.message).toContain(message);
  });

  test("a process that was given no lane reaches nothing, and says so", async () => {
    let gone = 0;
    const tunnel = new Tunnel(null, "model", () => gone++);
    const error = await errorOf(tunnel.connect("api.example.com", 443));
    expect(error).toMatchObject({ reason: "laneless", code: "EACCES", final: true });
    expect(error.message).toContain("this process was given no way to a network");
    expect(gone).toBe(0);
  });

  test("a host that is none is not asked for", async () => {
    const { tunnel, egress } = await world(() => "silent");
    for (const [host, port] of [
      ["two words", 443],
      ["", 443],
      ["api.example.com", 0],
      ["api.example.com", Number.NaN],
      ["a\r\nb", 1],
    ] as const)
      expect(await errorOf(tunnel.connect(host, port))).toMatchObject({ reason: "malformed", code: "EACCES" });
    expect(egress.asked).toEqual([]);
  });

  test("a connection that is reset after it stood says whether it was refused or lost", async () => {
    const port = await listening((far) => far.write("hello"));
    for (const [rst, reason, code] of [
      [7, "server-name", "EACCES"],
      [8, "cut", "ECONNRESET"],
      [10, "cut", "ECONNRESET"],
    ] as const) {
      const { tunnel, egress } = await world(() => port);
      const socket = tunnel.connect("api.example.com", 443);
      await once(socket, "data");
      const failed = errorOf(socket);
      egress.reset(rst);
      expect(await failed).toMatchObject({ reason, code, syscall: "read" });
    }
  });

  test("when egress dies, every connection ends at once with an error, and no other comes about", async () => {
    const port = await listening((far) => far.write("hello"));
    const { tunnel, egress, gone } = await world((authority) => (authority.startsWith("silent") ? "silent" : port));
    const standing = Array.from({ length: 5 }, () => tunnel.connect("api.example.com", 443));
    await Promise.all(standing.map(async (socket) => await once(socket, "data")));
    const opening = Array.from({ length: 5 }, () => tunnel.connect("silent.example.com", 443));
    await soon(() => expect(egress.asked).toHaveLength(10));
    const failed = Promise.all([...standing, ...opening].map(errorOf));
    egress.die();
    const errors = await failed;
    expect(errors.map(({ reason }) => reason)).toEqual(Array.from({ length: 10 }, () => "lost"));
    expect(errors.map(({ code }) => code)).toEqual([
      ...Array.from({ length: 5 }, () => "ECONNRESET"),
      ...Array.from({ length: 5 }, () => "ENETDOWN"),
    ]);
    const later = await errorOf(tunnel.connect("api.example.com", 443));
    expect(later).toMatchObject({ reason: "lost", code: "ENETDOWN", syscall: "connect" });
    expect(later.message).toContain("the egress process ended");
    expect(gone()).toBe(1);
  });

  test("an answer cut short by egress's death is an error, and never a short answer", async () => {
    const port = await listening((far) => far.write("half of"));
    const { tunnel, egress } = await world(() => port);
    const socket = tunnel.connect("api.example.com", 443);
    await once(socket, "readable");
    egress.die();
    await expect(textOf(socket)).rejects.toMatchObject({ code: "ECONNRESET" });
  });
});

describe("many connections and large ones", () => {
  test("a hundred at once each hear their own", async () => {
    const port = await listening((far) => far.pipe(far));
    const { tunnel, egress } = await world(() => port);
    const said = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const socket = tunnel.connect("api.example.com", 443);
        socket.end(`number ${i}`);
        return await textOf(socket);
      }),
    );
    expect(said).toEqual(Array.from({ length: 100 }, (_, i) => `number ${i}`));
    await soon(() => expect(egress.open).toBe(0));
  });

  test("what nobody reads holds its sender back, and no other connection", async () => {
    let sent = 0;
    const flood = await listening((far) => {
      const piece = Buffer.alloc(65_536);
      const go = (): void => {
        while (far.write(piece)) sent += piece.length;
        sent += piece.length;
        far.once("drain", go);
      };
      go();
    });
    const echo = await listening((far) => far.pipe(far));
    const { tunnel } = await world((authority) => (authority.startsWith("flood") ? flood : echo));
    const unread = Array.from({ length: 20 }, () => tunnel.connect("flood.example.com", 443));
    await Promise.all(unread.map(async (socket) => await once(socket, "connect")));
    let before = -1;
    await soon(
      () => {
        const stands = before === sent;
        before = sent;
        expect(stands).toBe(true);
      },
      { interval: 300 },
    );
    // Of each: our window and buffer, and what lies in the buffers of the test's own server and the kernel.
    expect(sent / 20).toBeLessThan(8 * 1_048_576);
    const socket = tunnel.connect("echo.example.com", 443);
    socket.end("still heard");
    expect(await textOf(socket)).toBe("still heard");
    for (const one of unread) one.destroy();
  });

  test("what the other side does not read is not taken from the writer", async () => {
    const far = Promise.withResolvers<Socket>();
    const port = await listening((socket) => far.resolve(socket.pause()));
    const { tunnel } = await world(() => port);
    const socket = tunnel.connect("api.example.com", 443);
    const piece = Buffer.alloc(65_536, "x");
    let written = 0;
    let accepted = 0;
    const go = (): void => {
      while (written < 32 * 1_048_576) {
        written += piece.length;
        const { length } = piece;
        const more = socket.write(piece, () => {
          accepted += length;
        });
        if (!more) {
          socket.once("drain", go);
          return;
        }
      }
      socket.end();
    };
    go();
    let before = -1;
    await soon(
      () => {
        const stands = before === accepted && accepted > 0;
        before = accepted;
        expect(stands).toBe(true);
      },
      { interval: 300 },
    );
    expect(written).toBeLessThan(16 * 1_048_576);
    let heard = 0;
    const reading = await far.promise;
    reading.on("data", (chunk) => {
      heard += chunk.length;
    });
    reading.resume();
    await soon(() => expect(heard).toBe(32 * 1_048_576));
    socket.destroy();
  });

  test("a connection that is given up is given up at the other end", async () => {
    const closed = Promise.withResolvers<boolean>();
    const port = await listening((far) => {
      far.write("hello");
      far.resume().on("end", () => closed.resolve(true));
    });
    const { tunnel, egress } = await world((authority) => (authority.startsWith("silent") ? "silent" : port));
    const socket = tunnel.connect("api.example.com", 443);
    await once(socket, "data");
    socket.destroy();
    expect(await closed.promise).toBe(true);
    await soon(() => expect(egress.open).toBe(0));
    const opening = tunnel.connect("silent.example.com", 443);
    opening.write("said to nobody");
    await soon(() => expect(egress.asked).toHaveLength(2));
    opening.destroy();
    expect(opening.destroyed).toBe(true);
  });
});
