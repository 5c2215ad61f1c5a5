import { defaultLimits, exhausted, notFound, option, tableText, unsupported, withDefaults } from '@moulin/core'
import type {
  Catalog,
  CatalogCallOptions,
  Limits,
  Logger,
  LoadedTable,
  OptionCheck,
  OptionTable,
  TableCommit,
  TableIdentifier,
  TableMetadata,
} from '@moulin/core'
import { applyUpdates, checkRequirements, tableMetadataBytes } from '@moulin/iceberg'

export type MetadataLimits = Pick<Limits, 'metadataWarnBytes' | 'metadataStopBytes'>

export const metadataLimitsCheck: OptionCheck = option.nested<MetadataLimits>({
  metadataWarnBytes: option.positiveBytes,
  metadataStopBytes: option.positiveBytes,
})

/** Of every call of a catalog. */
export const callTable: OptionTable<CatalogCallOptions> = { signal: option.abortSignal, limits: option.someLimits }

/** A catalog's own limits, before those of the call. */
export function metadataLimits(
  own: Partial<MetadataLimits> | undefined,
  ofCall: MetadataLimits | undefined,
): MetadataLimits {
  const byDefault = withDefaults<MetadataLimits>(defaultLimits, ofCall)
  const { metadataWarnBytes, metadataStopBytes } = withDefaults<MetadataLimits>(byDefault, own)
  return { metadataWarnBytes, metadataStopBytes }
}

/** What a catalog says of a limit of its own; see `Catalog.metadataWarnBytes`. */
export function warnBytesOf(own: Partial<MetadataLimits> | undefined): Pick<Catalog, 'metadataWarnBytes'> {
  return own?.metadataWarnBytes === undefined ? {} : { metadataWarnBytes: own.metadataWarnBytes }
}

/** A version of a table's metadata that is about to be stored. */
export interface NextMetadata {
  readonly metadata: TableMetadata
  readonly bytes: Uint8Array
}

/**
 * What a commit makes of the present table: requirements checked, updates applied, the metadata log extended by the
 * present version, and `moulin-commit-id` set, by which a committer knows its own bytes again. No I/O.
 */
export function nextMetadata(
  current: LoadedTable & { readonly sizeBytes: number },
  commit: TableCommit,
  context: {
    readonly nowMs: number
    readonly commitId: string
    readonly limits: MetadataLimits
    readonly logger: Logger
  },
): NextMetadata {
  checkRequirements(current.metadata, commit.requirements)
  const applied = applyUpdates(current.metadata, commit.updates, {
    nowMs: context.nowMs,
    previousLocation: current.metadataLocation,
    // Whatever `write.metadata.previous-versions-max` says.
    metadataLogBytes: context.limits.metadataWarnBytes / 8,
  })
  if (applied.location !== current.metadata.location) {
    const message = `The table ${tableText(current.identifier)} cannot move to ${applied.location}: its folder is its name.`
    throw unsupported('SET_LOCATION', message)
  }
  const next = stamped(applied, context.commitId)
  checkSize(current, next.bytes.length, context)
  return next
}

/** The metadata with the id of the attempt that stores it. */
export function stamped(metadata: TableMetadata, commitId: string): NextMetadata {
  const marked = { ...metadata, 'moulin-commit-id': commitId }
  return { metadata: marked, bytes: tableMetadataBytes(marked) }
}

/**
 * A commit that makes the metadata smaller goes through at any size: expiry is the way out. A new table has 0 bytes before.
 * @throws `exhausted` code `METADATA_TOO_LARGE`.
 */
export function checkSize(
  current: { readonly identifier: TableIdentifier; readonly sizeBytes: number },
  sizeBytes: number,
  { limits, logger }: { readonly limits: MetadataLimits; readonly logger: Logger },
): void {
  const table = tableText(current.identifier)
  const remedy = 'expire snapshots, or shorten what the table properties hold'
  if (sizeBytes > limits.metadataStopBytes && sizeBytes > current.sizeBytes) {
    const message = `The metadata of ${table} would have ${sizeBytes} bytes; metadataStopBytes is ${limits.metadataStopBytes}: ${remedy}.`
    throw exhausted('METADATA_TOO_LARGE', message, { context: { table, sizeBytes, limit: limits.metadataStopBytes } })
  }
  if (sizeBytes > limits.metadataWarnBytes) {
    logger.warn({ table, sizeBytes, limit: limits.metadataWarnBytes }, `table metadata grows large: ${remedy}`)
  }
}

export function noTable(table: TableIdentifier): Error {
  return notFound('TABLE_MISSING', `There is no table ${tableText(table)}.`, { context: { table: tableText(table) } })
}
