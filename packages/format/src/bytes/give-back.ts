import { mayGo } from '../threads/transferables.ts'

/** Less is not worth the call. */
const MIN_BYTES = 4096

/**
 * Gives memory back at once into which nobody looks any more; it must be the caller's alone. The garbage collector hears of typed arrays
 * by their size, and with every 16 MiB of them it walks through all that a thread has, with helpers that take the cores of those who answer
 * (decision 0056). Node's own pool stays: without it Node 22 makes no Buffer any more, not even of what is printed. No size tells it,
 * since an application may set another `Buffer.poolSize` at any time, and the old pool is used up first.
 */
export function giveBack(memory: ArrayBufferLike): void {
  if (memory.byteLength >= MIN_BYTES && mayGo(memory)) (memory as ArrayBuffer).transfer(0)
}

/** {@link giveBack} of all that is not `kept`. */
export function giveBackRest(memory: readonly ArrayBufferLike[], kept: readonly ArrayBufferLike[]): void {
  for (const each of memory) if (!kept.includes(each)) giveBack(each)
}
