import { throwIfAborted } from '@moulin/core'
import type {
  AuditMove,
  AuditPlace,
  AuditRange,
  CallOptions,
  ColdContext,
  ColdTopicInfo,
  DeepAudit,
} from '@moulin/core'
import { BatchFramer, RecordPlace } from '@moulin/format'
import type { RecordTime } from '@moulin/format'
import type { LiveFile } from '@moulin/iceberg'
import { readRows } from '../replay/cold-rows.ts'
import { rowsIn, windowRows } from '../replay/cold-window.ts'
import type { Counted } from './audit-gaps.ts'
import type { DeletedFindings } from './deleted-rows.ts'
import type { GroupIdentities } from '../places/identity-rows.ts'
import { placeOf } from '../places/place.ts'
import type { LedgerEntry } from '../table/ledger.ts'
import type { RecordDecoder } from '../replay/record-decoder.ts'
import { placeCrc } from '../replay/record-runs.ts'
import type { TableColumns } from '../table/table-layout.ts'

export interface DeepCheckParts {
  readonly info: ColdTopicInfo
  readonly context: ColdContext
  readonly windowBytes: number
}

/** A row that does not match its checksum. */
interface Suspect extends AuditPlace {
  /** Where it would match: what the sum of its place must be, and its time; undefined where no place can make it right. */
  readonly wanted: { readonly crc: number; readonly time: RecordTime } | undefined
}

/** Places looked at in one turn of the event loop: some milliseconds. */
const LOOKS_A_TURN = 4_096
/** Of rows that are framed and not yet judged. */
const FRAMED_BYTES = 1024 * 1024

/**
 * Makes the checksums of rows anew that the log did not write itself. What it remembers is at most `maxGaps` findings of a
 * kind: where a row was moved from is known once all rows have been seen.
 */
export class DeepCheck {
  readonly #parts: DeepCheckParts
  readonly #columns: TableColumns
  readonly #counts: ReadonlyMap<string, Counted>
  readonly #places = new Map<string, RecordPlace>()
  readonly #framer = new BatchFramer()
  readonly #framed: { decoder: RecordDecoder; row: number; place: AuditPlace; isDegraded: boolean }[] = []
  #sums = new Int32Array(1024)
  readonly #suspects: Suspect[] = []
  /** At places that the ledger does not know: of an earlier life of the topic, or moved there. */
  readonly #strangers: Suspect[] = []
  /** Of both kinds, above `maxGaps`: nobody looks where they come from. */
  #unlisted = 0n
  readonly #doubled: AuditPlace[] = []
  #looks = 0
  #files = 0
  #rows = 0n
  #mismatched = 0n
  #doubledRows = 0n
  #unproven = 0n

  constructor(parts: DeepCheckParts, columns: TableColumns, counts: ReadonlyMap<string, Counted>) {
    this.#parts = parts
    this.#columns = columns
    this.#counts = counts
  }

  beginFile(): void {
    this.#files++
  }

  addDoubled({ incarnation, partition }: LedgerEntry, offset: bigint): void {
    this.#doubledRows++
    if (this.#doubled.length < this.#most) this.#doubled.push({ incarnation, partition, offset })
  }

  /** A window of rows at a time, each read and framed as a cold read does. */
  async addRowGroup(file: LiveFile, rowGroup: number, identities: GroupIdentities, call: CallOptions): Promise<void> {
    // Without checksums there is nothing to hold a row against.
    if (!this.#parts.info.rowCrc) return
    if (!this.#columns.followed.has('_kafka_crc')) return this.#countUnproven(identities)
    const window = { bytes: this.#parts.windowBytes, rows: windowRows.most }
    const size = rowsIn({ file, rowGroup }, window)
    for (let start = 0; start < identities.length; start += size) {
      throwIfAborted(call.signal)
      const end = Math.min(start + size, identities.length)
      const known = Int32Array.from({ length: end - start }, (_, at) => start + at).filter((row) =>
        identities.isKnown(row),
      )
      if (known.length === 0) continue
      const wanted = known.map((row) => identities.rowOf(row))
      const { decoders, rows } = await readRows(this.#parts, file, rowGroup, wanted, this.#columns, call)
      for (let at = 0; at < known.length; at++) {
        const row = known[at]!
        const place = {
          incarnation: identities.incarnation(row),
          partition: identities.partition(row),
          offset: identities.offset(row),
        }
        this.#frame(decoders[at]!, rows[at]!, place)
        if (this.#framer.position >= FRAMED_BYTES) this.#judge()
      }
      this.#judge()
    }
  }

  #countUnproven(identities: GroupIdentities): void {
    for (let row = 0; row < identities.length; row++) {
      if (!identities.isKnown(row)) continue
      this.#rows++
      this.#unproven++
    }
  }

  /** After all rows. */
  async report(call: CallOptions): Promise<Omit<DeepAudit, keyof DeletedFindings>> {
    const unproven = new Set(this.#suspects.map(placeKey))
    const altered: AuditPlace[] = []
    const moved: AuditMove[] = []
    for (const { wanted, ...place } of this.#suspects) {
      const origin = wanted && (await this.#originOf(wanted, unproven, call))
      if (origin === undefined) altered.push(place)
      else moved.push({ ...place, origin })
    }
    for (const { wanted, ...place } of this.#strangers) {
      const origin = wanted && (await this.#originOf(wanted, unproven, call))
      if (origin === undefined) continue
      this.#mismatched++
      if (moved.length < this.#most) moved.push({ ...place, origin })
    }
    return {
      files: this.#files,
      rows: this.#rows,
      mismatched: this.#mismatched,
      doubledRows: this.#doubledRows,
      unproven: this.#unproven,
      altered: rangesOf(altered),
      moved: moved.sort(byPlace),
      doubled: rangesOf(this.#doubled),
    }
  }

  /** Altered rows of which nobody looked whether they were moved. */
  get unlisted(): bigint {
    return this.#unlisted
  }

  get #most(): number {
    return this.#parts.context.limits.maxGaps
  }

  // Only the part of a record is looked at that its checksum covers: all of them may share one batch.
  #frame(decoder: RecordDecoder, row: number, place: AuditPlace): void {
    const framer = this.#framer
    if (this.#framed.length === 0) {
      const zero = { offsetHigh: 0, offsetLow: 0, timestampHigh: 0, timestampLow: 0 }
      framer.beginBatch({ ...zero, timestampType: 'create' })
    }
    const isDegraded = decoder.frameAlone(row, framer)
    const at = this.#framed.push({ decoder, row, place, isDegraded }) - 1
    if (at === this.#sums.length) {
      const grown = new Int32Array(at * 2)
      grown.set(this.#sums)
      this.#sums = grown
    }
    decoder.readTimestamp(row)
    const [high, low] = halvesOf(place.offset)
    this.#sums[at] = placeCrc(decoder, row, this.#recordPlace(place), high, low)
  }

  #judge(): void {
    this.#framer.recordCrcs(this.#sums.subarray(0, this.#framed.length), 0)
    for (const [at, { decoder, row, place, isDegraded }] of this.#framed.entries()) {
      this.#rows++
      if (decoder.matches(row, this.#sums[at]!)) continue
      if (isDegraded && this.#columns.gone.length > 0) {
        this.#unproven++
        continue
      }
      const isOurs = this.#counts.has(placeOf(place.incarnation, place.partition))
      const list = isOurs ? this.#suspects : this.#strangers
      if (isOurs) this.#mismatched++
      if (list.length < this.#most) list.push({ ...place, wanted: this.#wanted(at) })
      else this.#unlisted++
    }
    this.#framed.length = 0
    this.#framer.reset()
  }

  #wanted(at: number): Suspect['wanted'] {
    const { decoder, row } = this.#framed[at]!
    const crc = decoder.crc(row)
    decoder.readTimestamp(row)
    if (crc === undefined || !decoder.isTimeOfRecord) return undefined
    const { timestampHigh, timestampLow } = decoder
    const timestampType = decoder.isAppendTime(row) ? 'append' : 'create'
    return { crc: this.#framer.placeCrcOf(at, crc), time: { timestampHigh, timestampLow, timestampType } }
  }

  /** The place of the ledger, without a row that matches there, where this row would. */
  async #originOf(
    { crc, time }: NonNullable<Suspect['wanted']>,
    unproven: ReadonlySet<string>,
    { signal }: CallOptions,
  ): Promise<AuditPlace | undefined> {
    for (const { entry, coverage } of this.#counts.values()) {
      const { incarnation, partition, start, frontier } = entry
      const place = this.#recordPlace(entry)
      for (let high = start >> 32n; high << 32n < frontier; high++) {
        // Thousands of findings times thousands of partitions: nobody else may have to wait for all of it.
        if (++this.#looks % LOOKS_A_TURN === 0) {
          await this.#parts.context.runtime.timers.turn()
          throwIfAborted(signal)
        }
        const low = place.lowOffsetOf(crc, Number(BigInt.asIntN(32, high)), time)
        const found = { incarnation, partition, offset: (high << 32n) | BigInt(low >>> 0) }
        if (coverage.lacks(found.offset) || unproven.has(placeKey(found))) return found
      }
    }
    return undefined
  }

  #recordPlace({ incarnation, partition }: Pick<AuditPlace, 'incarnation' | 'partition'>): RecordPlace {
    const key = placeOf(incarnation, partition)
    let place = this.#places.get(key)
    if (place === undefined) this.#places.set(key, (place = new RecordPlace(incarnation, partition)))
    return place
  }
}

const placeKey = ({ incarnation, partition, offset }: AuditPlace): string =>
  `${placeOf(incarnation, partition)}.${offset}`

const halvesOf = (offset: bigint): [high: number, low: number] => [
  Number(BigInt.asIntN(32, offset >> 32n)),
  Number(BigInt.asIntN(32, offset)),
]

function byPlace(a: AuditPlace, b: AuditPlace): number {
  return a.incarnation - b.incarnation || a.partition - b.partition || Number(a.offset - b.offset)
}

function rangesOf(places: readonly AuditPlace[]): AuditRange[] {
  const ranges: { incarnation: number; partition: number; from: bigint; to: bigint }[] = []
  for (const { incarnation, partition, offset } of places.toSorted(byPlace)) {
    const last = ranges.at(-1)
    const isSame = last?.incarnation === incarnation && last.partition === partition
    if (isSame && offset <= last.to) last.to = offset < last.to ? last.to : offset + 1n
    else ranges.push({ incarnation, partition, from: offset, to: offset + 1n })
  }
  return ranges
}
