import type { ByteRange, GetRangesOptions, ObjectInfo, SmallObjectStore, StoredRanges } from '../doors/object-store.ts'
import { conflict, notFound } from '../model/errors.ts'
import { atMost } from './at-most.ts'
import { checkRange, resolveRange } from './byte-range.ts'
import { joinSpans } from './join-spans.ts'

const DEFAULT_GAP_BYTES = 1024 * 1024
const PARALLEL = 8

/** One read, and the ranges that are cut out of it, by their index. */
interface Run {
  readonly range: ByteRange
  readonly members: readonly number[]
}

/** `getRanges` by as few `get`s as the gaps allow, some at a time. */
export async function rangesByGet(
  store: Pick<SmallObjectStore, 'name' | 'get' | 'head'>,
  key: string,
  ranges: readonly ByteRange[],
  { maxGapBytes = DEFAULT_GAP_BYTES, ...call }: GetRangesOptions,
): Promise<StoredRanges> {
  for (const range of ranges) checkRange(range, key)
  if (ranges.length === 0) {
    const info = await store.head(key, call)
    if (info === undefined) throw notFound('KEY_MISSING', `${store.name} holds no object ${JSON.stringify(key)}.`)
    return { ...info, parts: [] }
  }
  const parts: Uint8Array[] = new Array<Uint8Array>(ranges.length)
  let first: ObjectInfo | undefined
  await atMost(PARALLEL, joined(ranges, maxGapBytes), async ({ range, members }) => {
    const { bytes, ...info } = await store.get(key, { ...call, range })
    first ??= info
    if (info.etag !== first.etag) {
      const message = `${JSON.stringify(key)} in ${store.name} was overwritten while its ranges were read: read them again.`
      throw conflict('OVERWRITTEN', message, { context: { key, first: first.etag, then: info.etag } })
    }
    const { start: from } = resolveRange(range, info.size, key)
    for (const member of members) {
      const { start, end } = resolveRange(ranges[member], info.size, key)
      // Memory of its own for each: a part that is kept must not keep its neighbours, nor be changed with them.
      parts[member] = members.length === 1 ? bytes : bytes.slice(start - from, end - from)
    }
  })
  return { ...first!, parts }
}

function joined(ranges: readonly ByteRange[], gapBytes: number): Run[] {
  const runs: Run[] = []
  const bounded: { readonly start: number; readonly end: number; readonly member: number }[] = []
  ranges.forEach((range, member) => {
    // Where a suffix begins only the store knows.
    if ('suffix' in range) runs.push({ range, members: [member] })
    else bounded.push({ start: range.start, end: range.end ?? Infinity, member })
  })
  for (const { start, end, members } of joinSpans(bounded, gapBytes)) {
    runs.push({ range: end === Infinity ? { start } : { start, end }, members: members.map(({ member }) => member) })
  }
  return runs
}
