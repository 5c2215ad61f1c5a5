import { exists, isKind, notFound } from '@moulin/core'
import type {
  CallOptions,
  Catalog,
  ColdContext,
  ColdTopicInfo,
  LoadedTable,
  ObjectStore,
  TableIdentifier,
} from '@moulin/core'
import { currentSnapshot, propertyOf } from '@moulin/iceberg'
import type { DataFiles } from './data-files.ts'
import { ForeignRows } from './foreign-rows.ts'
import type { LedgerEntry } from './ledger.ts'
import { lineageBroken, lostRanges, verdictOf } from './lineage.ts'
import type { LineageFault, Verdict } from './lineage.ts'
import type { FieldIds } from './field-ids.ts'
import { firstMarker, markerKey, presentLedger, writeMarker } from './marker.ts'
import type { Marker } from './marker.ts'
import { MarkerStore } from './marker-store.ts'
import { createTableRequest, fieldIdsOf, tableColumns, tableIdentifier, tableLayout } from './table-layout.ts'
import type { TableColumns, TableLayout } from './table-layout.ts'

/** The table at one moment, found intact. */
export interface TableState {
  readonly loaded: LoadedTable
  readonly marker: Marker
  /** Objects that the marker names in the log's store. */
  readonly objects: readonly string[]
  /** What the next marker says of field ids; undefined while they are those that we asked for. */
  readonly fieldIds: FieldIds | undefined
  /** Of the topic's present incarnation, by partition. */
  readonly entries: readonly LedgerEntry[]
  readonly columns: TableColumns
}

export interface TopicTableParts {
  readonly catalog: Catalog
  /** Where the table's objects are. */
  readonly store: ObjectStore
  readonly files: DataFiles
  readonly info: ColdTopicInfo
  readonly context: ColdContext
}

/** One topic's table: finds or makes it, and says at every load whether it is the one that the marker speaks of. */
export class TopicTable {
  readonly identifier: TableIdentifier
  readonly layout: TableLayout
  /** Reads and stores the topic's markers. */
  readonly markers: MarkerStore
  readonly #parts: TopicTableParts
  readonly #foreignRows: ForeignRows
  #state: TableState | undefined

  constructor(parts: TopicTableParts) {
    this.#parts = parts
    this.identifier = tableIdentifier(parts.info.table)
    this.layout = tableLayout(parts.info)
    this.markers = new MarkerStore(parts.context.store, parts.info, parts.context.limits)
    this.#foreignRows = new ForeignRows(parts)
  }

  /** As of the last load. */
  get state(): TableState {
    return this.#state!
  }

  /** Finds the table or creates it, empty, with its marker. */
  async attach(): Promise<TableState> {
    const { catalog, context, info } = this.#parts
    let loaded: LoadedTable
    try {
      loaded = await catalog.loadTable(this.identifier)
    } catch (error) {
      if (!isKind(error, 'not-found')) throw error
      const { fault, reason } = { fault: 'no-marker' as const, reason: 'the table is gone' }
      const lost = lostRanges(info.startOffsets, context.hot.releasedOffsets())
      if (lost.length > 0) throw lineageBroken(info.table, { fault, reason }, lost)
      if (context.access === 'read-only') {
        const message = `Topic ${info.name} has no table ${info.table} yet; a writer creates it when it opens the topic.`
        throw notFound('TABLE_MISSING', message, { context: { topic: info.name, table: info.table }, cause: error })
      }
      loaded = await this.#create()
    }
    const state = await this.#adopt(loaded, {})
    return context.access === 'read-write' ? await this.#recordIds(state) : state
  }

  /** Reads the table anew. @throws `conflict` code `LINEAGE_BROKEN`; `unsupported` for a schema that drifted. */
  async load(options: CallOptions = {}): Promise<TableState> {
    let loaded: LoadedTable
    try {
      loaded = await this.#parts.catalog.loadTable(this.identifier, options)
    } catch (error) {
      if (!isKind(error, 'not-found')) throw error
      throw this.#broken({ fault: 'replaced-table', reason: 'the table is gone' })
    }
    return this.#adopt(loaded, options)
  }

  /** {@link load} of a table that was just read. */
  accept(loaded: LoadedTable): Promise<TableState> {
    return this.#adopt(loaded, {})
  }

  // An answer that got lost leaves a table with our marker, which the load then finds.
  async #create(): Promise<LoadedTable> {
    const { catalog, context, info } = this.#parts
    const marker = firstMarker(info, context.epoch, context.runtime.random.uuid())
    const written = writeMarker(marker, context.limits.markerBytes)
    const properties = { [markerKey(info.id)]: written.text }
    await this.markers.put(written)
    try {
      return await catalog.createTable(this.identifier, createTableRequest(this.layout, properties))
    } catch (error) {
      const mayExist = isKind(error, 'exists') || (error as { outcome?: string }).outcome === 'unknown'
      if (!mayExist) throw error
      return await catalog.loadTable(this.identifier)
    }
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
    await catalog.commitTable(this.identifier, {
      requirements: [
        { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
        {
          type: 'assert-ref-snapshot-id',
          ref: 'main',
          'snapshot-id': currentSnapshot(metadata)?.['snapshot-id'] ?? null,
        },
        { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
      ],
      updates: [{ action: 'set-properties', updates: { [markerKey(info.id)]: written.text } }],
    })
    return await this.load()
  }

  async #adopt(loaded: LoadedTable, options: CallOptions): Promise<TableState> {
    const { info, context } = this.#parts
    const markers = await this.markers.read(loaded.metadata, options)
    const verdict = verdictOf({
      metadata: loaded.metadata,
      info,
      tableUuid: this.#state?.loaded.metadata['table-uuid'],
      released: context.hot.releasedOffsets(),
      committed: context.access === 'read-write' ? context.hot.committedOffsets() : undefined,
      markers,
    })
    if (verdict.kind === 'broken') throw this.#refusal(loaded, verdict)
    const { marker, foreign } = verdict
    const fieldIds = fieldIdsOf(loaded.metadata, this.layout, marker, info.table)
    const columns = tableColumns(loaded.metadata, this.layout, info.table, fieldIds)
    const objects = markers.own?.marker === undefined ? [] : markers.own.objects
    const state: TableState = { loaded, marker, objects, fieldIds, entries: presentLedger(marker, info), columns }
    const rows = foreign.length === 0 ? undefined : await this.#foreignRows.above(state, options)
    if (rows !== undefined) throw this.#broken({ fault: 'foreign-rows', reason: rows })
    this.#state = state
    return state
  }

  // A table that was never ours is a clash of names; one that was is a broken history.
  #refusal(loaded: LoadedTable, verdict: Verdict & { kind: 'broken' }): Error {
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
    return this.#broken(verdict)
  }

  #broken(verdict: { fault: LineageFault; reason: string; reached?: readonly bigint[] }): Error {
    const { info, context } = this.#parts
    const lost = lostRanges(info.startOffsets, context.hot.releasedOffsets(), verdict.reached)
    return lineageBroken(info.table, verdict, lost)
  }
}

/** Id of the table's current snapshot; null while it has none. */
export function snapshotIdOf({ metadata }: LoadedTable): bigint | null {
  const snapshot = currentSnapshot(metadata)
  return snapshot === undefined ? null : BigInt(snapshot['snapshot-id'])
}

/** The text of the topic's marker as the table has it. */
export function markerOn({ metadata }: LoadedTable, topicId: string): string | undefined {
  return propertyOf(metadata, markerKey(topicId))
}
