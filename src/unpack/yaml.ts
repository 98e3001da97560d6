import { isAlias, isCollection, isNode, parseDocument, visit } from "yaml";
import { SkillError } from "../../skills/skill-error.ts";

/** Levels of front matter; the format has three. */
const MAX_DEPTH = 8;
/** Nodes of it. */
const MAX_NODES = 2_000;

/** Reads YAML 1.2 with the core schema: no anchors, no aliases, no tags of its own, no key twice.
 *  @param text bounded by whoever asks. @throws {SkillError}. */
export function readYaml(text: string): unknown {
  // Before the parser recurses into it.
  if (/[[{]{9}/.test(text.replaceAll(/\s/g, ""))) throw refused("it is nested too deeply");
  const strict = parsed(text);
  const document = strict.errors.length === 0 ? strict : parsed(withQuotes(text));
  const [error] = document.errors;
  if (error !== undefined)
    throw refused(`line ${(error.linePos?.[0].line ?? 1) + 1}: ${error.code.toLowerCase().replaceAll("_", " ")}`);
  let nodes = 0;
  visit(document, (_key, node, path) => {
    nodes += 1;
    if (nodes > MAX_NODES) throw refused("it has too many entries");
    if (path.filter((above) => isCollection(above)).length > MAX_DEPTH) throw refused("it is nested too deeply");
    if (isAlias(node)) throw refused("it has an alias");
    if (isNode(node) && "anchor" in node && node.anchor !== undefined) throw refused("it has an anchor");
    if (isNode(node) && node.tag !== undefined && !node.tag.startsWith("tag:yaml.org,2002:"))
      throw refused("it has a tag of its own");
  });
  const [warning] = document.warnings;
  if (warning !== undefined) throw refused("it has something that is not of YAML's core");
  const value: unknown = document.toJS({ maxAliasCount: 0 });
  return value;
}

function parsed(text: string): ReturnType<typeof parseDocument> {
  return parseDocument(text, { version: "1.2", schema: "core", strict: true, uniqueKeys: true, logLevel: "error" });
}

/** Texts on one line that were written without quotes where YAML wants them, as others read them: a colon in a description is the commonest mistake of all. */
function withQuotes(text: string): string {
  return text.replaceAll(
    /^(description|compatibility|license):[ \t]+([^\s"'|>[{&*!#%].*)$/gm,
    (_, name: string, value: string) => `${name}: ${JSON.stringify(value.trimEnd())}`,
  );
}

function refused(why: string): SkillError {
  return new SkillError(
    "malformed",
    `its front matter is not used: ${why}`,
    "write plain names, texts and lists there",
  );
}
