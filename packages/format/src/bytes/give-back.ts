/** Less is not worth the call. */
const MIN_BYTES = 4096

/**
 * Gives memory back at once into which nobody looks any more; it must be the caller's alone, and not of a pool. The garbage collector hears
 * of typed arrays by their size, and with every 16 MiB of them it walks through all that a thread has, with helpers that take the cores of
 * those who answer (docs/performance.md).
 */
export function giveBack(memory: ArrayBufferLike): void {
  if (memory.byteLength >= MIN_BYTES) (memory as ArrayBuffer).transfer(0)
}
