import { corrupt, type BatchRun, type Codec, type Fidelity, type LogRecord, type StoredRecord } from '@moulin/core'
import { batchesIn, readRecords, type BatchRecord } from '@moulin/format'

/** The records of a run, in order, as they are stored. */
export function storedRecordsOf({ partition, batches, fidelity }: BatchRun): StoredRecord[] {
  const records: StoredRecord[] = []
  for (const { position } of batchesIn(batches)) {
    for (const { offset, timestamp, timestampType, key, value, headers } of readRecords(batches, position)) {
      const exactness = fidelity?.[records.length] ?? 'exact'
      records.push({ partition, offset, timestamp, timestampType, key, bytes: value, headers, fidelity: exactness })
    }
  }
  return records
}

export interface RecordViewOptions {
  /** The codec of a ledger id; undefined for raw values (id 0). */
  readonly codec: (id: number) => Promise<Codec | undefined>
  readonly onBadValue: 'yield' | 'throw'
}

/** The records of a run whose offsets lie in `[from, to)`, as a reader gets them. */
export async function recordsOfRun(
  run: BatchRun,
  from: bigint,
  to: bigint,
  { codec, onBadValue }: RecordViewOptions,
): Promise<LogRecord[]> {
  const { valueSchemaIds: ids } = run
  const codecs = new Map<number, Codec | undefined>()
  for (const id of typeof ids === 'number' ? [ids] : new Set(ids)) codecs.set(id, await codec(id))
  const only = typeof ids === 'number' ? codecs.get(ids) : undefined

  const views: LogRecord[] = []
  let index = -1
  for (const { position } of batchesIn(run.batches)) {
    for (const record of readRecords(run.batches, position)) {
      index++
      if (record.offset < from || record.offset >= to) continue
      const its = typeof ids === 'number' ? only : codecs.get(ids[index] ?? 0)
      const fault = run.unreadable?.get(index)
      views.push(recordView(run, record, run.fidelity?.[index] ?? 'exact', its, onBadValue, fault))
    }
  }
  return views
}

// Written out member by member: copying records that a reader gets one by one is a large part of what they cost.
function recordView(
  { partition }: BatchRun,
  { offset, timestamp, timestampType, key, value: bytes, headers }: BatchRecord,
  fidelity: Fidelity,
  codec: Codec | undefined,
  onBadValue: 'yield' | 'throw',
  fault: string | undefined,
): LogRecord {
  let value: unknown
  if (fault !== undefined) {
    const error = badRow(partition, offset, fault)
    if (onBadValue === 'throw') throw error
    return { partition, offset, timestamp, timestampType, key, bytes, headers, fidelity, value, error }
  }
  if (bytes !== null && codec !== undefined) {
    try {
      value = codec.decode(bytes)
    } catch (cause) {
      const error = badValue(partition, offset, codec, cause as Error)
      if (onBadValue === 'throw') throw error
      return { partition, offset, timestamp, timestampType, key, bytes, headers, fidelity, value: undefined, error }
    }
  }
  return { partition, offset, timestamp, timestampType, key, bytes, headers, fidelity, value }
}

function badRow(partition: number, offset: bigint, reason: string): Error {
  return corrupt(
    'BAD_VALUE',
    `The row at offset ${offset} of partition ${partition} was changed in the table and gives no record back: ${reason}`,
    { context: { partition, offset } },
  )
}

function badValue(partition: number, offset: bigint, { format }: Codec, cause: Error): Error {
  return corrupt(
    'BAD_VALUE',
    `The value at offset ${offset} of partition ${partition} does not decode as ${format}: ${cause.message}`,
    { context: { partition, offset, format }, cause },
  )
}
