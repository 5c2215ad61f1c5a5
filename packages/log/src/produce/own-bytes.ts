import { staysHere } from '@moulin/format'

/** Of so much memory small copies are cut, one behind the other. */
const SLAB_BYTES = 64 * 1024
/** What is larger is copied into memory of its own. */
const MAX_SMALL_BYTES = 8 * 1024

let slab = new Uint8Array(0)
let used = 0

/**
 * A copy, of which nobody but the caller knows. Memory of its own for each small one would take several times what the copying takes. No
 * place is used twice: a slab goes when all that was cut from it has gone, so a copy may keep up to {@link SLAB_BYTES} from going.
 */
export function ownBytes(bytes: Uint8Array, length: number): Uint8Array {
  if (length > MAX_SMALL_BYTES) return new Uint8Array(bytes)
  if (used + length > slab.length) {
    // Not zeroed: each byte is written before anybody sees it.
    slab = new Uint8Array(Buffer.allocUnsafeSlow(SLAB_BYTES).buffer)
    staysHere(slab.buffer)
    used = 0
  }
  const own = new Uint8Array(slab.buffer, used, length)
  own.set(bytes)
  used += length
  return own
}
