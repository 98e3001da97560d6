/** Characters of a call's arguments that a conversation shows; `audit show` has them all. */
const MOST = 200;

/** A tool call as one line of a conversation: `exec {"argv":["uname","-a"]}`. @param args the model's own words, JSON or not. */
export function toolLine(tool: string, args: string): string {
  const text = args.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, " ");
  return `${tool} ${text.length <= MOST ? text : `${text.slice(0, MOST)}…`}`;
}
