/** Runs a filter as the kernel would: classic BPF, as far as the filters use it. The kernel of the machine at hand runs only its own half.
 *  @returns what the filter answers to a system call. */
export function runFilter(
  program: Uint8Array<ArrayBuffer>,
  architecture: number,
  number: number,
  words: readonly number[],
): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, true);
  data.setUint32(4, architecture, true);
  for (const [index, word] of words.entries()) data.setBigUint64(16 + index * 8, BigInt(word), true);
  const view = new DataView(program.buffer);
  let accumulator = 0;
  for (let at = 0; ; at++) {
    const [code, k] = [view.getUint16(at * 8, true), view.getUint32(at * 8 + 4, true)];
    const jump = (condition: boolean): void => {
      at += view.getUint8(at * 8 + (condition ? 2 : 3));
    };
    if (code === 0x20) accumulator = data.getUint32(k, true);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x35) jump(accumulator >= k);
    else if (code === 0x45) jump((accumulator & k) !== 0);
    else if (code === 0x06) return k;
    else throw new Error(`an instruction ${code}`);
  }
}
