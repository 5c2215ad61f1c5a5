import type { CallOptions } from '@moulin/core'
import { boundRows } from './bound-rows.ts'
import type { ColdPlan, PlannedGroup } from '../replay/cold-plan.ts'
import type { Places } from '../replay/cold-window.ts'
import { isOwnFile } from '../live/data-files.ts'
import { nameMappingOf } from '../live/name-mappings.ts'
import { ClaimedPlaces } from './claimed-places.ts'
import { TableLosers } from './table-losers.ts'
import type { LosersMemory, RowPlacesParts } from './table-losers.ts'
import { snapshotIdOf } from '../table/table-state.ts'
import type { TableState } from '../table/table-state.ts'

/**
 * Says which row counts where strangers put several at one place: the one whose checksum binds it to the place; else, or of
 * several such, the one in the file with the lowest data sequence number, then with the lower path, then the earlier one in its
 * file. Reads, scans, counts, audits and recounts all ask here, so they show the same one. A file of the log's own never
 * holds a place twice, nor one of another such file, and its rows are bound without a look.
 */
export class RowPlaces {
  readonly #parts: RowPlacesParts
  readonly #memory: LosersMemory
  #newest: TableLosers | undefined

  constructor(parts: RowPlacesParts) {
    this.#parts = parts
    this.#memory = { claims: new ClaimedPlaces(parts.info), apart: new WeakMap(), pureAt: undefined }
  }

  /**
   * Of rows of one partition by rising offset: 1 for each that does not count; undefined where no two are at one place. Rows are
   * read as a whole only where it takes a checksum to tell.
   */
  async lost(plan: ColdPlan, places: Places, call: CallOptions): Promise<Uint8Array | undefined> {
    const rivals = rivalsIn(places)
    if (rivals.length === 0) return undefined
    const isBefore = (a: number, b: number): number => order(plan, places, a, b)
    for (const rows of rivals) rows.sort(isBefore)
    const winners = this.#parts.info.rowCrc
      ? await this.#bound(plan, places, rivals, call)
      : rivals.map(([row]) => row!)
    const lost = new Uint8Array(places.length)
    rivals.forEach((rows, at) => {
      for (const row of rows) if (row !== winners[at]) lost[row] = 1
    })
    return lost
  }

  /** For whoever goes through the table file by file: the rows that do not count. Asks for nothing yet. */
  losersOf(state: TableState): TableLosers {
    const newest = this.#newest
    const isSame =
      newest?.snapshotId === snapshotIdOf(state.loaded) &&
      newest.commit === state.marker.commit &&
      newest.missing === state.missing &&
      newest.schemaId === state.loaded.metadata['current-schema-id'] &&
      newest.mapping === nameMappingOf(state.loaded.metadata)?.key
    if (newest !== undefined && isSame) return newest
    this.#newest = new TableLosers(this.#parts, (...asked) => this.lost(...asked), state, this.#memory)
    return this.#newest
  }

  /** The first bound row of each, or the first. Looks at one row of each at a time: mostly the first is the one. */
  async #bound(
    plan: ColdPlan,
    places: Places,
    rivals: readonly (readonly number[])[],
    call: CallOptions,
  ): Promise<readonly number[]> {
    const winners = rivals.map(([first]) => first!)
    let open = rivals.map((_, at) => at)
    for (let turn = 0; open.length > 0; turn++) {
      const candidates = open.filter((at) => turn < rivals[at]!.length)
      const isOwn = (row: number): boolean => isOwnFile(groupOf(plan, places, row).file, this.#parts.info)
      const rows = candidates.map((at) => rivals[at]![turn]!)
      const read = rows.filter((row) => !isOwn(row)).sort((a, b) => a - b)
      const bound = await boundRows(this.#parts, plan, places, read, call)
      open = candidates.filter((at, index) => {
        const row = rows[index]!
        const isBound = isOwn(row) || bound.has(row)
        if (isBound) winners[at] = row
        return !isBound
      })
    }
    return winners
  }
}

const groupOf = (plan: ColdPlan, places: Places, at: number): PlannedGroup => plan.groups[places.groups[at]!]!

function order(plan: ColdPlan, places: Places, a: number, b: number): number {
  const one = groupOf(plan, places, a)
  const other = groupOf(plan, places, b)
  const [sequence, otherSequence] = [one.file.listed.sequenceNumber, other.file.listed.sequenceNumber]
  if (sequence !== otherSequence) return sequence < otherSequence ? -1 : 1
  if (one.file.name !== other.file.name) return one.file.name < other.file.name ? -1 : 1
  return one.rowGroup - other.rowGroup || places.rows[a]! - places.rows[b]!
}

/** The positions of rows at one offset, for each that has several. */
function rivalsIn({ offsets, length }: Places): number[][] {
  const halves = new Int32Array(offsets.buffer, offsets.byteOffset, length * 2)
  const found: number[][] = []
  for (let at = 1, start = 0; at <= length; at++) {
    const isSame = at < length && halves[at * 2] === halves[start * 2] && halves[at * 2 + 1] === halves[start * 2 + 1]
    if (isSame) continue
    if (at - start > 1) found.push(Array.from({ length: at - start }, (_, index) => start + index))
    start = at
  }
  return found
}
