/** Finds what a source file imports, without a compiler: comments and the insides of texts are no code. */

export interface Found {
  readonly specifier: string;
  readonly line: number;
}

/** A specifier that is not one plain text cannot be checked, and is reported as this. */
export const COMPUTED = "(computed)";

/** Every `import … from`, `export … from`, `import "…"`, `import("…")`, `require("…")` of a file, types included. */
export function importsOf(source: string): Found[] {
  const { code, texts } = withoutTexts(source);
  const found: Found[] = [];
  const statement = /\b(?:from|import)\s*§(\d+)§/g;
  const call = /(?<![.\w$])(?:import|require)\s*\(\s*(?:§(\d+)§\s*[,)])?/g;
  for (const pattern of [statement, call]) {
    for (const match of code.matchAll(pattern)) {
      const text = match[1] === undefined ? undefined : texts[Number(match[1])];
      found.push({ specifier: text ?? COMPUTED, line: code.slice(0, match.index).split("\n").length });
    }
  }
  return found.toSorted((a, b) => a.line - b.line);
}

/** Replaces each text by `§<its number>§` and each comment by the lines it takes. */
function withoutTexts(source: string): { code: string; texts: string[] } {
  const texts: string[] = [];
  let code = "";
  /** For each open `${`, how many braces are open inside it. */
  const holes: number[] = [];
  let at = 0;

  const template = (): void => {
    let text = "";
    while (at < source.length) {
      const char = source.charAt(at);
      if (char === "\\") at += 2;
      else if (char === "`") {
        at++;
        code += `§${texts.push(text) - 1}§`;
        return;
      } else if (source.startsWith("${", at)) {
        at += 2;
        holes.push(0);
        code += " (";
        return;
      } else {
        text += char;
        if (char === "\n") code += "\n";
        at++;
      }
    }
  };

  while (at < source.length) {
    const char = source.charAt(at);
    const comment = /^(?:\/\/[^\n]*|\/\*[\s\S]*?\*\/)/.exec(
      source.slice(at, at + 2) === "/*" || source.startsWith("//", at) ? source.slice(at) : "",
    );
    if (comment !== null) {
      code += comment[0].replaceAll(/[^\n]/g, "");
      at += comment[0].length;
    } else if (char === '"' || char === "'") {
      const text = /^(["'])((?:\\[\s\S]|(?!\1)[^\\\n])*)\1/.exec(source.slice(at));
      code += `§${texts.push(text?.[2] ?? "") - 1}§`;
      at += text?.[0].length ?? 1;
    } else if (char === "`") {
      at++;
      template();
    } else if (
      char === "/" &&
      /(?:^|[=(,:;!&|?{}[+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|void|await|throw))\s*$/.test(code.slice(-40))
    ) {
      const regex = /^\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/.exec(source.slice(at));
      code += regex === null ? char : " 0 ";
      at += regex?.[0].length ?? 1;
    } else {
      const open = holes.length - 1;
      const depth = holes[open];
      if (depth !== undefined && char === "{") holes[open] = depth + 1;
      if (depth !== undefined && char === "}") {
        if (depth === 0) {
          holes.pop();
          code += ") ";
          at++;
          template();
          continue;
        }
        holes[open] = depth - 1;
      }
      code += char;
      at++;
    }
  }
  return { code, texts };
}
