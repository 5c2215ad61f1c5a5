import { createHash } from 'node:crypto'

/** The most that Node's hashes take at a time is a byte below 2 GiB. */
const STEP_BYTES = 1024 * 1024 * 1024

/** MD5 of any number of bytes, against accidents on the way: what Azure and Google keep of an object. */
export function md5Of(bytes: Uint8Array): Uint8Array {
  const hash = createHash('md5')
  for (const step of stepsOf(bytes)) hash.update(step)
  return hash.digest()
}

export function* stepsOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += STEP_BYTES) yield bytes.subarray(at, at + STEP_BYTES)
}
