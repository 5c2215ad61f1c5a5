import type { ByteRange, CallOptions, GetRangesOptions, ObjectInfo, ObjectStore, StoredRanges } from '@moulin/core'
import { isKind, resolveRange, SharedWork } from '@moulin/core'
import type { BlockIndex, CachedObject, Fetched } from './block-index.ts'
import { isSameVersion } from './block-index.ts'
import { withSignal } from './layer.ts'

/** What a read may be: ranges, or the whole object. */
export type Wanted = readonly ByteRange[] | 'whole'

export interface ReadCounts {
  reads: number
  hits: number
  hitBytes: number
  fetchedBytes: number
  joined: number
}

/** The object is read otherwise: `again` from the start, or by the store itself. */
type Detour = 'again' | 'pass'

interface Span {
  readonly start: number
  readonly end: number
}

interface Need {
  readonly flight: SharedWork<Fetched>
  /** Begun by this very read, so that it tells what is there now. */
  readonly isOwn: boolean
}

/** An object that is overwritten again and again while it is read is the store's to read. */
const MAX_ATTEMPTS = 4

/** Reads in blocks: those that are held, those that are under way for others, and the rest by one request. */
export class CachedReads {
  readonly counts: ReadCounts = { reads: 0, hits: 0, hitBytes: 0, fetchedBytes: 0, joined: 0 }
  readonly #store: ObjectStore
  readonly #index: BlockIndex
  readonly #blockBytes: number
  readonly #maxReadBytes: number
  readonly #isImmutable: (key: string) => boolean

  constructor(options: {
    readonly store: ObjectStore
    readonly index: BlockIndex
    readonly blockBytes: number
    readonly maxReadBytes: number
    readonly isImmutable: (key: string) => boolean
  }) {
    this.#store = options.store
    this.#index = options.index
    this.#blockBytes = options.blockBytes
    this.#maxReadBytes = options.maxReadBytes
    this.#isImmutable = options.isImmutable
  }

  /** Undefined: the store is to be asked as if there were no cache. */
  async read(key: string, wanted: Wanted, options: GetRangesOptions): Promise<StoredRanges | undefined> {
    this.counts.reads++
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const found = await this.#index.reading(key, (object) => this.#attempt(key, wanted, options, object))
      if (found === 'pass') break
      if (found !== 'again') return found
    }
    return undefined
  }

  async #attempt(
    key: string,
    wanted: Wanted,
    options: GetRangesOptions,
    object: CachedObject,
  ): Promise<StoredRanges | Detour> {
    const known = object.info
    const blocks = this.#blocksOf(key, wanted, known?.size)
    if (blocks === 'pass') return 'pass'
    const found = new Map<number, Uint8Array>()
    for (const block of blocks ?? []) {
      const bytes = await this.#index.read(object, block)
      if (bytes !== undefined) found.set(block, bytes)
    }
    // Of what was let go of meanwhile nobody knows which version it is.
    if (object.info !== known || object.isDropped) return 'again'

    const missing = blocks?.filter((block) => !found.has(block))
    const needs =
      missing === undefined ? [this.#whole(key, wanted, object)] : this.#needs(key, missing, object, options)
    const fetched = await this.#landed(needs, options.signal)
    if (typeof fetched === 'string') return fetched
    const infos = fetched.map(({ info }) => info)
    const own = needs.findIndex(({ isOwn }) => isOwn)
    let info = infos[own] ?? infos[0] ?? known
    if (info === undefined) return 'pass'
    const version = info
    if (!infos.every((one) => isSameVersion(one, version)) || (found.size > 0 && !isSameVersion(known!, version)))
      return 'again'
    if (own < 0) {
      const present = await this.#present(key, version, object, options)
      if (typeof present === 'string') return present
      info = present
    }
    const hitBytes = [...found.values()].reduce((sum, { length }) => sum + length, 0)
    for (const { blocks } of fetched) for (const [block, bytes] of blocks) found.set(block, bytes)
    const parts = this.#cut(key, wanted, info, found)
    if (typeof parts === 'string') return parts
    this.counts.hitBytes += hitBytes
    if (needs.length === 0) this.counts.hits++
    return { ...info, parts }
  }

  /**
   * The blocks that the ranges lie in, as far as they are known; undefined where only the store knows, since nobody has told how long the
   * object is. `pass`: not for this cache.
   */
  #blocksOf(key: string, wanted: Wanted, size: number | undefined): readonly number[] | 'pass' | undefined {
    const spans: Span[] = []
    let isOpen = false
    let bytes = 0
    try {
      for (const range of wanted === 'whole' ? [undefined] : wanted) {
        const isBounded = range !== undefined && 'start' in range && range.end !== undefined
        if (size === undefined && !isBounded) {
          isOpen = true
          if (range !== undefined && 'suffix' in range) bytes += range.suffix
          continue
        }
        const span = resolveRange(range, size ?? Number.MAX_SAFE_INTEGER, key)
        spans.push(span)
        bytes += span.end - span.start
      }
    } catch (error) {
      if (isKind(error, 'invalid', 'RANGE')) return 'pass'
      throw error
    }
    if (bytes > this.#maxReadBytes) return 'pass'
    const blocks = [...new Set(spans.flatMap((span) => this.#blocksIn(span)))].sort((a, b) => a - b)
    // Small ranges that lie far apart take a whole block each.
    if (blocks.reduce((sum, block) => sum + this.#lengthOf(block, size), 0) > this.#maxReadBytes) return 'pass'
    return isOpen ? undefined : blocks
  }

  #lengthOf(block: number, size = Infinity): number {
    return Math.min(this.#blockBytes, size - block * this.#blockBytes)
  }

  #blocksIn({ start, end }: Span): number[] {
    const first = Math.floor(start / this.#blockBytes)
    return Array.from({ length: Math.ceil(end / this.#blockBytes) - first }, (_, i) => first + i)
  }

  /** Who fetches the blocks: others, and for the rest one request. */
  #needs(key: string, missing: readonly number[], object: CachedObject, options: GetRangesOptions): Need[] {
    const joined = new Set<SharedWork<Fetched>>()
    const rest: number[] = []
    for (const block of missing) {
      const flight = object.flights.get(String(block))
      if (flight === undefined || flight.isAbandoned) rest.push(block)
      else joined.add(flight)
    }
    this.counts.joined += joined.size
    const needs: Need[] = [...joined].map((flight) => ({ flight, isOwn: false }))
    if (rest.length === 0) return needs
    const size = object.info?.size
    const ranges = runsOf(rest).map(([first, last]) => {
      const end = (last + 1) * this.#blockBytes
      return { start: first * this.#blockBytes, end: size === undefined ? end : Math.min(end, size) }
    })
    const gap = options.maxGapBytes === undefined ? {} : { maxGapBytes: options.maxGapBytes }
    const flight = this.#begin(object, rest.map(String), async (signal) => {
      const { parts, ...info } = await this.#store.getRanges(key, ranges, { ...gap, signal })
      return this.#fetched(
        info,
        parts.map((bytes, i) => ({ start: ranges[i]!.start, bytes })),
      )
    })
    return [...needs, { flight, isOwn: true }]
  }

  /** An object of which nobody knows how long it is: whole, or with its ranges widened, so that they hold whole blocks. */
  #whole(key: string, wanted: Wanted, object: CachedObject): Need {
    const ranges = wanted === 'whole' ? wanted : wanted.map((range) => this.#widened(range))
    const name = JSON.stringify(ranges)
    const under = object.flights.get(name)
    if (under !== undefined && !under.isAbandoned) {
      this.counts.joined++
      return { flight: under, isOwn: false }
    }
    const flight = this.#begin(object, [name], async (signal) => {
      if (ranges === 'whole') {
        const { bytes, ...info } = await this.#store.get(key, { signal })
        return this.#fetched(info, [{ start: 0, bytes }])
      }
      const { parts, ...info } = await this.#store.getRanges(key, ranges, { signal })
      return this.#fetched(
        info,
        parts.map((bytes, i) => ({ start: resolveRange(ranges[i], info.size, key).start, bytes })),
      )
    })
    return { flight, isOwn: true }
  }

  #widened(range: ByteRange): ByteRange {
    if ('suffix' in range) return { suffix: range.suffix + this.#blockBytes - 1 }
    const start = range.start - (range.start % this.#blockBytes)
    return range.end === undefined
      ? { start }
      : { start, end: Math.ceil(range.end / this.#blockBytes) * this.#blockBytes }
  }

  #begin(
    object: CachedObject,
    names: readonly string[],
    fetch: (signal: AbortSignal) => Promise<Fetched>,
  ): SharedWork<Fetched> {
    const work = async (signal: AbortSignal): Promise<Fetched> => {
      try {
        const fetched = await fetch(signal)
        const bytes = [...fetched.blocks.values()].reduce((sum, { length }) => sum + length, 0)
        this.counts.fetchedBytes += bytes
        if (bytes <= this.#maxReadBytes) await this.#index.keep(object, fetched)
        return fetched
      } finally {
        for (const name of names) if (object.flights.get(name) === flight) object.flights.delete(name)
      }
    }
    // Its readers may all leave before it ends.
    const flight: SharedWork<Fetched> = new SharedWork((signal) => this.#index.holding(object, () => work(signal)))
    for (const name of names) object.flights.set(name, flight)
    return flight
  }

  /** The blocks that lie whole in what was read; the last one of an object is shorter. */
  #fetched(info: ObjectInfo, parts: readonly { readonly start: number; readonly bytes: Uint8Array }[]): Fetched {
    const blocks = new Map<number, Uint8Array>()
    for (const { start, bytes } of parts) {
      const first = Math.ceil(start / this.#blockBytes)
      for (let block = first; block * this.#blockBytes < start + bytes.length; block++) {
        const from = block * this.#blockBytes
        const to = Math.min(from + this.#blockBytes, info.size)
        if (to <= start + bytes.length) blocks.set(block, bytes.subarray(from - start, to - start))
      }
    }
    return { info, blocks }
  }

  async #landed(needs: readonly Need[], signal: AbortSignal | undefined): Promise<readonly Fetched[] | Detour> {
    let isOther = false
    const waits = needs.map(async ({ flight, isOwn }) => {
      try {
        return await flight.wait(signal)
      } catch (error) {
        // What others began before this read says nothing of what is there now.
        if (!isOwn && signal?.aborted !== true) isOther = true
        throw error
      }
    })
    try {
      return await Promise.all(waits)
    } catch (error) {
      // A `get` knows no such answer; several ranges get it from the store itself.
      if (isOther || isKind(error, 'conflict', 'OVERWRITTEN')) return 'again'
      if (isKind(error, 'invalid', 'RANGE')) return 'pass'
      throw error
    }
  }

  /** What is there now, if it is the version that was found. */
  async #present(
    key: string,
    version: ObjectInfo,
    object: CachedObject,
    options: CallOptions,
  ): Promise<ObjectInfo | Detour> {
    if (this.#isImmutable(key)) return version
    const present = await this.#store.head(key, withSignal(options.signal))
    if (present === undefined) {
      await this.#index.drop(key)
      return 'pass'
    }
    if (isSameVersion(present, version)) return present
    await this.#index.keepOnly(object, present)
    return 'again'
  }

  #cut(key: string, wanted: Wanted, info: ObjectInfo, blocks: ReadonlyMap<number, Uint8Array>): Uint8Array[] | Detour {
    const parts: Uint8Array[] = []
    for (const range of wanted === 'whole' ? [undefined] : wanted) {
      let span: Span
      try {
        span = resolveRange(range, info.size, key)
      } catch {
        return 'pass'
      }
      const part = new Uint8Array(span.end - span.start)
      for (const block of this.#blocksIn(span)) {
        const bytes = blocks.get(block)
        if (bytes === undefined) return 'again'
        const at = block * this.#blockBytes
        const from = Math.max(span.start, at)
        part.set(bytes.subarray(from - at, Math.min(span.end, at + bytes.length) - at), from - span.start)
      }
      parts.push(part)
    }
    return parts
  }
}

/** Neighbours together: the first and the last of each run. */
function runsOf(blocks: readonly number[]): [number, number][] {
  const runs: [number, number][] = []
  for (const block of blocks) {
    const last = runs.at(-1)
    if (last !== undefined && last[1] === block - 1) last[1] = block
    else runs.push([block, block])
  }
  return runs
}
