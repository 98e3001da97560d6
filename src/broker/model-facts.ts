import type { Showing } from "../ipc/model-frames.ts";
import type { ShownMedia } from "../ipc/completion.ts";
import { knownModel } from "./known-models.ts";

/** What a model can take. Null: nobody says. */
export interface ModelAbilities {
  /** What its context holds, in tokens. */
  readonly window: number | null;
  readonly images: boolean | null;
  readonly pdfs: boolean | null;
}

type Written = { readonly [K in keyof ModelAbilities]?: ModelAbilities[K] | undefined };

export interface ModelFactsPorts {
  /** What the operator wrote down; before everything else. */
  readonly written: (ref: string) => Written | null;
  /** What the provider says in its list, as far as it was asked. */
  readonly listed: (ref: string) => ModelAbilities | null;
}

/** What is known of models, by `provider/model`: what their context holds, and what they can be shown. */
export class ModelFacts {
  readonly #ports: ModelFactsPorts;
  /** What was refused in this life of the daemon. */
  readonly #refused = new Map<string, Set<"images" | "pdfs">>();

  constructor(ports: ModelFactsPorts) {
    this.#ports = ports;
  }

  /** What its context holds, in tokens, request and answer together; null: not known. */
  windowOf(ref: string): number | null {
    return this.#first(ref, "window");
  }

  /** Can it be shown such a file? Null: not known, so it is tried. */
  shows(ref: string, media: ShownMedia): boolean | null {
    const kind = kindOf(media);
    // What the operator wrote down is tried each time.
    const written = this.#ports.written(ref)?.[kind] ?? null;
    if (written !== null) return written;
    return this.#refused.get(ref)?.has(kind) === true ? false : this.#first(ref, kind);
  }

  /** What of these files it is shown. */
  showing(ref: string, files: readonly { readonly media: ShownMedia }[]): Showing {
    const no = new Set(files.filter(({ media }) => this.shows(ref, media) === false).map(({ media }) => kindOf(media)));
    return no.has("images") ? "none" : no.has("pdfs") ? "images" : "all";
  }

  /** It was shown a picture for a trial. */
  tried(ref: string, sees: boolean): void {
    const known = this.#refused.get(ref) ?? new Set();
    if (sees) known.delete("images");
    else known.add("images");
    this.#refused.set(ref, known);
  }

  /** It refused what it was shown. @returns what it may be shown instead. */
  refused(ref: string, files: readonly { readonly media: ShownMedia }[], shown: Showing): Showing {
    const kinds = new Set(files.map(({ media }) => kindOf(media)));
    const [what, then] =
      shown === "all" && kinds.has("pdfs")
        ? (["pdfs", kinds.has("images") ? "images" : "none"] as const)
        : (["images", "none"] as const);
    const known = this.#refused.get(ref) ?? new Set();
    known.add(what);
    this.#refused.set(ref, known);
    return then;
  }

  #first<K extends keyof ModelAbilities>(ref: string, what: K): ModelAbilities[K] | null {
    return this.#ports.written(ref)?.[what] ?? this.#ports.listed(ref)?.[what] ?? knownModel(ref)?.[what] ?? null;
  }
}

function kindOf(media: ShownMedia): "images" | "pdfs" {
  return media === "application/pdf" ? "pdfs" : "images";
}
