import { checkOptions, invalid, jsonBytes, option, shown, unsupported } from '@moulin/core'
import type { OptionTable, TableMetadata, TableUpdate } from '@moulin/core'
import type { Change } from './change.ts'
import { FIRST_ROW_ID } from './format-version.ts'
import { laterOf, toInt64 } from './int64.ts'
import { propertyOf } from './metadata-lookup.ts'
import { addSchema, addSortOrder, addSpec, idOfLast, removeSchemas, removeSpecs } from './schema-updates.ts'
import { addSnapshot, removeRef, removeSnapshots, setRef } from './snapshot-updates.ts'
import { removeStatistics, setStatistics } from './statistics-updates.ts'

export interface ApplyOptions {
  readonly nowMs: number
  /** Where the metadata that is changed was stored: goes into the metadata log. */
  readonly previousLocation?: string
  /** What the metadata log may take, about; the oldest entries go first. Default: no bound but the table's own. */
  readonly metadataLogBytes?: number
}

const optionTable: OptionTable<ApplyOptions> = {
  nowMs: option.required(option.milliseconds()),
  previousLocation: option.text,
  metadataLogBytes: option.aboutBytes,
}

/** Default of `write.metadata.previous-versions-max`. */
export const PREVIOUS_VERSIONS_MAX = 100

/**
 * What the updates make of the table, all or nothing; the input stays as it is. `last-updated-ms` never falls, even
 * when the clock does. An id of -1 in `set-current-schema`, `set-default-spec` and `set-default-sort-order` means the
 * one that an earlier update of the same commit added.
 *
 * @throws `invalid` for an update that contradicts the table (a snapshot id used before, a sequence number that does
 * not rise, an unknown id, a schema in use); `unsupported` for what needs another format version, or is not known.
 *
 * Spec: Iceberg REST catalog, `TableUpdate`.
 */
export function applyUpdates(
  metadata: TableMetadata,
  updates: readonly TableUpdate[],
  options: ApplyOptions,
): TableMetadata {
  checkOptions('applyUpdates', options, optionTable)
  const change: Change = { nowMs: options.nowMs, lastAdded: {}, addedSnapshotIds: new Set() }
  let next = metadata
  for (const update of updates) next = applyUpdate(next, update, change)
  const touched = laterOf(next['last-updated-ms'], laterOf(metadata['last-updated-ms'], toInt64(BigInt(options.nowMs))))
  next = { ...next, 'last-updated-ms': touched }
  const { previousLocation, metadataLogBytes = Infinity } = options
  return previousLocation === undefined ? next : withMetadataLog(next, metadata, previousLocation, metadataLogBytes)
}

function applyUpdate(metadata: TableMetadata, update: TableUpdate, change: Change): TableMetadata {
  const { lastAdded } = change
  switch (update.action) {
    case 'assign-uuid':
      return checkUuid(metadata, update.uuid)
    case 'upgrade-format-version':
      return upgraded(metadata, update['format-version'])
    case 'add-schema':
      return addSchema(metadata, update, change)
    case 'set-current-schema': {
      const id = idOfLast(update['schema-id'], lastAdded.schemaId, 'set-current-schema')
      checkKnown(
        metadata.schemas.map((schema) => schema['schema-id']),
        id,
        'schema',
      )
      return { ...metadata, 'current-schema-id': id }
    }
    case 'add-spec':
      return addSpec(metadata, update.spec, change)
    case 'set-default-spec': {
      const id = idOfLast(update['spec-id'], lastAdded.specId, 'set-default-spec')
      checkKnown(
        metadata['partition-specs'].map((spec) => spec['spec-id']),
        id,
        'partition spec',
      )
      return { ...metadata, 'default-spec-id': id }
    }
    case 'add-sort-order':
      return addSortOrder(metadata, update['sort-order'], change)
    case 'set-default-sort-order': {
      const id = idOfLast(update['sort-order-id'], lastAdded.sortOrderId, 'set-default-sort-order')
      checkKnown(
        metadata['sort-orders'].map((order) => order['order-id']),
        id,
        'sort order',
      )
      return { ...metadata, 'default-sort-order-id': id }
    }
    case 'add-snapshot':
      return addSnapshot(metadata, update.snapshot, change)
    case 'set-snapshot-ref': {
      const { action: _, 'ref-name': name, ...ref } = update
      return setRef(metadata, name, ref, change)
    }
    case 'remove-snapshot-ref':
      return removeRef(metadata, update['ref-name'])
    case 'remove-snapshots':
      return removeSnapshots(metadata, update['snapshot-ids'])
    case 'set-location':
      return { ...metadata, location: update.location.replace(/\/+$/, '') }
    case 'set-properties':
      return { ...metadata, properties: { ...metadata.properties, ...update.updates } }
    case 'remove-properties':
      return removeProperties(metadata, update.removals)
    case 'remove-schemas':
      return removeSchemas(metadata, update['schema-ids'])
    case 'remove-partition-specs':
      return removeSpecs(metadata, update['spec-ids'])
    case 'set-statistics':
      return setStatistics(metadata, 'statistics', update.statistics, update['snapshot-id'])
    case 'remove-statistics':
      return removeStatistics(metadata, 'statistics', update['snapshot-id'])
    case 'set-partition-statistics':
      return setStatistics(metadata, 'partition-statistics', update['partition-statistics'])
    case 'remove-partition-statistics':
      return removeStatistics(metadata, 'partition-statistics', update['snapshot-id'])
    case 'enable-row-lineage': {
      // Version 3 always has it.
      if (metadata['format-version'] === 3) return metadata
      throw unsupported('TABLE_UPDATE', 'Row lineage needs format version 3: upgrade the table instead.')
    }
    case 'add-encryption-key':
    case 'remove-encryption-key': {
      const message = `The table update ${update.action} is of encrypted tables, which are not supported.`
      throw unsupported('TABLE_UPDATE', message, { context: { action: update.action } })
    }
    default: {
      const { action } = update as { action: unknown }
      throw unsupported('TABLE_UPDATE', `The table update ${shown(action)} is not known to this version.`)
    }
  }
}

function checkUuid(metadata: TableMetadata, uuid: string): TableMetadata {
  if (uuid.toLowerCase() === metadata['table-uuid'].toLowerCase()) return metadata
  const message = `The table's UUID is ${metadata['table-uuid']}; it cannot become ${uuid}.`
  throw invalid('TABLE_UUID', message, { context: { uuid, present: metadata['table-uuid'] } })
}

/** Snapshots that are there stay without row ids: the first commit gives their files some. Spec: "Row Lineage". */
function upgraded(metadata: TableMetadata, version: number): TableMetadata {
  const present = metadata['format-version']
  if (version === present) return metadata
  // What is older than version 2 is older than any sequence number: {@link fromFirstFormat}.
  if (present === 1 && version === 2) return { ...metadata, 'format-version': 2 }
  if (present < 3 && version === 3) return { ...metadata, 'format-version': 3, 'next-row-id': FIRST_ROW_ID }
  const message = `The table of format version ${present} cannot become one of version ${version}: 1 becomes 2, and both become 3; nothing goes back.`
  throw unsupported('FORMAT_VERSION', message, { context: { formatVersion: version, present } })
}

function checkKnown(ids: readonly (number | undefined)[], id: number, what: string): void {
  if (!ids.includes(id)) throw invalid('UNKNOWN_ID', `The table has no ${what} with the id ${id}.`, { context: { id } })
}

function removeProperties(metadata: TableMetadata, removals: readonly string[]): TableMetadata {
  const gone = new Set(removals)
  const kept = Object.entries(metadata.properties ?? {}).filter(([name]) => !gone.has(name))
  return { ...metadata, properties: Object.fromEntries(kept) }
}

function withMetadataLog(
  next: TableMetadata,
  previous: TableMetadata,
  location: string,
  maxBytes: number,
): TableMetadata {
  const entry = { 'timestamp-ms': previous['last-updated-ms'], 'metadata-file': location }
  // All entries are about as long.
  const count = Math.max(1, Math.min(previousVersionsMax(next), Math.floor(maxBytes / jsonBytes(entry).length)))
  return { ...next, 'metadata-log': [...(next['metadata-log'] ?? []), entry].slice(-count) }
}

/** How many earlier metadata files a table names: `write.metadata.previous-versions-max`, at least 1. */
export function previousVersionsMax(metadata: TableMetadata): number {
  const text = propertyOf(metadata, 'write.metadata.previous-versions-max')
  if (text === undefined) return PREVIOUS_VERSIONS_MAX
  if (!/^\d{1,6}$/.test(text)) {
    throw invalid('PROPERTY', `write.metadata.previous-versions-max must be an integer of 1 to 999999, not ${text}.`)
  }
  return Math.max(1, Number(text))
}
