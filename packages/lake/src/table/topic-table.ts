import { exists, fenced, isKind, mayBeThere, notFound, tableIdentifier } from '@moulin/core'
import type {
  CallOptions,
  Catalog,
  ColdContext,
  ColdTopicInfo,
  LoadedTable,
  RenewableFiles,
  TableIdentifier,
  TableMetadata,
} from '@moulin/core'
import { currentSnapshot, propertyOf } from '@moulin/iceberg'
import type { ManifestRoom } from '@moulin/iceberg'
import { nameFault, tableWarnings } from './column-names.ts'
import type { LiveFiles } from '../live/live-files.ts'
import { nameMappingOf } from '../live/name-mappings.ts'
import { ForeignRows } from './foreign-rows.ts'
import { evidenceFor } from './lineage-evidence.ts'
import { lineageBroken, logBehindTable, lostRanges, verdictByEvidence, verdictOf } from './lineage.ts'
import type { CutChain, LineageFault, Verdict } from './lineage.ts'
import { firstMarker, markerKey, presentLedger, writeMarker } from './marker.ts'
import type { Marker } from './marker.ts'
import { MarkerStore } from './marker-store.ts'
import type { OwnCommits } from './own-commits.ts'
import { noneMissing } from '../look/missing-files.ts'
import type { MissingFiles } from '../look/missing-files.ts'
import type { FoundMarkers } from './marker-store.ts'
import {
  checkFillable,
  createTableRequest,
  fieldIdsOf,
  lacksSchema,
  schemaMissing,
  tableColumns,
  tableLayout,
} from './table-layout.ts'
import type { TableColumns, TableLayout } from './table-layout.ts'
import { snapshotIdOf } from './table-state.ts'
import type { TableState } from './table-state.ts'

export interface TopicTableParts {
  readonly catalog: Catalog
  /** Told of what each load of the table says of credentials. */
  readonly tableFiles: RenewableFiles
  readonly files: LiveFiles
  readonly manifests?: ManifestRoom | undefined
  readonly info: ColdTopicInfo
  readonly context: ColdContext
  /** Of this process, for the topic: what they say, the log knew. */
  readonly ownCommits: OwnCommits
}

/** When the catalog was asked for a table, and what could be known of the answer then. */
export interface Asked {
  /** Whoever asks later gets no older answer. */
  readonly order: number
  /** What the write-ahead tier had let go of: an answer may be older than what is let go of while it is under way. */
  readonly released: readonly bigint[]
}

/** What a table that is not there any more is called. */
export const goneTable = { fault: 'replaced-table', reason: 'the table is gone' } as const

/** A verdict, and of what it is one. */
interface Judged {
  readonly snapshotId: bigint | null
  readonly commit: string
  readonly mapping: string | undefined
  readonly verdict: Verdict
}

/** One topic's table: finds or makes it, and says at every load whether it is the one that the marker speaks of. */
export class TopicTable {
  readonly identifier: TableIdentifier
  readonly layout: TableLayout
  /** Reads and stores the topic's markers. */
  readonly markers: MarkerStore
  /** What the last look at the table's files has found missing (file-look). */
  missing: MissingFiles = noneMissing
  readonly #parts: TopicTableParts
  readonly #foreignRows: ForeignRows
  #state: TableState | undefined
  #asked = 0
  /** Order of the question whose answer the state is. */
  #stateOrder = 0
  /** The last cut chain that evidence was looked for; it holds for the same snapshot and marker. */
  #judged: Judged | undefined

  constructor(parts: TopicTableParts) {
    this.#parts = parts
    this.identifier = tableIdentifier(parts.info.table)
    this.layout = tableLayout(parts.info)
    this.markers = new MarkerStore(parts.context.store, parts.info)
    this.#foreignRows = new ForeignRows(parts)
  }

  /** As of the newest answer of the catalog. */
  get state(): TableState {
    return this.#state!
  }

  /** To be called right before the catalog is asked for the table. */
  ask(): Asked {
    return { order: ++this.#asked, released: [...this.#parts.context.hot.releasedOffsets()] }
  }

  /** Finds the table or creates it, empty, with its marker. */
  async attach(): Promise<TableState> {
    const { catalog, context, info } = this.#parts
    const asked = this.ask()
    let loaded: LoadedTable
    try {
      loaded = await catalog.loadTable(this.identifier)
    } catch (error) {
      if (!isKind(error, 'not-found')) throw error
      const lost = lostRanges(info.startOffsets, context.hot.releasedOffsets())
      if (lost.length > 0) await this.refuse(lineageBroken(info.table, goneTable, lost))
      if (context.access === 'read-only') {
        const message = `Topic ${info.name} has no table ${info.table} yet; a writer creates it when it opens the topic.`
        throw notFound('TABLE_MISSING', message, { context: { topic: info.name, table: info.table }, cause: error })
      }
      loaded = await this.create()
    }
    const state = await this.#adopt(loaded, asked, {})
    return context.access === 'read-write' ? await this.#recordIds(state) : state
  }

  /**
   * Reads the table anew; an answer that comes after that to a later question is not looked at, and the later one given.
   * @throws `conflict` code `LINEAGE_BROKEN`; `unsupported` for a schema that drifted.
   */
  async load(options: CallOptions = {}): Promise<TableState> {
    const asked = this.ask()
    let loaded: LoadedTable
    try {
      loaded = await this.#parts.catalog.loadTable(this.identifier, options)
    } catch (error) {
      if (!isKind(error, 'not-found')) throw error
      const later = this.#laterThan(asked)
      return later === undefined ? await this.refuse(this.broken(goneTable)) : this.#present(later)
    }
    return this.#adopt(loaded, asked, options)
  }

  /** {@link load} of a table that was just read. */
  accept(loaded: LoadedTable, asked: Asked): Promise<TableState> {
    return this.#adopt(loaded, asked, {})
  }

  /** Throws the error, but `fenced` where a newer writer has taken over: then it is this writer that is out of date. */
  async refuse(error: unknown): Promise<never> {
    await this.#parts.context.checkFence()
    throw error
  }

  /** A table without rows. An answer that got lost leaves one with our marker, which the load then finds. */
  async create(): Promise<LoadedTable> {
    const { catalog, context, info, ownCommits } = this.#parts
    if (lacksSchema(info)) throw schemaMissing(info)
    const commit = context.runtime.random.uuid()
    ownCommits.add(commit)
    const written = writeMarker(firstMarker(info, context.epoch, commit), context.limits.markerBytes)
    const properties = { [markerKey(info.id)]: written.text }
    await this.markers.put(written)
    this.#warn()
    try {
      return await catalog.createTable(this.identifier, createTableRequest(this.layout, properties), {
        limits: context.limits,
      })
    } catch (error) {
      if (!mayBeThere(error)) throw error
      return await catalog.loadTable(this.identifier).catch((failure: unknown) => {
        // Something else is in its place, or nothing came of it.
        throw isKind(failure, 'not-found') ? error : failure
      })
    }
  }

  // Once, while the table can still be another one. A topic made without this tier may have names that it would refuse.
  #warn(): void {
    const { context, info } = this.#parts
    const fields = { topic: info.name, table: info.table }
    const fault = nameFault(this.layout)
    if (fault !== undefined) {
      context.runtime.logger.warn({ ...fields, ...fault }, 'Other engines cannot read a column of this table')
    }
    for (const warning of tableWarnings(this.layout)) context.runtime.logger.warn(fields, warning)
  }

  /**
   * Where the catalog gave other ids than we asked for, the marker says so before the table has a row, or a chance to
   * change. A process that dies before that leaves a first marker beside the first schema, which says the same.
   */
  async #recordIds(state: TableState): Promise<TableState> {
    const { catalog, context, info } = this.#parts
    if (state.fieldIds === undefined || state.marker.fieldIds !== undefined) return state
    const written = writeMarker({ ...state.marker, fieldIds: state.fieldIds }, context.limits.markerBytes)
    await this.markers.put(written)
    const { metadata } = state.loaded
    const snapshot = currentSnapshot(metadata)?.['snapshot-id'] ?? null
    try {
      await catalog.commitTable(
        this.identifier,
        {
          requirements: [
            { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
            { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': snapshot },
            { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
          ],
          updates: [{ action: 'set-properties', updates: { [markerKey(info.id)]: written.text } }],
        },
        { limits: context.limits },
      )
    } catch (error) {
      // Lost to another commit, or its answer was: the table says whether the ids are there by now.
      const again = await this.load()
      if (again.marker.fieldIds === undefined) throw error
      return again
    }
    return await this.load()
  }

  /** What a later question was answered with before an earlier one. */
  #laterThan({ order }: Asked): TableState | undefined {
    return order < this.#stateOrder ? this.#state : undefined
  }

  #present(state: TableState): TableState {
    return { ...state, missing: this.missing }
  }

  async #adopt(loaded: LoadedTable, asked: Asked, options: CallOptions): Promise<TableState> {
    const known = this.#laterThan(asked)
    if (known !== undefined) return this.#present(known)
    const { markers, verdict } = await this.judge(loaded, asked, options)
    const later = this.#laterThan(asked)
    if (later !== undefined) return this.#present(later)
    if (verdict.kind === 'broken') return this.refuse(this.refusal(loaded, verdict))
    const { kind, marker, foreign } = verdict
    const lineage = { verdict: kind, evidence: kind === 'plausible' ? verdict.evidence : null }
    const objects = markers.own?.marker === undefined ? [] : markers.own.objects
    const state = this.stateOf({ loaded, lineage, marker, objects, isForeign: foreign.length > 0 })
    this.#warnOfGone(state.columns.gone)
    this.#state = state
    this.#stateOrder = asked.order
    return state
  }

  // Once for what is gone: nothing is refused, and nothing of it comes back.
  #warnOfGone(gone: readonly string[]): void {
    const known = this.#state?.columns.gone ?? []
    const columns = gone.filter((path) => !known.includes(path))
    if (columns.length === 0) return
    const { context, info } = this.#parts
    const fields = { topic: info.name, table: info.table, columns: columns.join(', ') }
    context.runtime.logger.warn(
      fields,
      'The table has columns of the topic no more: what they held of records is not kept',
    )
  }

  /** What the marker and the files say of the table; asks for nothing that the verdict does not need. */
  async judge(
    loaded: LoadedTable,
    { released }: Asked,
    options: CallOptions,
  ): Promise<{ markers: FoundMarkers; verdict: Verdict }> {
    const { info, context, tableFiles } = this.#parts
    const known = this.#state?.loaded.metadata['table-uuid']
    // What reaches the files of a table that stands under its name instead is not for those of ours.
    if (known === undefined || known === loaded.metadata['table-uuid']) tableFiles.renew(loaded)
    const markers = await this.markers.read(loaded.metadata, options)
    const found = verdictOf({
      metadata: loaded.metadata,
      info,
      tableUuid: known,
      released,
      // Of now: the table may hold what has been committed since it was asked for.
      committed: context.access === 'read-write' ? context.hot.committedOffsets() : undefined,
      recovered: (marker) => this.#recovered(marker),
      markers,
    })
    const lost = found.kind === 'broken' ? undefined : this.#lostIdentity(loaded, found.marker)
    if (lost !== undefined) return { markers, verdict: lost }
    return { markers, verdict: found.kind === 'cut' ? await this.#byEvidence(loaded, found, options) : found }
  }

  /** Without one of these columns no row is a record, whatever the history says: files written then have none. */
  #lostIdentity({ metadata }: LoadedTable, marker: Marker): (Verdict & { kind: 'broken' }) | undefined {
    const name = this.#columnsOf(metadata, marker).lostIdentity
    if (name === undefined) return undefined
    const reason = `the column ${name} is gone, without which no row says which record it is`
    const remedy =
      'Make the earlier schema current again, which has the column by its id (a new one of the same name is another column).'
    return { kind: 'broken', fault: 'lost-identity', reason, remedy }
  }

  #columnsOf(metadata: TableMetadata, marker: Marker): TableColumns {
    const { table } = this.#parts.info
    return tableColumns(metadata, this.layout, table, fieldIdsOf(metadata, this.layout, marker, table))
  }

  /** @throws `unsupported` code `SCHEMA_DRIFT` for a table whose columns are not ours any more. */
  stateOf(known: Omit<TableState, 'fieldIds' | 'entries' | 'columns' | 'missing'>): TableState {
    const { info } = this.#parts
    const { loaded, marker } = known
    const fieldIds = fieldIdsOf(loaded.metadata, this.layout, marker, info.table)
    const columns = tableColumns(loaded.metadata, this.layout, info.table, fieldIds)
    return { ...known, fieldIds, entries: presentLedger(marker, info), columns, missing: this.missing }
  }

  /**
   * Refuses to tier beside rows of others at or above the frontier: no reader sees them, but a commit would.
   * @throws `conflict` code `LINEAGE_BROKEN`; `unsupported` code `REQUIRED_COLUMN`.
   */
  async checkTierable(state: TableState, options: CallOptions): Promise<void> {
    checkFillable(state.columns, this.#parts.info.table)
    const reason = await this.rowsAbove(state, options)
    if (reason !== undefined) await this.refuse(this.broken({ fault: 'foreign-rows', reason }))
  }

  /** Says of the first row of others at or above the frontier where it is; undefined: there is none. */
  async rowsAbove(state: TableState, options: CallOptions): Promise<string | undefined> {
    return state.isForeign ? await this.#foreignRows.above(state, options) : undefined
  }

  async #byEvidence(loaded: LoadedTable, chain: CutChain, options: CallOptions): Promise<Verdict> {
    const { metadata } = loaded
    const snapshotId = snapshotIdOf(loaded)
    const { commit } = chain.marker
    // It says which rows have a place, and is no part of the snapshot.
    const mapping = nameMappingOf(metadata)?.key
    const judged = this.#judged
    if (judged?.snapshotId !== snapshotId || judged.commit !== commit || judged.mapping !== mapping) {
      const columns = this.#columnsOf(metadata, chain.marker)
      const evidence = await evidenceFor(this.#parts, { metadata, marker: chain.marker, columns }, options)
      const verdict = verdictByEvidence(chain, evidence)
      this.#judged = { snapshotId, commit, mapping, verdict }
      return verdict
    }
    return judged.verdict
  }

  #recovered({ commit, epoch }: Marker): readonly bigint[] | undefined {
    const { context, ownCommits } = this.#parts
    if (context.access === 'read-only' || ownCommits.has(commit)) return undefined
    // A newer writer took over beside us: it has the right to know more, and we are fenced.
    if (this.#state !== undefined && epoch > context.epoch) return undefined
    return context.hot.recoveredOffsets()
  }

  /** A table that was never ours is a clash of names; one that was is a broken history. */
  refusal(loaded: LoadedTable, verdict: Verdict & { kind: 'broken' }): Error {
    const { info, context } = this.#parts
    const { fault, reason } = verdict
    const wasOurs = this.#state !== undefined || lostRanges(info.startOffsets, context.hot.releasedOffsets()).length > 0
    const isOthers = fault === 'other-log' || fault === 'other-topic'
    if ((fault === 'no-marker' || isOthers) && !wasOurs) {
      const code = isOthers ? 'TABLE_OF_ANOTHER' : 'TABLE_EXISTS'
      const message =
        `The table ${info.table} exists and is not topic ${info.name}'s: ${reason}. ` +
        'Choose another table for the topic, or remove that one.'
      const { metadataLocation } = loaded
      return exists(code, message, { context: { topic: info.name, table: info.table, metadataLocation } })
    }
    if (verdict.ahead !== undefined) return logBehindTable(info.name, info.table, verdict.ahead)
    return this.broken(verdict)
  }

  /** The error of a broken history, with what is in doubt. */
  broken(verdict: { fault: LineageFault; reason: string; reached?: readonly bigint[]; remedy?: string }): Error {
    const { info, context } = this.#parts
    const lost = lostRanges(info.startOffsets, context.hot.releasedOffsets(), verdict.reached)
    return lineageBroken(info.table, verdict, lost)
  }
}

/** @throws `fenced` when the marker is of a newer writer. */
export function checkEpoch(parts: Pick<TopicTableParts, 'info' | 'context'>, { epoch }: Marker): void {
  const { info, context } = parts
  if (epoch <= context.epoch) return
  const message = `Epoch ${epoch} tiers topic ${info.name} by now; this writer has epoch ${context.epoch}.`
  throw fenced('FENCED', message, { context: { epoch, ours: context.epoch } })
}

/** The text of the topic's marker as the table has it. */
export function markerOn({ metadata }: LoadedTable, topicId: string): string | undefined {
  return propertyOf(metadata, markerKey(topicId))
}
