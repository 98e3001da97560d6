/** Resolves when `done` does, in whatever way, or after `ms`. */
export async function within(ms: number, done: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([promise, done.catch(() => undefined)]);
  clearTimeout(timer);
}
