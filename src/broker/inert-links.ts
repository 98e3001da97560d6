/** Markdown's own links and pictures: what is shown of them need not be where they lead. */
const MARKED = /!?\[([^\]\n]{0,1000})\]\(\s*<?([^\s()<>]{1,4000})>?(?:\s+"[^"\n]{0,200}")?\s*\)/g;
/** An address with its scheme, to the end of what a platform would take for it. */
const SCHEMED = /([a-z][a-z0-9+.-]{1,20}):\/\/([^\s<>"`|\\]{1,4000})/gi;
/** A name that platforms make a link of by themselves: with a path behind it, with `www.` before it, or below one of the common domains. */
const BARE =
  /(?<![\w@./:[\]-])((?:[a-z0-9-]{1,63}\.){1,8})(com|net|org|io|dev|app|co|info|biz|xyz|site|online|top|me|example|[a-z]{2,24}(?=[/?#]))(?=[\s/?#:,;.!)'"\]]|$)/gi;

/** A text in which no platform finds a link, but those that may stand: an address is shown, with its host, and leads nowhere.
 *  @param mayStand is asked of each address as it stands there. */
export function inertLinks(text: string, mayStand: (address: string) => boolean): string {
  const unmarked = text.replace(MARKED, (whole, label: string, address: string) => {
    if (mayStand(address)) return whole;
    return label === "" || label === address ? address : `${label} (${address})`;
  });
  let sent = "";
  let at = 0;
  for (const found of unmarked.matchAll(SCHEMED)) {
    const [whole, scheme = "", rest = ""] = found;
    const [address, after] = ended(whole);
    sent += bareInert(unmarked.slice(at, found.index), mayStand);
    sent += mayStand(address) ? address + after : bareInert(schemeInert(scheme, rest), mayStand);
    at = found.index + whole.length;
  }
  return sent + bareInert(unmarked.slice(at), mayStand);
}

function schemeInert(scheme: string, rest: string): string {
  const [host = "", ...path] = splitHost(rest);
  const shown = `${host.replaceAll(".", "[.]")}${path.join("")}`;
  return /^https?$/i.test(scheme) ? `${scheme.replace(/^http/i, "hxxp")}://${shown}` : `${scheme}[:]//${shown}`;
}

function bareInert(text: string, mayStand: (address: string) => boolean): string {
  return text.replace(BARE, (whole, names: string, last: string) =>
    mayStand(whole) ? whole : `${names.slice(0, -1).replaceAll(".", "[.]")}[.]${last}`,
  );
}

/** What ends a sentence ends no address. */
function ended(address: string): [string, string] {
  const cut = address.replace(/[.,:;!?'")\]}]+$/, "");
  return [cut, address.slice(cut.length)];
}

function splitHost(rest: string): string[] {
  const at = rest.search(/[/?#]/);
  return at === -1 ? [rest] : [rest.slice(0, at), rest.slice(at)];
}
