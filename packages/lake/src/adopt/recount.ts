import { isValid } from '@moulin/core'
import type { AuditRange, CallOptions } from '@moulin/core'
import type { LiveFile } from '@moulin/iceberg'
import { positionsOf } from '../live/live-files.ts'
import { planCold } from '../replay/cold-plan.ts'
import type { ColdPlan } from '../replay/cold-plan.ts'
import { windowSource } from '../replay/window-source.ts'
import type { ColdReadParts } from '../replay/cold-read.ts'
import { nextPlaces, windowRows } from '../replay/cold-window.ts'
import type { Places } from '../replay/cold-window.ts'
import { columnOf, fieldsOf } from '../places/identity-rows.ts'
import { emptyEntry } from '../table/ledger.ts'
import type { LedgerEntry } from '../table/ledger.ts'
import type { TableState } from '../table/table-state.ts'

/** A ledger as the rows say it. */
export interface Recount {
  readonly ledger: readonly LedgerEntry[]
  readonly rows: bigint
  /** Offsets of the ledger without a row: how many there are, and where, up to `maxGaps`. */
  readonly skippedOffsets: bigint
  readonly skipped: readonly AuditRange[]
}

/**
 * Counts the ranges of a ledger anew: each place once, and of rows at one place the one that reads give, since it finds
 * them as reads do. Offsets without a row are `skipped`, whatever they were before: rows do not say why others are not there.
 */
export async function recount(
  parts: Omit<ColdReadParts, 'table'>,
  state: TableState,
  call: CallOptions,
): Promise<Recount> {
  const counts = new Map<number, Count[]>()
  for (const entry of state.marker.ledger) {
    const same = counts.get(entry.partition)
    const count = new Count(entry, parts.context.limits.maxGaps)
    if (same === undefined) counts.set(entry.partition, [count])
    else same.push(count)
  }
  for (const [partition, ofPartition] of counts) await countRows(parts, state, partition, ofPartition, call)
  const all = [...counts.values()].flat()
  return {
    ledger: all.map(({ entry }) => entry),
    rows: sum(all.map(({ rows }) => rows)),
    skippedOffsets: sum(all.map(({ entry }) => entry.skipped)),
    skipped: all.flatMap(({ gaps }) => gaps).slice(0, parts.context.limits.maxGaps),
  }
}

async function countRows(
  parts: Omit<ColdReadParts, 'table'>,
  state: TableState,
  partition: number,
  counts: readonly Count[],
  call: CallOptions,
): Promise<void> {
  let from = counts[0]!.start
  let to = counts[0]!.frontier
  for (const { start, frontier } of counts) {
    if (start < from) from = start
    if (frontier > to) to = frontier
  }
  if (from === to) return
  const plan = await planCold(parts, state, { partition, from, to }, call)
  for (let next = from; next < to;) {
    const window = { bytes: parts.windowBytes, rows: windowRows.most }
    const { places, end } = await nextPlaces(plan, next, to, window, windowSource(parts, plan, call))
    const crcs = await crcsOf(plan, places, call)
    let at = counts.length - 1
    for (let index = 0; index < places.length; index++) {
      const offset = places.offsets[index]!
      // Later incarnations lie above earlier ones, as reads take them.
      at = counts.findLastIndex(({ start }) => offset >= start)
      counts[Math.max(0, at)]!.add(offset, crcs[index]!)
    }
    next = end
  }
}

class Count {
  readonly start: bigint
  readonly frontier: bigint
  readonly #before: LedgerEntry
  readonly #maxGaps: number
  readonly #gaps: AuditRange[] = []
  #next: bigint
  rows = 0n
  #checksum = 0n
  #lastRow: bigint | null = null

  constructor(entry: LedgerEntry, maxGaps: number) {
    this.#before = entry
    this.#maxGaps = maxGaps
    this.start = entry.start
    this.frontier = entry.frontier
    this.#next = entry.start
  }

  /** Offsets come in order. */
  add(offset: bigint, crc: number): void {
    this.#gapUntil(offset)
    this.rows++
    this.#checksum += BigInt(crc)
    this.#lastRow = offset
    this.#next = offset + 1n
  }

  get entry(): LedgerEntry {
    const { incarnation, partition } = this.#before
    return {
      ...emptyEntry(incarnation, partition, this.start),
      frontier: this.frontier,
      lastRow: this.#lastRow,
      rows: this.rows,
      skipped: this.frontier - this.start - this.rows,
      checksum: this.#checksum,
    }
  }

  get gaps(): readonly AuditRange[] {
    this.#gapUntil(this.frontier)
    return this.#gaps
  }

  #gapUntil(to: bigint): void {
    const { incarnation, partition } = this.#before
    const from = this.#next
    if (from < to && this.#gaps.length < this.#maxGaps) this.#gaps.push({ incarnation, partition, from, to })
    this.#next = to
  }
}

/** The checksums that stand in the rows at these places; 0 where there is none. */
async function crcsOf(plan: ColdPlan, places: Places, call: CallOptions): Promise<Int32Array> {
  const crcs = new Int32Array(places.length)
  const byGroup = new Map<number, number[]>()
  for (let at = 0; at < places.length; at++) {
    const group = places.groups[at]!
    const members = byGroup.get(group)
    if (members === undefined) byGroup.set(group, [at])
    else members.push(at)
  }
  for (const [index, members] of byGroup) {
    const { file, rowGroup } = plan.groups[index]!
    await readCrcs(plan, { file, rowGroup }, places.rows, members, crcs, call)
  }
  return crcs
}

async function readCrcs(
  { state }: ColdPlan,
  { file, rowGroup }: { readonly file: LiveFile; readonly rowGroup: number },
  rows: Int32Array,
  members: readonly number[],
  into: Int32Array,
  call: CallOptions,
): Promise<void> {
  let start = rows[members[0]!]!
  let end = start
  for (const at of members) {
    start = Math.min(start, rows[at]!)
    end = Math.max(end, rows[at]! + 1)
  }
  const types = fieldsOf(state.columns, ['_kafka_crc'])
  const found = await file.read({ rowGroup, types, rows: { start, end }, ...call })
  const positionOf = positionsOf(found)
  const crc = columnOf(found.batch, state.columns, '_kafka_crc')
  if (crc?.storage !== 'int32') return
  for (const at of members) {
    const row = positionOf(rows[at]!)
    if (isValid(crc, row)) into[at] = crc.values[row]!
  }
}

const sum = (numbers: readonly bigint[]): bigint => numbers.reduce((a, b) => a + b, 0n)
