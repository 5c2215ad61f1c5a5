import { createHash } from 'node:crypto'
import { invalid } from '@moulin/core'
import type { Clock } from '@moulin/core'
import type { Answer } from './answer.ts'
import type { GatewayLimits } from './gateway-limits.ts'

/** A request that is to be carried out once, however often it is sent. */
export interface KeyedRequest {
  /** Of the header. */
  readonly key: string
  /** Of whom, and to what: another caller's key, or one for another call, is another key. */
  readonly scope: string
  readonly body: Uint8Array
}

interface Kept {
  readonly digest: string
  readonly sinceMs: number
  readonly answer: Promise<Answer>
  bytes: number
  isSettled: boolean
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * Answers that were given, by the keys of their requests. What may change by itself is not kept: no 5xx, nothing that says "later" or
 * "who are you". Two sends at the same time are one.
 *
 * Spec: Iceberg REST catalog, `Idempotency-Key`.
 */
export class KeptAnswers {
  readonly #clock: Clock
  readonly #limits: Pick<GatewayLimits, 'keyLifetimeMs' | 'maxKeys' | 'maxKeyBytes'>
  /** The oldest first. */
  readonly #kept = new Map<string, Kept>()
  #bytes = 0

  constructor(clock: Clock, limits: Pick<GatewayLimits, 'keyLifetimeMs' | 'maxKeys' | 'maxKeyBytes'>) {
    this.#clock = clock
    this.#limits = limits
  }

  get size(): number {
    return this.#kept.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * The answer that was given to this very request, or is being made, else that of `work`.
   * @throws `invalid` for a key that is no UUID, or one that came with another body; what `work` throws.
   */
  async once(request: KeyedRequest, work: () => Promise<Answer>): Promise<Answer> {
    const { key, scope, body } = request
    if (!uuid.test(key)) {
      throw invalid('IDEMPOTENCY_KEY', 'The header Idempotency-Key must be a UUID.', {
        context: { header: 'Idempotency-Key' },
      })
    }
    this.#dropOld()
    const name = `${key.toLowerCase()} ${scope}`
    const digest = createHash('sha256').update(body).digest('base64')
    const known = this.#kept.get(name)
    if (known !== undefined) {
      if (known.digest === digest) return known.answer
      const message = 'The header Idempotency-Key has the key of another request: make a new one for each.'
      throw invalid('IDEMPOTENCY_KEY_REUSED', message)
    }
    const kept: Kept = {
      digest,
      sinceMs: this.#clock.monotonic(),
      answer: work(),
      bytes: name.length,
      isSettled: false,
    }
    this.#kept.set(name, kept)
    this.#bytes += kept.bytes
    try {
      const answer = await kept.answer
      if (isFinal(answer)) this.#settle(name, kept, answer)
      else this.#drop(name, kept)
      return answer
    } catch (error) {
      this.#drop(name, kept)
      throw error
    }
  }

  #settle(name: string, kept: Kept, { body }: Answer): void {
    if (this.#kept.get(name) !== kept) return
    const bytes = body?.length ?? 0
    kept.isSettled = true
    kept.bytes += bytes
    this.#bytes += bytes
    this.#dropOld()
  }

  #drop(name: string, kept: Kept): void {
    if (this.#kept.get(name) !== kept) return
    this.#kept.delete(name)
    this.#bytes -= kept.bytes
  }

  #dropOld(): void {
    const { keyLifetimeMs, maxKeys, maxKeyBytes } = this.#limits
    const untilMs = this.#clock.monotonic() - keyLifetimeMs
    for (const [name, kept] of this.#kept) {
      if (kept.sinceMs > untilMs && this.#kept.size <= maxKeys && this.#bytes <= maxKeyBytes) return
      // What is under way must not begin a second time; there are no more of these than requests.
      if (kept.isSettled) this.#drop(name, kept)
    }
  }
}

const passing: ReadonlySet<number> = new Set([401, 403, 408, 413, 419, 429])

function isFinal({ status }: Answer): boolean {
  return status < 500 && !passing.has(status)
}
