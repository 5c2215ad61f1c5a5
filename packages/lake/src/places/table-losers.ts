import { throwIfAborted } from '@moulin/core'
import type { CallOptions, ColdContext, ColdTopicInfo, TableFiles } from '@moulin/core'
import { ancestors, currentSnapshot } from '@moulin/iceberg'
import type { ClaimedPlaces, GroupClaims } from './claimed-places.ts'
import { planOver } from '../replay/cold-plan.ts'
import type { ColdPlan, FileLists, PlannedGroup } from '../replay/cold-plan.ts'
import { placesBy } from '../replay/cold-window.ts'
import type { Places } from '../replay/cold-window.ts'
import type { RowIndexes } from '../replay/row-index.ts'
import { isOwnPlace } from '../live/data-files.ts'
import type { LiveFiles } from '../live/live-files.ts'
import { nameMappingOf } from '../live/name-mappings.ts'
import { doubledPlaces } from './doubled-places.ts'
import type { ClaimingGroup, DoubledPlaces } from './doubled-places.ts'
import { PlacedFiles } from './placed-files.ts'
import type { PlacedFile } from './placed-files.ts'
import { LostRows } from './lost-rows.ts'
import type { MissingFiles } from '../look/missing-files.ts'
import { suspectPlaces } from './suspect-places.ts'
import { summaryKeys } from '../table/system-columns.ts'
import { listedName } from '../table/table-objects.ts'
import { snapshotIdOf } from '../table/table-state.ts'
import type { TableState } from '../table/table-state.ts'

export interface RowPlacesParts {
  readonly info: ColdTopicInfo
  readonly context: ColdContext
  readonly files: LiveFiles
  readonly tableFiles: Pick<TableFiles, 'spellings' | 'canonical' | 'under'>
  readonly fileLists: FileLists
  readonly indexes: RowIndexes
  /** Bytes of data files, about, that are held decoded at a time. */
  readonly windowBytes: number
}

/** Of rows by rising offset: 1 for each that does not count; undefined where no two are at one place. */
export type LostOf = (plan: ColdPlan, places: Places, call: CallOptions) => Promise<Uint8Array | undefined>

/** What is remembered from one snapshot to the next. */
export interface LosersMemory {
  readonly claims: ClaimedPlaces
  /** Row groups that were compared and have no place in common share an object. */
  readonly apart: WeakMap<GroupClaims, object>
  /** A snapshot without files of others, each listed once. */
  pureAt: bigint | null | undefined
}

/** Of fewer places where they have more rows than this. */
const ROWS_AT_ONCE = 262_144
/** Of rows that do not count, the least used files forgotten beyond it, and looked at anew. */
const KEPT_BYTES = 64 * 1024 * 1024

/** A row group of a file that is looked at. */
interface Member extends ClaimingGroup {
  readonly placed: PlacedFile
}

/**
 * The rows of a table's files that do not count, file by file as they are asked for. Manifests say which files may share
 * places; of these the identity columns are read, once; and only rows that do share one are compared.
 */
export class TableLosers {
  readonly snapshotId: bigint | null
  readonly commit: string
  readonly missing: MissingFiles
  /** What rows are bound by may be gone without a new snapshot. */
  readonly schemaId: number
  /** What names mean in files without field ids: which rows have a place. */
  readonly mapping: string | undefined
  readonly #parts: RowPlacesParts
  readonly #lostOf: LostOf
  readonly #state: TableState
  readonly #memory: LosersMemory
  readonly #kept = new Map<string, LostRows>()
  #keptBytes = 0
  #files: PlacedFiles | undefined
  #isProven: boolean | undefined

  constructor(parts: RowPlacesParts, lostOf: LostOf, state: TableState, memory: LosersMemory) {
    this.#parts = parts
    this.#lostOf = lostOf
    this.#state = state
    this.#memory = memory
    this.snapshotId = snapshotIdOf(state.loaded)
    this.commit = state.marker.commit
    this.missing = state.missing
    this.schemaId = state.loaded.metadata['current-schema-id']
    this.mapping = nameMappingOf(state.loaded.metadata)?.key
  }

  /** Undefined where all rows of the file count. */
  async of(filePath: string, call: CallOptions): Promise<LostRows | undefined> {
    if (await this.isPure(call)) return undefined
    const files = this.#files!
    const placed = files.get(filePath)
    if (placed === undefined) return undefined
    const known = this.#kept.get(filePath)
    if (known !== undefined) {
      this.#kept.delete(filePath)
      this.#kept.set(filePath, known)
      return known.size === 0 ? undefined : known
    }
    const rivals = files.rivalsOf(placed)
    if (rivals.length === 0 && !placed.isStranger) return undefined
    const found = await this.#resolve(files, placed, rivals, call)
    return found.size === 0 ? undefined : found
  }

  /** Whether no other file may have rows at places of this one's, so that it decides of none of them who counts. */
  async isAlone(filePath: string, call: CallOptions): Promise<boolean> {
    if (await this.isPure(call)) return true
    const placed = this.#files?.get(filePath)
    return placed !== undefined && this.#files!.rivalsOf(placed).length === 0
  }

  /** Whether all files are the log's own, none of which shares places with another. */
  async isPure(call: CallOptions): Promise<boolean> {
    if (this.isOurs) return true
    return (this.#files ??= await this.#listed(call)).isPure
  }

  /** Whether the metadata shows that only the log ever committed, or since there were no files of others. */
  get isOurs(): boolean {
    return (this.#isProven ??= this.#onlyLog())
  }

  #onlyLog(): boolean {
    const { metadata } = this.#state.loaded
    for (const snapshot of ancestors(metadata)) {
      const isKnown = BigInt(snapshot['snapshot-id']) === this.#memory.pureAt
      if (!isKnown && snapshot.summary[summaryKeys.topic] !== this.#parts.info.id) return false
      const parent = snapshot['parent-snapshot-id']
      if (!isKnown && parent !== undefined && parent !== null) continue
      this.#memory.pureAt = this.snapshotId
      return true
    }
    return currentSnapshot(metadata) === undefined
  }

  async #listed(call: CallOptions): Promise<PlacedFiles> {
    const { fileLists, tableFiles } = this.#parts
    const { columns, loaded } = this.#state
    const files = new PlacedFiles(columns, isOwnPlace(tableFiles, loaded.metadata))
    for await (const task of fileLists.all(this.#state, call)) {
      files.add(task, listedName(tableFiles, task.file.filePath))
    }
    if (files.isPure && files.isOnce && this.missing.size === 0) this.#memory.pureAt = this.snapshotId
    return files
  }

  async #resolve(
    files: PlacedFiles,
    placed: PlacedFile,
    rivals: readonly PlacedFile[],
    call: CallOptions,
  ): Promise<LostRows> {
    const members = await this.#members([placed, ...rivals], call)
    // Where offsets lie scattered over files, to look at one is to look at all of them.
    const all = new Set([placed, ...rivals])
    const isScattered = members.some(({ claims }) => !claims.isExact)
    const targets = isScattered
      ? [placed, ...rivals.filter((one) => files.rivalsOf(one).every((r) => all.has(r)))]
      : [placed]
    const found = (await this.#lostIn(members, targets, call)) ?? (await this.#lostIn(members, [placed], call))!
    for (const [{ listings }, losers] of found) this.#keep(listings.asOne.file.filePath, losers)
    return found.get(placed)!
  }

  async #members(files: readonly PlacedFile[], call: CallOptions): Promise<Member[]> {
    const members: Member[] = []
    const { metadata } = this.#state.loaded
    for (const placed of files) {
      throwIfAborted(call.signal)
      const file = await this.#parts.files.open(placed.listings.asOne, metadata, call)
      for (let rowGroup = 0; rowGroup < file.rowGroups.length; rowGroup++) {
        const claims = await this.#memory.claims.of(file, rowGroup, this.#state.columns, call)
        members.push({ placed, file, rowGroup, claims })
      }
    }
    return members
  }

  /** Undefined where that would be too much to remember for more than one file. */
  async #lostIn(
    members: readonly Member[],
    targets: readonly PlacedFile[],
    call: CallOptions,
  ): Promise<Map<PlacedFile, LostRows> | undefined> {
    const found = new Map(targets.map((placed) => [placed, new LostRows()]))
    const { apart } = this.#memory
    const claimants = members.map(({ placed, claims }) => ({
      claims,
      isTarget: found.has(placed),
      apart: apart.get(claims),
    }))
    let isDoubled = false
    const suspects = suspectPlaces(claimants, this.#state.marker.ledger)
    for await (const doubled of doubledPlaces(members, suspects, this.#state.columns, call)) {
      isDoubled = true
      await this.#compare(members, doubled, found, call)
      if (targets.length > 1 && sizeOf(found) > KEPT_BYTES) return undefined
    }
    if (!isDoubled && new Set(members.map(({ placed }) => placed)).size === targets.length) {
      const together = {}
      for (const { claims } of members) apart.set(claims, together)
    }
    return found
  }

  async #compare(
    members: readonly Member[],
    { partition, incarnation, offsets }: DoubledPlaces,
    found: ReadonlyMap<PlacedFile, LostRows>,
    call: CallOptions,
  ): Promise<void> {
    const groups: (PlannedGroup & { readonly placed: PlacedFile })[] = []
    const [first, last] = [offsets[0]!, offsets.at(-1)!]
    for (const { placed, file, rowGroup, claims } of members) {
      const spans = claims.spans.filter(
        (span) =>
          span.incarnation === incarnation && span.partition === partition && span.from <= last && first < span.to,
      )
      if (spans.length === 0) continue
      groups.push({ placed, file, rowGroup, min: spans[0]!.from, max: spans.at(-1)!.to - 1n })
    }
    const plan = planOver(this.#state, partition, groups)
    const rows: { readonly offset: bigint; readonly group: number; readonly row: number }[] = []
    for (const [group, { file, rowGroup }] of plan.groups.entries()) {
      const there = await this.#parts.indexes.rows(file, rowGroup, plan, this.#state.columns, call)
      for (const offset of offsets) {
        for (let at = there.lowerBound(offset); at < there.length && there.offset(at) === offset; at++) {
          rows.push({ offset, group, row: there.row(at) })
        }
      }
      if (rows.length <= ROWS_AT_ONCE || offsets.length === 1) continue
      const half = offsets.length >> 1
      for (const some of [offsets.slice(0, half), offsets.slice(half)]) {
        await this.#compare(members, { partition, incarnation, offsets: some }, found, call)
      }
      return
    }
    const places = placesBy(
      BigInt64Array.from(rows, ({ offset }) => offset),
      Int32Array.from(rows, ({ group }) => group),
      Int32Array.from(rows, ({ row }) => row),
    )
    const lost = await this.#lostOf(plan, places, call)
    for (let at = 0; at < places.length; at++) {
      if (lost?.[at] !== 1) continue
      const { placed, file, rowGroup } = plan.groups[places.groups[at]!]! as (typeof groups)[number]
      found.get(placed)?.add(rowGroup, file.rowGroups[rowGroup]!.rowCount, places.rows[at]!)
    }
  }

  #keep(filePath: string, losers: LostRows): void {
    if (this.#kept.has(filePath)) return
    this.#kept.set(filePath, losers)
    this.#keptBytes += losers.sizeBytes
    for (const [path, oldest] of this.#kept) {
      if (this.#keptBytes <= KEPT_BYTES || path === filePath) break
      this.#kept.delete(path)
      this.#keptBytes -= oldest.sizeBytes
    }
  }
}

function sizeOf(found: ReadonlyMap<PlacedFile, LostRows>): number {
  let bytes = 0
  for (const losers of found.values()) bytes += losers.sizeBytes
  return bytes
}
