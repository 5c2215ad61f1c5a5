import { rangesWithin } from '@moulin/core'
import type { OffsetRange } from '@moulin/core'
import type { BatchHeader } from '@moulin/format'

/** Deltas of the batch's records that belong to aborted transactions, half-open; undefined: none, as nearly always. */
export function abortedIn(
  aborted: readonly OffsetRange[],
  header: BatchHeader,
): readonly { readonly from: number; readonly to: number }[] | undefined {
  if (aborted.length === 0) return undefined
  const { baseOffset, lastOffsetDelta } = header
  const own = rangesWithin(aborted, { from: baseOffset, to: baseOffset + BigInt(lastOffsetDelta) + 1n })
  return own.map(({ from, to }) => ({ from: deltaIn(header, from), to: deltaIn(header, to) }))
}

/** How far into the batch an offset lies, at least 0 and at most just past its end. */
export function deltaIn(header: BatchHeader, offset: bigint): number {
  const delta = offset - header.baseOffset
  if (delta <= 0n) return 0
  return delta > BigInt(header.lastOffsetDelta) ? header.lastOffsetDelta + 1 : Number(delta)
}
