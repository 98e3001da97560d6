import { createServer as createHttpsServer } from "node:https";
import { createServer } from "node:net";
import { certificateFor } from "../../test/support/certificate.ts";

/** What is asked in the bench of egress: HTTPS, bytes in any number, and an echo. It prints its ports and its certificate as JSON. */
const certificate = certificateFor("localhost");
const CHUNK = Buffer.alloc(262_144);

const https = createHttpsServer(certificate, (_request, response) => response.end("hello"));
const plain = createServer((socket) => {
  socket.on("error", () => undefined);
  socket.once("data", (asked: Buffer) => {
    let left = Number(asked.toString());
    const send = (): void => {
      while (left > 0) {
        left -= CHUNK.length;
        if (!socket.write(CHUNK)) return;
      }
    };
    socket.on("drain", send);
    send();
  });
});
const echo = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("error", () => undefined);
  socket.pipe(socket);
});

const ports: number[] = [];
for (const server of [https, plain, echo]) {
  server.listen(0, "localhost");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it listens on no port");
  ports.push(address.port);
}
process.stdout.write(`${JSON.stringify({ ports, cert: certificate.cert })}\n`);
