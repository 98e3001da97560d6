import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tarGzOf } from "./archives.ts";

/** One version of a package: its files by name, `package.json` apart. */
export interface PublishedVersion {
  readonly version: string;
  readonly manifest?: Readonly<Record<string, unknown>>;
  readonly files: Readonly<Record<string, string>>;
}

/** A registry as npm knows it: a list of versions for each package, and an archive for each version. */
export class NpmRegistry {
  /** Everything that it was asked for. */
  readonly asked: string[] = [];
  readonly #origin: string;
  readonly #packages = new Map<string, Map<string, { manifest: Record<string, unknown>; archive: Buffer }>>();

  /** @param origin as its clients reach it. */
  constructor(origin: string) {
    this.#origin = origin;
  }

  publish(name: string, { version, manifest = {}, files }: PublishedVersion): void {
    const whole = { name, version, ...manifest };
    const archive = tarGzOf(
      Object.entries({ "package.json": JSON.stringify(whole), ...files }).map(([path, text]) => ({
        name: `package/${path}`,
        bytes: Buffer.from(text),
      })),
    );
    const versions = this.#packages.get(name) ?? new Map();
    versions.set(version, { manifest: whole, archive });
    this.#packages.set(name, versions);
  }

  readonly answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = decodeURIComponent(request.url ?? "");
    this.asked.push(path);
    const [, name = "", version] = /^\/((?:@[^/]+\/)?[^/]+)(?:\/-\/(.+)\.tgz)?$/.exec(path) ?? [];
    const versions = this.#packages.get(name);
    if (versions === undefined) {
      response.writeHead(404, { "content-type": "application/json" }).end('{"error":"Not found"}');
      return;
    }
    const archive = version === undefined ? undefined : versions.get(version)?.archive;
    if (archive !== undefined) {
      response.writeHead(200, { "content-type": "application/octet-stream" }).end(archive);
      return;
    }
    const all = [...versions].map(([number, { manifest, archive: packed }]) => [
      number,
      {
        ...manifest,
        dist: {
          tarball: `${this.#origin}/${name}/-/${number}.tgz`,
          integrity: `sha512-${createHash("sha512").update(packed).digest("base64")}`,
        },
      },
    ]);
    const newest = [...versions.keys()].at(-1);
    response
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify({ name, "dist-tags": { latest: newest }, versions: Object.fromEntries(all) }));
  };
}
