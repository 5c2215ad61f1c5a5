import {
  corrupt,
  hasOffset,
  isKind,
  notFound,
  unsupported,
  type BatchRun,
  type Codec,
  type Fidelity,
  type LogRecord,
  type StoredRecord,
} from '@moulin/core'
import { batchesIn, readRecords, type BatchRecord } from '@moulin/format'

/** The records of a run but for those of aborted transactions, in order, as they are stored, in memory of the caller's own. */
export function storedRecordsOf({ partition, batches, fidelity, aborted }: BatchRun): StoredRecord[] {
  const records: StoredRecord[] = []
  let index = -1
  const own = new Uint8Array(batches)
  for (const { position } of batchesIn(own)) {
    for (const { offset, timestamp, timestampType, key, value, headers } of readRecords(own, position)) {
      index++
      if (aborted !== undefined && hasOffset(aborted, offset)) continue
      const exactness = fidelity?.[index] ?? 'exact'
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

/**
 * The records of a run whose offsets lie in `[from, to)`, but for those of aborted transactions, as a reader gets them: in memory of his own, since the run's may be
 * that of all readers. One copy for all of them: memory for each record would take three times as long as the rest.
 */
export async function recordsOfRun(
  run: BatchRun,
  from: bigint,
  to: bigint,
  { codec, onBadValue }: RecordViewOptions,
): Promise<LogRecord[]> {
  const { valueSchemaIds: ids, aborted } = run
  const codecs = new Map<number, Codec | UnknownSchema | undefined>()
  for (const id of typeof ids === 'number' ? [ids] : new Set(ids)) codecs.set(id, await knownCodec(id, codec))
  const only = typeof ids === 'number' ? codecs.get(ids) : undefined

  const views: LogRecord[] = []
  const own = new Uint8Array(run.batches)
  let index = -1
  for (const { position } of batchesIn(own)) {
    for (const record of readRecords(own, position)) {
      index++
      if (record.offset < from || record.offset >= to) continue
      if (aborted !== undefined && hasOffset(aborted, record.offset)) continue
      const its = typeof ids === 'number' ? only : codecs.get(ids[index] ?? 0)
      const fault = run.unreadable?.get(index)
      views.push(recordView(run, record, run.fidelity?.[index] ?? 'exact', its, onBadValue, fault))
    }
  }
  return views
}

/** The record of a run at an offset, if it is there, in memory that holds nothing else: looked up, it may be kept for long. */
export async function recordAt(
  run: BatchRun,
  offset: bigint,
  options: RecordViewOptions,
): Promise<LogRecord | undefined> {
  const [record] = await recordsOfRun(run, offset, offset + 1n, options)
  if (record === undefined) return undefined
  const { key, bytes, headers } = record
  return {
    ...record,
    key: key && key.slice(),
    bytes: bytes && bytes.slice(),
    headers: headers.map(([name, value]) => [name, value && value.slice()]),
  }
}

// Written out member by member: copying records that a reader gets one by one is a large part of what they cost.
function recordView(
  { partition }: BatchRun,
  { offset, timestamp, timestampType, key, value: bytes, headers }: BatchRecord,
  fidelity: Fidelity,
  codec: Codec | UnknownSchema | undefined,
  onBadValue: 'yield' | 'throw',
  fault: string | undefined,
): LogRecord {
  let value: unknown
  const isUnknown = codec instanceof UnknownSchema
  if (fault !== undefined || (isUnknown && bytes !== null)) {
    const error = isUnknown ? codec.errorAt(partition, offset) : badRow(partition, offset, fault!)
    if (onBadValue === 'throw') throw error
    return { partition, offset, timestamp, timestampType, key, bytes, headers, fidelity, value, error }
  }
  if (bytes !== null && codec !== undefined && !isUnknown) {
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

/** A schema that the ledger does not give costs the records that need it, and no others. */
class UnknownSchema {
  readonly #id: number
  readonly #cause: Error

  constructor(id: number, cause: Error) {
    this.#id = id
    this.#cause = cause
  }

  errorAt(partition: number, offset: bigint): Error {
    const message =
      `The value at offset ${offset} of partition ${partition} is of schema ${this.#id}, ` +
      `which cannot be had: ${this.#cause.message}`
    const options = { context: { partition, offset, schema: this.#id }, cause: this.#cause }
    const isMissing = isKind(this.#cause, 'not-found')
    return isMissing ? notFound('SCHEMA_ID', message, options) : unsupported('SCHEMA_ID', message, options)
  }
}

async function knownCodec(id: number, codec: RecordViewOptions['codec']): Promise<Codec | UnknownSchema | undefined> {
  try {
    return await codec(id)
  } catch (error) {
    if (!isKind(error, 'not-found') && !isKind(error, 'unsupported')) throw error
    return new UnknownSchema(id, error as Error)
  }
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
