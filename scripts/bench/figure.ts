/** One measured figure beside its budget. */
export interface Figure {
  readonly what: string;
  readonly measured: string;
  /** As architecture §9 writes it; null where there is none. */
  readonly budget: string | null;
  /** Null where there is no budget. */
  readonly met: boolean | null;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new RangeError("there is no median of nothing");
  return middle;
}

/** The median of several runs, and between which values half of them lie. */
export function spread(values: readonly number[], unit: (value: number) => string): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN;
  if (sorted.length === 1) return unit(median(sorted));
  return `${unit(median(sorted))} (${unit(at(0.25))} to ${unit(at(0.75))}, ${sorted.length} runs)`;
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => unknown): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

export function ms(value: number): string {
  return `${Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
}

export function ratio(value: number): string {
  return `${value.toFixed(2)} ×`;
}
