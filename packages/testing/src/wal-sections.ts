import { pattern } from './object-store-checks.ts'
import { batchesIn, encodeBatch, patchBatch } from '@moulin/format'

/** A run of record batches that a check appends, and what must come back of it. */
export interface TrialSection {
  readonly topicId: string
  readonly incarnation: number
  readonly partition: number
  readonly recordCount: number
  readonly valueSchemaId: number
  readonly keySchemaId: number
  /** As given to the Wal: with base offset 0 until somebody patches them. */
  readonly batches: Uint8Array
}

export interface TrialSectionOptions {
  /** Tells its bytes from all others. */
  readonly seed: number
  readonly partition?: number
  readonly incarnation?: number
  readonly topicId?: string
  /** Default 3. */
  readonly records?: number
  /** Of each record; default 40. */
  readonly valueBytes?: number
  /** Default 1. */
  readonly batchCount?: number
}

export const TRIAL_LOG = '5bd4a4c9-0d0e-4a67-9d3c-1f6f4a1f0b11'
export const TRIAL_TOPIC = '1c0f9a3e-7e0b-4c63-8f57-0a4b8d2f6c21'
export const OTHER_TOPIC = '9f1d6b52-3a44-4c0e-b9d8-6c2e5d7a8b32'

/** Record batches as a producer makes them, of values that differ by the seed. */
export function trialSection(options: TrialSectionOptions): TrialSection {
  const { seed, records = 3, valueBytes = 40, batchCount = 1 } = options
  const batches: Uint8Array[] = []
  for (let batch = 0; batch < batchCount; batch++) {
    const rows = Array.from({ length: records }, (_, row) => ({
      offset: BigInt(row),
      timestamp: BigInt(1_790_000_000_000 + seed),
      key: null,
      value: pattern(valueBytes, seed * 1_000 + batch * 100 + row),
      headers: [],
    }))
    batches.push(encodeBatch({ baseOffset: 0n, records: rows, timestampType: 'create', partitionLeaderEpoch: 0 }))
  }
  return {
    topicId: options.topicId ?? TRIAL_TOPIC,
    incarnation: options.incarnation ?? 0,
    partition: options.partition ?? 0,
    recordCount: records * batchCount,
    valueSchemaId: (seed % 5) + 1,
    keySchemaId: seed % 3,
    batches: new Uint8Array(Buffer.concat(batches)),
  }
}

/** The batches with their offsets, in bytes of their own: what a section that got this base offset must give back. */
export function sequencedBytes({ batches }: Pick<TrialSection, 'batches'>, baseOffset: bigint): Uint8Array {
  const own = new Uint8Array(batches)
  patchOffsets(own, baseOffset)
  return own
}

/** Puts offsets into batches that lie back to back, in place. */
export function patchOffsets(batches: Uint8Array, baseOffset: bigint): void {
  let next = baseOffset
  for (const { header, position } of [...batchesIn(batches)]) {
    patchBatch(batches, position, { baseOffset: next, partitionLeaderEpoch: 0 })
    next += BigInt(header.lastOffsetDelta) + 1n
  }
}
