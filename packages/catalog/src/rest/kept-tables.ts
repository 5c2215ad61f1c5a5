import type { LoadedTable } from '@moulin/core'
import { expiresAtMs } from './vended.ts'

interface Kept {
  readonly etag: string
  readonly loaded: LoadedTable
  readonly bytes: number
  /** From when on its credentials are not worth giving any more. */
  readonly untilMs: number
}

/** Of credentials that do not say when they run out. */
const UNTOLD_MS = 300_000
/** As far ahead as the stores fetch others. */
const AHEAD_MS = 300_000

/**
 * Tables as their server gave them last, so that it need not give them again while its ETag is the same. Nothing comes here but the
 * answer to a load: of what a commit is answered with, nobody knows whether it is so.
 */
export class KeptTables {
  readonly #maxBytes: number
  /** The ones used last are at the end. */
  readonly #tables = new Map<string, Kept>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Undefined: none, or one whose credentials are about to run out. */
  get(key: string, nowMs: number): Kept | undefined {
    const kept = this.#tables.get(key)
    if (kept === undefined || kept.untilMs <= nowMs) return undefined
    this.#tables.delete(key)
    this.#tables.set(key, kept)
    return kept
  }

  keep(key: string, etag: string, loaded: LoadedTable, bytes: number, nowMs: number): void {
    this.drop(key)
    if (bytes > this.#maxBytes) return
    this.#tables.set(key, { etag, loaded, bytes, untilMs: untilMs(loaded, nowMs) })
    this.#bytes += bytes
    for (const [oldest] of this.#tables) {
      if (this.#bytes <= this.#maxBytes) return
      this.drop(oldest)
    }
  }

  drop(key: string): void {
    const kept = this.#tables.get(key)
    if (kept === undefined) return
    this.#tables.delete(key)
    this.#bytes -= kept.bytes
  }
}

function untilMs({ config = {}, credentials = [] }: LoadedTable, nowMs: number): number {
  if (Object.keys(config).length === 0 && credentials.length === 0) return Infinity
  const told = [config, ...credentials.map((each) => each.config)].flatMap(expiresAtMs)
  return told.length === 0 ? nowMs + UNTOLD_MS : Math.min(...told) - AHEAD_MS
}
