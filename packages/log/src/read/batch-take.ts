import { hasOffset, rangesWithin, type BatchRun, type Fidelity, type OffsetRange } from '@moulin/core'
import { batchesIn, keptOfBatch, readRecords, type BatchHeader } from '@moulin/format'

export interface BatchTakeOptions {
  readonly from: bigint
  readonly maxBytes: number
  /** Without the records of aborted transactions. */
  readonly isCommitted: boolean
}

interface PlacedBatch {
  readonly header: BatchHeader
  readonly position: number
  /** Exclusive: what is to be shown. */
  readonly to: bigint
}

interface ToldRecords {
  readonly records: readonly { readonly offset: bigint }[]
  /** Of the first among those of the run. */
  readonly place: number
  /** Exclusive: what is to be shown. */
  readonly to: bigint
}

/** Whole batches out of runs, in offset order, up to a number of bytes, and one at least. */
export class BatchTake {
  readonly #from: bigint
  readonly #maxBytes: number
  readonly #isCommitted: boolean
  readonly #batches: Uint8Array[] = []
  readonly #aborted: OffsetRange[] = []
  /** By offset, of records in the batches: those that are not exact. */
  readonly fidelity: Map<bigint, Fidelity> = new Map()
  /** By offset, of records in the batches: why the row gives no record back. */
  readonly unreadable: Map<bigint, string> = new Map()
  /** Exclusive: what was taken answers up to here. */
  nextOffset: bigint
  bytes = 0
  /** Nothing more fits. */
  isFull = false

  constructor({ from, maxBytes, isCommitted }: BatchTakeOptions) {
    this.#from = from
    this.nextOffset = from
    this.#maxBytes = maxBytes
    this.#isCommitted = isCommitted
  }

  /** Of aborted transactions, as the runs told: rising, perhaps beyond what was taken. */
  get aborted(): readonly OffsetRange[] {
    return this.#aborted
  }

  /** What the run has of `[nextOffset, end)`. The run's memory is looked at until {@link joined}. */
  add(run: BatchRun, end: bigint): void {
    const { aborted = [] } = run
    const to = run.nextOffset < end ? run.nextOffset : end
    // What a batch has below its run is not what the run says is there.
    this.pass(run.baseOffset < to ? run.baseOffset : to)
    this.#aborted.push(...rangesWithin(aborted, { from: this.nextOffset, to: run.nextOffset }))
    const isExact = run.fidelity === undefined && run.unreadable === undefined
    // Place among the run's records.
    let before = 0
    for (const { header, position } of batchesIn(run.batches)) {
      const next = nextOf(header)
      const place = before
      before += header.recordCount
      if (next <= this.nextOffset) continue
      if (header.baseOffset >= to) break
      const batch = this.#shown(run, { header, position, to })
      if (batch !== undefined && !this.#fits(batch)) return
      if (batch !== undefined) this.#batches.push(batch)
      if (batch !== undefined && !isExact) this.#tell(run, { records: readRecords(run.batches, position), place, to })
      this.nextOffset = next < to ? next : to
    }
    // Behind the last batch there is a gap, or nothing.
    this.pass(to)
  }

  /** There is nothing up to this offset. */
  pass(offset: bigint): void {
    if (offset > this.nextOffset) this.nextOffset = offset
  }

  /** All that was taken, in memory of its own. */
  joined(): Uint8Array {
    const all = new Uint8Array(this.bytes)
    let at = 0
    for (const batch of this.#batches) {
      all.set(batch, at)
      at += batch.length
    }
    return all
  }

  /**
   * The batch without what it has outside of its run, and without records of aborted transactions; undefined where it has no others. Where
   * it is framed anew, it is without what lies below `nextOffset`, too: who asks from there passes that over, so it is to satisfy no wait.
   */
  #shown({ batches, aborted = [] }: BatchRun, { header, position, to }: PlacedBatch): Uint8Array | undefined {
    const { baseOffset, sizeBytes } = header
    const next = nextOf(header)
    const hidden = this.#isCommitted ? rangesWithin(aborted, { from: baseOffset, to: next }) : []
    // What lies below all that was asked for is passed over, as in Kafka.
    const first = baseOffset > this.#from ? baseOffset : this.#from
    if (hidden.length === 0 && first >= this.nextOffset && next <= to)
      return batches.subarray(position, position + sizeBytes)
    const isShown = (offset: bigint): boolean => offset >= this.nextOffset && offset < to && !hasOffset(hidden, offset)
    return keptOfBatch(batches, position, isShown)
  }

  /** What the run says of the batch's records, as far as they are given. */
  #tell(run: BatchRun, { records, place, to }: ToldRecords): void {
    for (const [at, { offset }] of records.entries()) {
      if (offset < this.nextOffset || offset >= to || hasOffset(run.aborted ?? [], offset)) continue
      const fidelity = run.fidelity?.[place + at] ?? 'exact'
      const fault = run.unreadable?.get(place + at)
      if (fidelity !== 'exact') this.fidelity.set(offset, fidelity)
      if (fault !== undefined) this.unreadable.set(offset, fault)
    }
  }

  #fits({ length }: Uint8Array): boolean {
    const isFirst = this.bytes === 0
    this.isFull = this.bytes + length >= this.#maxBytes
    if (!isFirst && this.bytes + length > this.#maxBytes) return false
    this.bytes += length
    return true
  }
}

const nextOf = ({ baseOffset, lastOffsetDelta }: BatchHeader): bigint => baseOffset + BigInt(lastOffsetDelta) + 1n
