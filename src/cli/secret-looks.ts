/** What a setting is called whose value is a secret. */
const NAMED =
  /token|secret|passw(?:or)?d|passphrase|credential|api[_-]?key|access[_-]?key|private[_-]?key|(?:^|[_-])(?:key|pat|auth|dsn)$|authorization|connection[_-]?string|database[_-]?url/i;
/** How services begin what they give out, and how a header hands it over. */
const BEGINS =
  /^(?:sk-|sk_|rk_live_|gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|xapp-|AKIA|ASIA|AIza|ya29\.|eyJ[A-Za-z0-9_-]{10}|npm_|pypi-|hf_|lin_api_|ntn_|secret_|shpat_|dop_v1_|SG\.)|\b(?:Bearer|Basic) \S/;
/** A user and a password in an address. */
const IN_ADDRESS = /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:[^/\s@]+@/i;
/** Shorter than that nobody gives out a key that is made of chance. */
const CHANCE = 24;
/** Bits for each character: words and paths have fewer, keys have more. */
const BITS = 3.6;

/** May this value be a secret, by what it is called or by what it looks like? Better one too many: in the vault it does no harm.
 *  @param name of the variable, header or option; empty: it has none. */
export function looksSecret(name: string, value: string): boolean {
  if (value === "") return false;
  return NAMED.test(name) || BEGINS.test(value) || IN_ADDRESS.test(value) || isChance(value);
}

/** Does it stand for a value that somebody is to put there? */
export function isPlaceholder(value: string): boolean {
  return /^(?:<.*>|\[.*\]|\$\{.*\}|\{\{.*\}\}|\.\.\.|x{3,}|changeme|your[-_ ].*)$/i.test(value.trim());
}

function isChance(value: string): boolean {
  if (value.length < CHANCE || !/^[A-Za-z0-9_+=-]+$/.test(value)) return false;
  if (!/\d/.test(value) || !/[A-Za-z]/.test(value)) return false;
  const counts = new Map<string, number>();
  for (const character of value) counts.set(character, (counts.get(character) ?? 0) + 1);
  const bits = [...counts.values()].reduce((sum, n) => sum - (n / value.length) * Math.log2(n / value.length), 0);
  return bits >= BITS;
}
