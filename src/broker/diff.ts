/** Lines around a change. */
const CONTEXT = 3;
/** Changed lines that are looked for a shortest difference; above that the file is shown as replaced. */
const MAX_DISTANCE = 1000;

interface Step {
  readonly sign: " " | "-" | "+";
  readonly line: string;
}

/** The difference of two texts in unified form, without file names; empty if there is none. Each line keeps its own line break, so a missing last
 *  one shows. @see https://www.gnu.org/software/diffutils/manual/html_node/Detailed-Unified.html */
export function unifiedDiff(before: string, after: string): string {
  if (before === after) return "";
  const steps = stepsBetween(linesOf(before), linesOf(after));
  const out: string[] = [];
  for (const [from, to] of hunks(steps)) {
    const ahead = steps.slice(0, from);
    const inside = steps.slice(from, to);
    const oldStart = ahead.filter(({ sign }) => sign !== "+").length;
    const newStart = ahead.filter(({ sign }) => sign !== "-").length;
    const oldCount = inside.filter(({ sign }) => sign !== "+").length;
    const newCount = inside.filter(({ sign }) => sign !== "-").length;
    out.push(`@@ -${range(oldStart, oldCount)} +${range(newStart, newCount)} @@\n`);
    for (const { sign, line } of inside) {
      out.push(line.endsWith("\n") ? `${sign}${line}` : `${sign}${line}\n\\ No newline at end of file\n`);
    }
  }
  return out.join("");
}

function range(start: number, count: number): string {
  return `${count === 0 ? start : start + 1},${count}`;
}

function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Myers' greedy shortest edit script, after what is equal at both ends was set apart.
 *  @see http://www.xmailserver.org/diff2.pdf */
function stepsBetween(before: readonly string[], after: readonly string[]): Step[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  while (
    tail < before.length - head &&
    tail < after.length - head &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  ) {
    tail += 1;
  }
  return [
    ...before.slice(0, head).map(keep),
    ...shortest(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...before.slice(before.length - tail).map(keep),
  ];
}

function keep(line: string): Step {
  return { sign: " ", line };
}

function at(map: ReadonlyMap<number, number>, k: number): number {
  return map.get(k) ?? -1;
}

function shortest(a: readonly string[], b: readonly string[]): Step[] {
  const replaced = (): Step[] => [
    ...a.map((line): Step => ({ sign: "-", line })),
    ...b.map((line): Step => ({ sign: "+", line })),
  ];
  if (a.length === 0 || b.length === 0) return replaced();
  const trace: Map<number, number>[] = [];
  const furthest = new Map<number, number>([[1, 0]]);
  for (let distance = 0; distance <= Math.min(a.length + b.length, MAX_DISTANCE); distance += 1) {
    trace.push(new Map(furthest));
    for (let k = -distance; k <= distance; k += 2) {
      const down = k === -distance || (k !== distance && at(furthest, k - 1) < at(furthest, k + 1));
      let x = down ? at(furthest, k + 1) : at(furthest, k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      furthest.set(k, x);
      if (x >= a.length && x - k >= b.length) return backtrack(a, b, trace);
    }
  }
  return replaced();
}

function backtrack(a: readonly string[], b: readonly string[], trace: readonly Map<number, number>[]): Step[] {
  const steps: Step[] = [];
  let x = a.length;
  let y = b.length;
  for (let distance = trace.length - 1; distance >= 0; distance -= 1) {
    const furthest = trace[distance] ?? new Map<number, number>();
    const k = x - y;
    const down = k === -distance || (k !== distance && at(furthest, k - 1) < at(furthest, k + 1));
    const previousK = down ? k + 1 : k - 1;
    const previousX = distance === 0 ? 0 : at(furthest, previousK);
    const previousY = distance === 0 ? 0 : previousX - previousK;
    while (x > previousX && y > previousY) {
      x -= 1;
      y -= 1;
      steps.push({ sign: " ", line: a[x] ?? "" });
    }
    if (distance === 0) break;
    if (down) {
      y -= 1;
      steps.push({ sign: "+", line: b[y] ?? "" });
    } else {
      x -= 1;
      steps.push({ sign: "-", line: a[x] ?? "" });
    }
  }
  return steps.toReversed();
}

/** Ranges of steps that are shown: each change with its context; those that touch are one. */
function hunks(steps: readonly Step[]): (readonly [from: number, to: number])[] {
  const found: [number, number][] = [];
  for (const [index, { sign }] of steps.entries()) {
    if (sign === " ") continue;
    const from = Math.max(0, index - CONTEXT);
    const to = Math.min(steps.length, index + 1 + CONTEXT);
    const last = found.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = to;
    else found.push([from, to]);
  }
  return found;
}
