import type { OperatorEvent } from "../ipc/operator.ts";
import type { Carrier, Delivery, FetchedFile, LiveReply, LookedUp, Outgoing, Place } from "../session/link.ts";

export type Listener = (event: OperatorEvent, payload?: Uint8Array) => void;

/** Carries what is said on the terminal or on the page to whoever listens there; who comes later reads the transcript. */
export class LocalCarrier implements Carrier {
  readonly streams = true;
  readonly #listeners = new Map<Listener, string | null>();

  /** @param place only what is said there; null hears all of this channel. @returns the way to stop. */
  listen(listener: Listener, place: string | null): () => void {
    this.#listeners.set(listener, place);
    return () => this.#listeners.delete(listener);
  }

  emit(place: string | null, event: OperatorEvent, payload?: Uint8Array): void {
    for (const [listener, only] of this.#listeners) {
      if (only === null || place === null || only === place) listener(event, payload);
    }
  }

  send(to: Place, out: Outgoing): Promise<Delivery> {
    // Whoever reads here sits at the machine that they lie on.
    const files = (out.files ?? []).map(
      ({ name, bytes }) => `\n[file ${name}, ${bytes.length} bytes, in the workspace]`,
    );
    this.emit(to.place, { event: "notice", about: "info" }, Buffer.concat([out.text, Buffer.from(files.join(""))]));
    return Promise.resolve({ state: "delivered", ids: [] });
  }
  edit(): Promise<Delivery> {
    return Promise.resolve({ state: "delivered", ids: [] });
  }
  typing(): void {}
  react(): void {}
  file(): Promise<FetchedFile> {
    return Promise.resolve({ state: "failed", reason: "gone", error: "no file is sent here" });
  }
  openDirect(): Promise<string | null> {
    return Promise.resolve(null);
  }
  /** Who listened then has heard it, and who comes later reads the transcript. */
  lookUp(): Promise<LookedUp> {
    return Promise.resolve({ outcome: "sent", ids: [] });
  }

  stream(to: Place): LiveReply {
    return {
      piece: (text) => this.emit(to.place, { event: "text" }, text),
      end: () => {
        this.emit(to.place, { event: "text.end" });
        return { state: "delivered", ids: [] };
      },
    };
  }
}
