import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import type { Duplex } from "node:stream";

/** What egress answered to one CONNECT. */
export interface Asked {
  readonly status: number;
  readonly reason: string | null;
  readonly stream: ClientHttp2Stream;
}

/** The child's end of a lane, by hand: HTTP/2 over one stream, one CONNECT a connection. */
export class LaneClient implements Disposable {
  readonly session: ClientHttp2Session;

  constructor(stream: Duplex) {
    this.session = connect("http://lane", { createConnection: () => stream });
    this.session.on("error", () => undefined);
  }

  async ask(authority: string): Promise<Asked> {
    const stream = this.session.request({ ":method": "CONNECT", ":authority": authority }, { endStream: false });
    stream.on("error", () => undefined);
    return await new Promise((resolve, reject) => {
      stream.once("response", (headers) => {
        const reason = headers["wirken-reason"];
        resolve({ status: Number(headers[":status"]), reason: typeof reason === "string" ? reason : null, stream });
      });
      stream.once("close", () => reject(new Error(`closed with ${String(stream.rstCode)} and no answer`)));
    });
  }

  /** @returns the reason of a refusal, or null where the connection was made; it is then given up. */
  async reasonOf(authority: string): Promise<string | null> {
    const { status, reason, stream } = await this.ask(authority);
    stream.close();
    return status === 200 ? null : (reason ?? `status ${status}`);
  }

  /** @returns a connection. @throws if it is refused. */
  async open(authority: string): Promise<ClientHttp2Stream> {
    const { status, reason, stream } = await this.ask(authority);
    if (status !== 200) throw new Error(`refused with ${status}: ${reason ?? "no reason"}`);
    return stream;
  }

  [Symbol.dispose](): void {
    this.session.destroy();
  }
}
