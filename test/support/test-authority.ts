import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type TLSSocket } from "node:tls";
import { serving } from "./serving.ts";

/** A certificate authority of a test's own, and one certificate of it. */
export class TestAuthority implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "wirken-ca-"));
  readonly key: string;
  readonly certificate: string;

  /** @param names that the certificate is for. */
  constructor(...names: readonly string[]) {
    const openssl = (...words: readonly string[]): void =>
      void execFileSync("openssl", words, { cwd: this.#folder, stdio: "pipe" });
    const make = (name: string, ...more: readonly string[]): void =>
      openssl(
        ...`req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ${name}.key -out ${name}.pem`.split(
          " ",
        ),
        ...more,
      );
    make("ca", "-subj", "/CN=Test authority");
    const alternative = `subjectAltName=${names.map((name) => `DNS:${name}`).join(",")}`;
    const signed = [
      "-CA",
      "ca.pem",
      "-CAkey",
      "ca.key",
      "-addext",
      alternative,
      "-addext",
      "basicConstraints=CA:FALSE",
    ];
    make("server", "-subj", "/CN=server", ...signed);
    this.key = readFileSync(join(this.#folder, "server.key"), "utf8");
    this.certificate = readFileSync(join(this.#folder, "server.pem"), "utf8");
  }

  /** Path of the authority's own certificate. */
  get file(): string {
    return join(this.#folder, "ca.pem");
  }

  get text(): string {
    return readFileSync(this.file, "utf8");
  }

  /** A server that speaks TLS, and hands on what it hears to one that does not. */
  async inFrontOf(port: number): ReturnType<typeof serving> {
    return await this.listen((socket) => {
      const behind = connect(port, "127.0.0.1");
      socket.pipe(behind).pipe(socket);
      behind.on("error", () => socket.destroy());
      behind.on("close", () => socket.destroy());
      socket.on("close", () => behind.destroy());
    });
  }

  async listen(accept: (socket: TLSSocket) => void): ReturnType<typeof serving> {
    const { key, certificate: cert } = this;
    const server = createServer({ key, cert, allowHalfOpen: true }, (socket) => {
      socket.on("error", () => undefined);
      accept(socket);
    });
    return await serving(server);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
