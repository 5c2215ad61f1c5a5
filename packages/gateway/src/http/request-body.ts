import type { IncomingMessage } from 'node:http'
import { aborted, exhausted, joinBytes, unavailable, unsupported } from '@moulin/core'

/** Bytes of which there are so many for all requests together. */
export class ByteBudget {
  readonly #max: number
  #taken = 0

  constructor(max: number) {
    this.#max = max
  }

  get taken(): number {
    return this.#taken
  }

  /** @throws `unavailable` code `CATALOG_BUSY`. */
  take(bytes: number): void {
    if (this.#taken + bytes > this.#max) {
      const message = `The requests that are being received take more than maxBufferedBytes (${this.#max} bytes); send it again later.`
      throw unavailable('CATALOG_BUSY', message, { context: { limit: this.#max } })
    }
    this.#taken += bytes
  }

  give(bytes: number): void {
    this.#taken -= bytes
  }
}

export interface BodyLimits {
  readonly maxBodyBytes: number
  readonly budget: ByteBudget
  /** Told of all that was taken from the budget, also where the body is refused. */
  took(bytes: number): void
}

/**
 * The whole body of a request. What was taken from the budget is given back by whoever asked.
 * @throws `exhausted` code `BODY_TOO_LARGE`, before anything is read where the length is told; `unavailable` code `CATALOG_BUSY`;
 * `unsupported` for a compressed body; `aborted` when the client goes.
 */
export async function requestBody(incoming: IncomingMessage, limits: BodyLimits): Promise<Uint8Array> {
  const { maxBodyBytes, budget, took } = limits
  const encoding = incoming.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') throw unsupported('BODY_ENCODING', 'A request must not be compressed.')
  if (Number(incoming.headers['content-length'] ?? 0) > maxBodyBytes) throw tooLarge(maxBodyBytes)
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    // Broken off, the stream stays open: its answer is still to come.
    for await (const chunk of incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > maxBodyBytes) throw tooLarge(maxBodyBytes)
      budget.take(chunk.length)
      took(chunk.length)
      chunks.push(chunk)
    }
  } catch (error) {
    if ((error as { readonly code?: unknown }).code !== 'ECONNRESET') throw error
    throw aborted('CLIENT_GONE', 'The client ended the connection before its request was whole.', { cause: error })
  }
  return joinBytes(chunks)
}

function tooLarge(limit: number): Error {
  const message = `The body is larger than maxBodyBytes (${limit} bytes).`
  return exhausted('BODY_TOO_LARGE', message, { context: { limit } })
}
