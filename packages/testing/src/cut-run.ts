import type { BatchRun, StoredRecord } from '@moulin/core'

/** A range of offsets of one partition, half-open. */
export interface OffsetsOf {
  readonly partition: number
  readonly from: bigint
  readonly to: bigint
}

/** Answers for the range by the run's batches, which may hold more than that. */
export function cutRun(run: BatchRun, { from, to }: OffsetsOf): BatchRun {
  return { ...run, baseOffset: from, nextOffset: to }
}

/** Answers for offsets that have no record. */
export function gapRun({ partition, from, to }: OffsetsOf): BatchRun {
  return { partition, baseOffset: from, nextOffset: to, batches: new Uint8Array(0), valueSchemaIds: 0 }
}

/** The run's records at offsets that it answers for. */
export function ownRecords(run: BatchRun, recordsOf: (run: BatchRun) => readonly StoredRecord[]): StoredRecord[] {
  return recordsOf(run).filter(({ offset }) => offset >= run.baseOffset && offset < run.nextOffset)
}

/** The runs cut to the range, with a gap wherever none of them answers: each begins where the one before ended. */
export async function* spanned(runs: AsyncIterable<BatchRun>, range: OffsetsOf): AsyncGenerator<BatchRun> {
  const { partition, to } = range
  let next = range.from
  for await (const run of runs) {
    const from = run.baseOffset > next ? run.baseOffset : next
    const end = run.nextOffset < to ? run.nextOffset : to
    if (end <= from) continue
    if (from > next) yield gapRun({ partition, from: next, to: from })
    yield cutRun(run, { partition, from, to: end })
    next = end
  }
  if (next < to) yield gapRun({ partition, from: next, to })
}
