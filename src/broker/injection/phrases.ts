import type { Place, Steps } from "./finding.ts";
import type { Word } from "./reading.ts";

/** Words that come one after another, with others between them. */
interface Phrase {
  readonly class: "override" | "credentials" | "exfiltration";
  /** Each a set of words; between two of them stand at most `gap` others. */
  readonly words: readonly ReadonlySet<string>[];
  readonly gap: number;
  /** Said of something that is not to be done, it is no request. */
  readonly unlessNegated: boolean;
}

/** `ignore|disregard … previous|prior … instructions`: stages are divided by blanks, words by bars. */
function phrase(kind: Phrase["class"], gap: number, stages: string, unlessNegated = false): Phrase {
  return { class: kind, gap, unlessNegated, words: stages.split(" ").map((stage) => new Set(stage.split("|"))) };
}

const DROP =
  "ignore|disregard|forget|override|bypass|neglect|discard|overlook|ignoriere|ignorier|vergiss|missachte|ignora|olvida|ignorez|ignore|oubliez|oublie|ignori|dimentica|ignorar";
const BEFORE =
  "previous|prior|above|earlier|preceding|foregoing|all|any|system|original|former|your|vorherigen|bisherigen|vorigen|obigen|alle|anteriores|previas|todas|precedentes|precedents|toutes|precedenti";
const RULES =
  "instruction|instructions|prompt|prompts|directive|directives|rules|guidelines|guardrails|programming|training|restrictions|anweisungen|anweisung|regeln|instrucciones|indicaciones|reglas|consignes|regles|istruzioni|instrucoes";
const SECRET_VERBS =
  "send|give|paste|enter|provide|reveal|share|print|show|type|post|upload|email|mail|tell|reply|respond|submit|disclose|dump|output|leak|forward|include|append|exfiltrate|cat|read|confirm|sende|schicke|nenne|envia|dime|envoie|donne";
const SECRETS =
  "password|passwords|passphrase|passcode|credential|credentials|apikey|apikeys|token|tokens|otp|cookie|cookies|keyfile|idrsa|pin|seedphrase|passwort|kennwort|contrasena|motdepasse";

const PHRASES: readonly Phrase[] = [
  phrase("override", 3, `${DROP} ${BEFORE} ${RULES}`, true),
  phrase(
    "override",
    2,
    `${DROP} everything|all|anything|what|whatever|alles|todo|tout above|before|earlier|previously|said|told|oben|bisher|anterior|dessus`,
  ),
  phrase(
    "override",
    1,
    "your|the new|real|actual|true|updated|only task|instructions|instruction|objective|goal|mission|directive is|are|follow|begin|supersede",
  ),
  phrase(
    "override",
    1,
    "these|following|this instructions|instruction|rules|directives|message override|overrides|supersede|supersedes|replace|replaces",
  ),
  phrase("override", 0, "you are now dan|an|a|in|free|no|unrestricted|jailbroken|the|operating|root|admin"),
  phrase("override", 1, "from now on|onwards you|your|respond|answer|act|always|only"),
  phrase(
    "override",
    2,
    "dont|not|never|without tell|inform|mention|telling|informing|mentioning|alert|alerting|notify|notifying|reveal|show user|human|owner|operator|person|anyone|anybody|him|her|them",
  ),
  phrase(
    "override",
    3,
    "reveal|print|repeat|output|show|leak|display|recite|give|tell|verrate|zeige|muestra|affiche system|initial|hidden|original|developer prompt|instructions|message|prompts",
  ),
  phrase("override", 1, "developer|dev|god|jailbreak|sudo|unrestricted|dan mode is|enabled|activated|engaged"),
  phrase(
    "override",
    2,
    "pretend|imagine|act|behave|respond as|you|that|like no|without|free restrictions|rules|limits|filters|guidelines|limitations|filter",
  ),
  phrase(
    "override",
    2,
    "ai|assistant|agent|llm|model|chatbot|copilot|bot reading|processing|summarizing|summarising|parsing|reviewing|handling must|should|shall|please|need",
  ),
  phrase(
    "override",
    3,
    "important|attention|urgent|note|notice|instructions|message|hinweis to|for|an all|any|the|ai|assistant|llm|agents|alle ai|assistant|assistants|agents|agent|llm|llms|models|bots|ki",
  ),
  phrase(
    "override",
    3,
    "owner|user|admin|administrator|operator already|has|have|pre approved|authorised|authorized|preapproved|consented|agreed|granted no|without|need|skip|do|dont|to|all|every",
  ),
  phrase(
    "override",
    3,
    "dont|not|never|without|skip ask|asking|request|requesting|wait|waiting|seek for|user|the|any approval|confirmation|permission|consent",
  ),
  // Chinese and Japanese, character by character: “ignore … instructions”, “forget everything before”.
  phrase("override", 6, "忽|无|無 略|视|視 指|提|命|规|規 令|示|则|則"),
  phrase("override", 6, "忘 记|記|れ 之|以|前|こ 前|の|れ"),
  phrase(
    "credentials",
    4,
    `${SECRET_VERBS} your|the|my|their|our|any|all|its|her|his|this|these|dein|ihr|tu|su|votre ${SECRETS}`,
    true,
  ),
  phrase(
    "credentials",
    3,
    `${SECRET_VERBS} your|the|my|their|our|any|all|users|an api|private|secret|ssh|access|recovery|seed|signing|encryption|master|aws|session key|keys|phrase|secret|token`,
    true,
  ),
  phrase(
    "credentials",
    4,
    "contents|content|output|value|values|inhalt|read|cat|print|send|upload|copy of|the|all|from|ssh|your env|idrsa|id|netrc|npmrc|shadow|kubeconfig|aws|ssh rsa|file|variables|variable|credentials|key|folder|config|directory",
    true,
  ),
  phrase(
    "exfiltration",
    4,
    "append|add|attach|encode|include|embed|put|insert|concatenate|replace conversation|history|secret|contents|content|answer|data|messages|context|key|text|file to|in|into|as|at|onto url|link|query|querystring|parameter|address|image|src|domain|subdomain|hostname|path",
  ),
  phrase(
    "exfiltration",
    4,
    "send|post|upload|forward|transmit|exfiltrate|curl|email all|the|this|everything|conversation|entire|its|contents|any conversation|history|contents|files|file|messages|context|transcript|data|inbox|memory|chat to http|https|www|attacker|webhook|server|following|this|endpoint",
  ),
];

const NEGATIONS: ReadonlySet<string> = new Set(
  "not|never|dont|wont|cannot|cant|shouldnt|nobody|nie|niemals|nunca|jamais|doesnt|without|didnt".split("|"),
);
/** Words before a phrase, of the same sentence, in which a negation is looked for. */
const NEGATION_WORDS = 4;

/** Which stages of which phrases a word is of; of one phrase the last stage first, so that a word is never two stages at once. */
const STAGES: ReadonlyMap<string, readonly (readonly [which: number, stage: number])[]> = Map.groupBy(
  PHRASES.flatMap(({ words }, which) =>
    words.flatMap((set, stage) => [...set].map((word) => ({ word, at: [which, stage] as const }))).toReversed(),
  ),
  ({ word }) => word,
)
  .entries()
  .reduce(
    (map, [word, all]) =>
      map.set(
        word,
        all.map(({ at }) => at),
      ),
    new Map<string, (readonly [number, number])[]>(),
  );

const IN_ONE_SENTENCE: readonly number[] = PHRASES.flatMap((one, which) =>
  one.class === "credentials" ? [which] : [],
);

/** How far a phrase has come. */
interface Progress {
  /** For each stage the newest word that reached it. */
  readonly reached: number[];
  /** The word that its phrase began with. */
  readonly began: number[];
  readonly denied: boolean[];
}

/** Finds phrases. Each word is looked at once for each stage that it can be: what is remembered is where a stage was last reached. */
export function phrasesIn(words: readonly Word[], steps: Steps): Place[] {
  const places: Place[] = [];
  const progress = PHRASES.map(
    ({ words: stages }): Progress => ({
      reached: stages.map(() => -1),
      began: stages.map(() => -1),
      denied: stages.map(() => false),
    }),
  );
  let negated = -NEGATION_WORDS - 1;
  for (const [at, word] of words.entries()) {
    if (word.begins) {
      negated = -NEGATION_WORDS - 1;
      // A credential is asked for in one sentence; orders are known to be cut into several.
      for (const which of IN_ONE_SENTENCE) progress[which]?.reached.fill(-1);
      steps.count += IN_ONE_SENTENCE.length;
    }
    for (const [which, stage] of STAGES.get(word.text) ?? []) {
      steps.count += 1;
      const one = PHRASES[which];
      const { reached, began, denied } = progress[which] ?? { reached: [], began: [], denied: [] };
      if (one === undefined) continue;
      if (stage === 0) {
        reached[0] = at;
        began[0] = at;
        denied[0] = one.unlessNegated && at - negated <= NEGATION_WORDS;
        continue;
      }
      const before = reached[stage - 1] ?? -1;
      if (before < 0 || at - before - 1 > one.gap) continue;
      reached[stage] = at;
      began[stage] = began[stage - 1] ?? before;
      denied[stage] = denied[stage - 1] ?? false;
      if (stage !== one.words.length - 1 || denied[stage]) continue;
      const first = words[began[stage] ?? 0];
      if (first !== undefined) places.push({ class: one.class, from: first.from, to: word.to });
      reached.fill(-1);
    }
    if (NEGATIONS.has(word.text)) negated = at;
  }
  return places;
}
