import { hasOffset, notFound } from '@moulin/core'
import type { BatchRun, HotSource, OffsetRange, StoredRecord } from '@moulin/core'
import { batchesIn, encodeBatch, readRecords, recordBatchBuilder, patchBatch } from '@moulin/format'
import type { BatchRecord } from '@moulin/format'

/** What a check says of a record; the rest is made up. */
export type SentRecord = Partial<Pick<BatchRecord, 'key' | 'value' | 'headers' | 'timestamp'>>

/** The hot tier of a suite: batches in arrays, and what was sent for ever. */
export class SuiteHot implements HotSource {
  readonly #runs: BatchRun[][]
  readonly #next: bigint[]
  readonly #released: bigint[]
  #recovered: bigint[]
  /** Pins that were not released. */
  pins = 0
  /** Called before each read of it. */
  onRead: (() => void | Promise<void>) | undefined

  constructor(starts: readonly bigint[]) {
    this.#runs = starts.map(() => [])
    this.#next = [...starts]
    this.#released = [...starts]
    this.#recovered = starts.map(() => 0n)
  }

  /** One batch of these records. @returns its base offset. */
  send(partition: number, records: readonly SentRecord[], valueSchemaIds = 0): bigint {
    const baseOffset = this.#next[partition]!
    this.#append(partition, { batches: batchOf(baseOffset, records), offsets: records.length, valueSchemaIds })
    return baseOffset
  }

  /** One batch of these records, of which those at some places belong to an aborted transaction. */
  sendAborted(partition: number, records: readonly SentRecord[], places: readonly number[]): void {
    const baseOffset = this.#next[partition]!
    const aborted = places.map((at) => ({ from: baseOffset + BigInt(at), to: baseOffset + BigInt(at) + 1n }))
    this.#append(partition, { batches: batchOf(baseOffset, records), offsets: records.length, aborted })
  }

  /** A batch of so many offsets, of which only the first has a record, or none has: a gap of the log's own. */
  sendGap(partition: number, offsets: number, record?: SentRecord): void {
    const builder = recordBatchBuilder()
    if (record !== undefined)
      builder.append({ key: null, value: null, headers: [], timestamp: 1_700_000_000_000n, ...record })
    const batch = builder.finish(offsets - 1)
    patchBatch(batch, 0, { baseOffset: this.#next[partition]! })
    this.#append(partition, { batches: batch, offsets })
  }

  #append(partition: number, { batches, offsets, valueSchemaIds = 0, aborted }: Appended): void {
    const baseOffset = this.#next[partition]!
    const nextOffset = baseOffset + BigInt(offsets)
    const run = { partition, baseOffset, nextOffset, batches, valueSchemaIds }
    this.#runs[partition]!.push(aborted === undefined ? run : { ...run, aborted })
    this.#next[partition] = nextOffset
  }

  /** Every record that was sent and is not aborted, released or not. */
  sent(partition: number): StoredRecord[] {
    return this.#runs[partition]!.flatMap((run) => suiteRecordsOf(run))
  }

  release(offsets: readonly bigint[]): void {
    offsets.forEach((offset, partition) => (this.#released[partition] = offset))
  }

  /** A new writer has opened the log and found what is there; with `ends`, an older copy of it. */
  reopen(ends: readonly bigint[] = this.#next): void {
    this.#recovered = [...ends]
    ends.forEach((end, partition) => {
      this.#runs[partition] = this.#runs[partition]!.filter(({ nextOffset }) => nextOffset <= end)
      this.#next[partition] = end
    })
  }

  committedOffsets(): readonly bigint[] {
    return this.#next
  }
  releasedOffsets(): readonly bigint[] {
    return this.#released
  }
  recoveredOffsets(): readonly bigint[] {
    return this.#recovered
  }
  pin(): { release(): void } {
    this.pins++
    let isHeld = true
    return {
      release: () => {
        if (isHeld) this.pins--
        isHeld = false
      },
    }
  }
  async *read({ partition, from, to }: Parameters<HotSource['read']>[0]): AsyncGenerator<BatchRun> {
    await this.onRead?.()
    if (from < this.#released[partition]!) throw notFound('RELEASED', `Offset ${from} was released.`)
    for (const run of this.#runs[partition]!) if (run.nextOffset > from && run.baseOffset < to) yield run
  }
}

interface Appended {
  readonly batches: Uint8Array
  readonly offsets: number
  readonly valueSchemaIds?: number
  readonly aborted?: readonly OffsetRange[]
}

function batchOf(baseOffset: bigint, records: readonly SentRecord[]): Uint8Array {
  const full = records.map((record, at) => ({
    offset: baseOffset + BigInt(at),
    key: record.key ?? null,
    value: record.value ?? null,
    headers: record.headers ?? [],
    timestamp: record.timestamp ?? 1_700_000_000_000n + BigInt(at),
  }))
  return encodeBatch({ baseOffset, records: full, timestampType: 'create', compression: 'none' })
}

/** The data records of a run but for those of aborted transactions, with plain bytes. */
export function suiteRecordsOf(run: BatchRun): StoredRecord[] {
  const records: StoredRecord[] = []
  let place = -1
  for (const { header, position } of batchesIn(run.batches)) {
    if (header.isControl) continue
    for (const { key, value, headers, ...record } of readRecords(run.batches, position)) {
      place++
      if (hasOffset(run.aborted ?? [], record.offset)) continue
      records.push({
        partition: run.partition,
        ...record,
        key: plain(key),
        bytes: plain(value),
        headers: headers.map(([name, content]) => [name, plain(content)]),
        fidelity: run.fidelity?.[place] ?? 'exact',
      })
    }
  }
  return records
}

const plain = (bytes: Uint8Array | null): Uint8Array | null => (bytes === null ? null : new Uint8Array(bytes))
