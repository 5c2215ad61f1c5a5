import type { Runtime } from '@moulin/core'

/** Changes that may be sent again: the oldest are forgotten, and sent again under another key. */
const MAX_KEPT = 1024

/**
 * The `Idempotency-Key` of each change: a UUID of version 7 (RFC 9562), as the REST specification wants it, the same for all sends of
 * the change in this process until the server has refused it: what was refused is answered so again by its key, whatever has become
 * right since. Another process that goes on with a change looks for it in the table, and so does this one: a key is a hint.
 */
export class IdempotencyKeys {
  readonly #runtime: Pick<Runtime, 'clock' | 'random'>
  readonly #keys = new Map<string, string>()

  constructor(runtime: Pick<Runtime, 'clock' | 'random'>) {
    this.#runtime = runtime
  }

  /** @param change What is changed and which change it is: one of another thing never has the same key. */
  of(change: string): string {
    const known = this.#keys.get(change)
    if (known !== undefined) return known
    const key = uuid7(this.#runtime)
    this.#keys.set(change, key)
    if (this.#keys.size > MAX_KEPT) this.#keys.delete(this.#keys.keys().next().value!)
    return key
  }

  /** The change was refused: whoever sends it again means another try. */
  forget(change: string): void {
    this.#keys.delete(change)
  }
}

function uuid7({ clock, random }: Pick<Runtime, 'clock' | 'random'>): string {
  const bytes = random.bytes(16)
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16)
  const nowMs = BigInt(Math.max(0, Math.trunc(clock.now())))
  view.setUint32(0, Number(BigInt.asUintN(32, nowMs >> 16n)))
  view.setUint16(4, Number(BigInt.asUintN(16, nowMs)))
  view.setUint8(6, 0x70 | (view.getUint8(6) & 0x0f))
  view.setUint8(8, 0x80 | (view.getUint8(8) & 0x3f))
  const hex = Buffer.from(bytes).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
