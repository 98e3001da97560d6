import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { type ParseError, parse, printParseErrorCode } from "jsonc-parser";
import * as z from "zod/mini";
import { $ZodDefault, $ZodNullable, $ZodObject, $ZodOptional, $ZodPrefault, $ZodRecord } from "zod/v4/core";
import { nearest } from "./nearest.ts";
import { Config } from "./schema.ts";

// What is wrong with the file is said in sentences.
z.config(z.locales.en());

/** The file is at most 1 MiB. */
const MAX_BYTES = 1_048_576;

/** Missing, unreadable and invalid are three answers: only the first is nothing to worry about. */
export type Loaded =
  | { readonly state: "missing"; readonly config: Config; readonly text: "" }
  | { readonly state: "loaded"; readonly config: Config; readonly text: string }
  | { readonly state: "unreadable"; readonly sentence: string }
  | { readonly state: "invalid"; readonly sentence: string; readonly text: string };

/** Reads `config.json`: JSON with comments and trailing commas. */
export function loadConfig(path: string): Loaded {
  let text: string;
  try {
    const descriptor = openSync(path, constants.O_RDONLY | (process.platform === "win32" ? 0 : constants.O_NOFOLLOW));
    try {
      const { size } = fstatSync(descriptor);
      if (size > MAX_BYTES)
        return { state: "unreadable", sentence: `${path} has ${size} bytes; at most ${MAX_BYTES} are read` };
      text = readFileSync(descriptor, "utf8");
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    if (code === "ENOENT") return { state: "missing", config: Config.parse({}), text: "" };
    if (code === "ELOOP")
      return { state: "unreadable", sentence: `${path} is a symbolic link: put the file itself there` };
    return { state: "unreadable", sentence: `cannot read ${path} (${code}): check its owner and mode` };
  }
  return parseConfig(path, text);
}

/** @param path is only named in sentences. */
export function parseConfig(path: string, text: string): Extract<Loaded, { state: "loaded" | "invalid" }> {
  const errors: ParseError[] = [];
  const value: unknown = text.trim() === "" ? {} : parse(text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first !== undefined) {
    const line = text.slice(0, first.offset).split("\n").length;
    return { state: "invalid", text, sentence: `${path}, line ${line}: ${words(printParseErrorCode(first.error))}` };
  }
  const parsed = Config.safeParse(value);
  if (parsed.success) return { state: "loaded", config: parsed.data, text };
  return {
    state: "invalid",
    text,
    sentence: `${path}: ${parsed.error.issues.map((issue) => sentenceOf(issue)).join("; ")}`,
  };
}

function words(code: string): string {
  return code.replaceAll(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
}

function sentenceOf(issue: z.core.$ZodIssue): string {
  const at = issue.path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(issue.path);
    return issue.keys
      .map((key) => {
        const near = nearest(key, known);
        const where = at === "" ? key : `${at}.${key}`;
        return near === null
          ? `${where} is not a setting (known here: ${known.join(", ")})`
          : `${where} is not a setting: did you mean ${near}?`;
      })
      .join("; ");
  }
  if (issue.code === "invalid_key") return `${at}: ${issue.issues.map((inner) => inner.message).join("; ")}`;
  return `${at === "" ? "the file" : at}: ${issue.message}`;
}

/** The keys that may stand at a place of the file, read off the schema itself. */
function knownKeys(path: readonly PropertyKey[]): string[] {
  let schema: z.core.$ZodType | undefined = Config;
  for (const key of path) schema = schema === undefined ? undefined : within(unwrapped(schema), key);
  return schema === undefined ? [] : Object.keys(shapeOf(unwrapped(schema)));
}

/** Defaults and options stand around the schema that they are for. */
function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  let inner = schema;
  while (
    inner instanceof $ZodDefault ||
    inner instanceof $ZodPrefault ||
    inner instanceof $ZodOptional ||
    inner instanceof $ZodNullable
  )
    inner = inner._zod.def.innerType;
  return inner;
}

function within(schema: z.core.$ZodType, key: PropertyKey): z.core.$ZodType | undefined {
  return schema instanceof $ZodRecord ? schema._zod.def.valueType : shapeOf(schema)[String(key)];
}

function shapeOf(schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> {
  return schema instanceof $ZodObject ? schema._zod.def.shape : {};
}
