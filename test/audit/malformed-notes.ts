/** Notes and keys that the parsers refuse, each for one reason. They are changes of a note signed for {@link SIZE} rows and the root {@link ROOT}. */

export const SIZE = 123;
export const ROOT = "ab".repeat(32);
const ROOT64 = Buffer.from(ROOT, "hex").toString("base64");

export const MALFORMED_NOTES: readonly (readonly [what: string, change: (note: string) => string])[] = [
  ["carriage returns", (n) => n.replaceAll("\n", "\r\n")],
  ["a blank line more", (n) => n.replace("\n\n", "\n\n\n")],
  ["a blank line at its end", (n) => `${n}\n`],
  ["no last newline", (n) => n.slice(0, -1)],
  ["a leading zero", (n) => n.replace("\n123\n", "\n0123\n")],
  ["a plus sign", (n) => n.replace("\n123\n", "\n+123\n")],
  ["a size of 2^53", (n) => n.replace("\n123\n", "\n9007199254740992\n")],
  ["no size", (n) => n.replace("\n123\n", "\n\n")],
  ["base64 without padding", (n) => n.replace("=\n\n", "\n\n")],
  ["base64 with stray bits", (n) => n.replace(/s=\n\n/, "t=\n\n")],
  ["base64 of the web alphabet", (n) => n.replace(/q6ur/, "-6ur")],
  ["a root of 31 bytes", (n) => n.replace(ROOT64, Buffer.alloc(31).toString("base64"))],
  ["a line between", (n) => n.replace("\n\n", "\nextra\n\n")],
  ["a hyphen for the dash", (n) => n.replace("\u2014", "-")],
  ["two spaces", (n) => n.replace("\u2014 ", "\u2014  ")],
  ["a control character", (n) => n.replace("123", "12\u00073")],
  ["a bidirectional override", (n) => n.replace("123", "\u202e123")],
  ["no signature", (n) => `${n.split("\n\n")[0]}\n\n`],
  ["no blank line", (n) => n.replace("\n\n", "\n")],
  ["nothing behind its root", (n) => n.split("\n\n")[0] ?? ""],
  ["another character for its last newline", (n) => `${n.slice(0, -1)}x`],
  ["a space in its first line", (n) => n.replace("wirken.local", "wirken local")],
  ["17 signatures", (n) => `${n}${(n.split("\n\n")[1] ?? "").repeat(16)}`],
  ["a signature of 20,000 bytes", (n) => n.replace(/ [^ ]+\n$/, ` ${Buffer.alloc(20_000).toString("base64")}\n`)],
  ["a space in its origin", (n) => n.replaceAll("wirken.local", "wirken local")],
];

export const MALFORMED_KEYS: readonly (readonly [what: string, vkey: string])[] = [
  ["another id", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"],
  ["another name", "PeterNeumanN+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"],
  ["another key", "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TX"],
  ["an id in upper case", "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"],
  ["no name", "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"],
  ["a space at its end", "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW "],
  ["another type of key", "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"],
  ["nothing", ""],
];
