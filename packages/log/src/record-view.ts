import { corrupt, type BatchRun, type Codec, type Limits, type LogRecord, type StoredRecord } from '@moulin/core'
import { batchesIn, readRecords } from '@moulin/format'

/** The records of a run, in order, as they are stored. */
export function storedRecordsOf({ partition, batches, fidelity }: BatchRun, limits: Limits): StoredRecord[] {
  const records: StoredRecord[] = []
  for (const { position } of batchesIn(batches)) {
    for (const { value: bytes, ...record } of readRecords(batches, position, limits)) {
      records.push({ partition, ...record, bytes, fidelity: fidelity?.[records.length] ?? 'exact' })
    }
  }
  return records
}

export interface RecordViewOptions {
  readonly limits: Limits
  /** The codec of a ledger id; undefined for raw values (id 0). */
  readonly codec: (id: number) => Promise<Codec | undefined>
  readonly onBadValue: 'yield' | 'throw'
}

/** The records of a run whose offsets lie in `[from, to)`, as a reader gets them. */
export async function recordsOfRun(
  run: BatchRun,
  from: bigint,
  to: bigint,
  { limits, codec, onBadValue }: RecordViewOptions,
): Promise<LogRecord[]> {
  const { valueSchemaIds: ids } = run
  const codecs = new Map<number, Codec | undefined>()
  for (const id of typeof ids === 'number' ? [ids] : new Set(ids)) codecs.set(id, await codec(id))
  const idAt = typeof ids === 'number' ? () => ids : (index: number) => ids[index] ?? 0

  const views: LogRecord[] = []
  storedRecordsOf(run, limits).forEach((record, index) => {
    if (record.offset < from || record.offset >= to) return
    views.push(recordView(record, codecs.get(idAt(index)), onBadValue))
  })
  return views
}

function recordView(record: StoredRecord, codec: Codec | undefined, onBadValue: 'yield' | 'throw'): LogRecord {
  const { bytes, offset, partition } = record
  if (bytes === null || codec === undefined) return { ...record, value: undefined }
  try {
    return { ...record, value: codec.decode(bytes) }
  } catch (cause) {
    const error = corrupt(
      'BAD_VALUE',
      `The value at offset ${offset} of partition ${partition} does not decode as ${codec.format}: ${(cause as Error).message}`,
      { context: { partition, offset, format: codec.format }, cause },
    )
    if (onBadValue === 'throw') throw error
    return { ...record, value: undefined, error }
  }
}
