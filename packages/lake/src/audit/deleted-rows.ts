import type { AuditMove, AuditRange, CallOptions, ColdContext, ColdTopicInfo, OffsetRange } from '@moulin/core'
import { placeOf } from '../places/place.ts'
import type { LedgerEntry } from '../table/ledger.ts'
import { snapshotIdOf } from '../table/table-state.ts'
import type { TableState } from '../table/table-state.ts'
import type { AddedAgain } from './added-again.ts'
import { deletedOf, lackingRows } from './audit-gaps.ts'
import type { Counted } from './audit-gaps.ts'
import { loadAuditMemory, rememberedRanges, storeAuditMemory } from './audit-memory.ts'
import type { AuditMemory, DeletedOffsets } from './audit-memory.ts'
import { FirstRanges } from './first-ranges.ts'
import { sinceThen, together, without } from './returned-rows.ts'

export interface DeletedRowsParts {
  readonly info: ColdTopicInfo
  readonly context: ColdContext
}

/** What a deep audit says of rows that are gone, or are there again. */
export interface DeletedFindings {
  readonly deletedRows: bigint
  readonly deleted: readonly AuditRange[]
  readonly returnedRows: bigint
  readonly returned: readonly AuditRange[]
}

/** Rows that may stand somewhere else than the ledger says. */
export interface Elsewhere {
  readonly again: Pick<AddedAgain, 'returned' | 'adders'>
  readonly moved: readonly AuditMove[]
  /** Further altered rows, of which nobody knows whether they were moved, and whence. */
  readonly unlisted: bigint
}

/** Rows that are gone, held against those that were gone at the last deep audit. */
export class DeletedRows {
  readonly #parts: DeletedRowsParts
  readonly #before: ReadonlyMap<string, DeletedOffsets>
  /** Snapshots of others whose returned rows an earlier audit has told. */
  readonly addedBy: readonly bigint[]

  private constructor(parts: DeletedRowsParts, before: AuditMemory | undefined) {
    this.#parts = parts
    this.#before = new Map(before?.deleted.map((entry) => [keyOf(entry), entry]))
    this.addedBy = before?.addedBy ?? []
  }

  /** Before rows are read: what cannot be compared in the end is told at once. @throws as {@link loadAuditMemory}. */
  static async load(parts: DeletedRowsParts, call: CallOptions): Promise<DeletedRows> {
    return new DeletedRows(parts, await loadAuditMemory(parts.context.store, parts.info.id, call))
  }

  /** After all rows. A writer remembers what it finds. */
  async report(
    state: TableState,
    counts: readonly Counted[],
    { again, moved, unlisted }: Elsewhere,
    call: CallOptions,
  ): Promise<DeletedFindings> {
    const { maxGaps } = this.#parts.context.limits
    const { ledger } = state.marker
    const origins = Map.groupBy(moved, ({ origin }) => keyOf(origin))
    const found = { deletedRows: 0n, deleted: [] as AuditRange[], returnedRows: 0n, returned: [] as AuditRange[] }
    const memory: DeletedOffsets[] = []
    for (const counted of counts) {
      const { entry, coverage } = counted
      const key = keyOf(entry)
      const { rows, ranges: gone } = goneIn(counted, ledger, origins.get(key) ?? [], maxGaps)
      found.deletedRows += rows
      // Which of them were moved, where not all moves are known, nobody can tell: so none is named, or remembered.
      const named = unlisted > 0n ? new FirstRanges(maxGaps) : gone
      found.deleted.push(...placed(entry, named.ranges, maxGaps - found.deleted.length))
      const before = this.#before.get(key)
      const since = before && sinceThen(before, entry, coverage, maxGaps)
      const returned = together(since?.returned, FirstRanges.of(again.returned(entry), maxGaps), maxGaps)
      found.returnedRows += returned.count
      found.returned.push(...placed(entry, returned.ranges, maxGaps - found.returned.length))
      // An adopted table lacks nothing any more by its ledger: what was deleted stays known until it is there again.
      const { count, ranges } = rows > 0n && unlisted === 0n ? gone : (since?.gone ?? named)
      const { incarnation, partition, start, frontier } = entry
      memory.push({ incarnation, partition, start, frontier, count, ranges })
    }
    await this.#remember(state, memory, again.adders, call)
    const lost = found.deletedRows - unlisted
    return { ...found, deletedRows: lost > 0n ? lost : 0n }
  }

  // Of a table that is read beside its writer, the writer says what was deleted.
  async #remember(
    state: TableState,
    found: readonly DeletedOffsets[],
    addedBy: readonly bigint[],
    call: CallOptions,
  ): Promise<void> {
    const { context, info } = this.#parts
    const { runtime, store, access } = context
    const known = new Set(found.map(keyOf))
    // An incarnation that the ledger has lost may be found again.
    const others = [...this.#before.values()].filter((entry) => !known.has(keyOf(entry)))
    const deleted = bounded([...found, ...others].filter(({ count }) => count > 0n))
    const isKnown = this.#before.size > 0 || this.addedBy.length > 0
    if (access === 'read-only' || (deleted.length === 0 && addedBy.length === 0 && !isKnown)) return
    try {
      await context.checkFence()
      const timeMs = Math.trunc(runtime.clock.now())
      const snapshot = snapshotIdOf(state.loaded)
      await storeAuditMemory(store, { topic: info.id, snapshot, timeMs, deleted, addedBy }, call)
    } catch (err) {
      // What was found is told all the same.
      runtime.logger.warn({ err, topic: info.name }, 'What a deep audit found deleted could not be stored')
    }
  }
}

/** Rows of the entry that are gone, those that stand somewhere else left out. */
function goneIn(
  counted: Counted,
  ledger: readonly LedgerEntry[],
  moved: readonly AuditMove[],
  most: number,
): { readonly rows: bigint; readonly ranges: FirstRanges } {
  const offsets = new Set(moved.map(({ origin }) => origin.offset).filter((offset) => counted.coverage.lacks(offset)))
  const rows = lackingRows(counted) - BigInt(offsets.size)
  if (rows <= 0n) return { rows: 0n, ranges: new FirstRanges(most) }
  const rising = [...offsets].sort((a, b) => (a < b ? -1 : 1))
  return { rows, ranges: FirstRanges.of(without(deletedOf(counted, ledger), rising), most) }
}

const keyOf = ({ incarnation, partition }: Pick<LedgerEntry, 'incarnation' | 'partition'>): string =>
  placeOf(incarnation, partition)

function placed(
  { incarnation, partition }: Pick<LedgerEntry, 'incarnation' | 'partition'>,
  ranges: readonly OffsetRange[],
  room: number,
): AuditRange[] {
  return ranges.slice(0, Math.max(0, room)).map(({ from, to }) => ({ incarnation, partition, from, to }))
}

/** With no more ranges than a record holds. */
function bounded(all: readonly DeletedOffsets[]): DeletedOffsets[] {
  let room = rememberedRanges
  return all.map((entry) => {
    const ranges = entry.ranges.slice(0, room)
    room -= ranges.length
    return { ...entry, ranges }
  })
}
