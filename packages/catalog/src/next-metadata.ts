import {
  defaultLimits,
  exhausted,
  exists,
  isMoulinError,
  isSameLocation,
  MoulinError,
  notFound,
  option,
  tableText,
  unsupported,
  withDefaults,
} from '@moulin/core'
import type {
  Catalog,
  CatalogCallOptions,
  CatalogListOptions,
  Limits,
  Logger,
  LoadedTable,
  OptionCheck,
  OptionTable,
  TableCommit,
  TableIdentifier,
  TableMetadata,
} from '@moulin/core'
import { applyUpdates, checkRequirements, createdTable, tableMetadataBytes } from '@moulin/iceberg'
import type { NewTable } from '@moulin/iceberg'

export type MetadataLimits = Pick<Limits, 'metadataWarnBytes' | 'metadataStopBytes'>

export const metadataLimitsCheck: OptionCheck = option.nested<MetadataLimits>({
  metadataWarnBytes: option.positiveBytes,
  metadataStopBytes: option.positiveBytes,
})

/** Of every call of a catalog. */
export const callTable: OptionTable<CatalogCallOptions> = {
  signal: option.abortSignal,
  limits: option.someLimits,
  changeId: option.text,
  fresh: option.flag,
}

export const listTable: OptionTable<CatalogListOptions> = { ...callTable, namespace: option.listOf(option.text) }

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

/** What a version is made with, beside what it is made of. */
export interface NextContext {
  readonly nowMs: number
  readonly commitId: string
  readonly limits: MetadataLimits
  readonly logger: Logger
}

/**
 * What a commit makes of the present table: requirements checked, updates applied, the metadata log extended by the
 * present version, and `moulin-commit-id` set, by which a committer knows its own bytes again. No I/O.
 */
export function nextMetadata(
  current: LoadedTable & { readonly sizeBytes: number },
  commit: TableCommit,
  context: NextContext,
): NextMetadata {
  checkRequirements(current.metadata, commit.requirements)
  const applied = applyUpdates(current.metadata, commit.updates, {
    nowMs: context.nowMs,
    previousLocation: current.metadataLocation,
    metadataLogBytes: metadataLogBytes(context.limits),
  })
  if (applied.location !== current.metadata.location) {
    const message = `The table ${tableText(current.identifier)} cannot move to ${applied.location}: its folder is its name.`
    throw unsupported('SET_LOCATION', message)
  }
  const next = stamped(applied, context.commitId)
  checkSize(current, next.bytes.length, context)
  return next
}

/** What the metadata log may take, whatever `write.metadata.previous-versions-max` says. */
export function metadataLogBytes({ metadataWarnBytes }: MetadataLimits): number {
  return metadataWarnBytes / 8
}

/** Whether a commit makes a table, where there is none. */
export function isCreation({ requirements }: TableCommit): boolean {
  return requirements.some(({ type }) => type === 'assert-create')
}

/** {@link nextMetadata} of no table: what a commit with the requirement `assert-create` makes. */
export function firstMetadata(
  identifier: TableIdentifier,
  commit: TableCommit,
  context: NextContext & Omit<NewTable, 'nowMs'>,
): NextMetadata {
  checkRequirements(undefined, commit.requirements)
  // Where it was asked to lie, its catalog has looked at before; this is the one spelling.
  const made = { ...createdTable(commit.updates, context), location: context.location }
  const next = stamped(made, context.commitId)
  checkSize({ identifier, sizeBytes: 0 }, next.bytes.length, context)
  return next
}

/** Where a commit that makes a table wants it to lie. */
export function askedLocation({ updates }: TableCommit): string | undefined {
  const update = updates.findLast(({ action }) => action === 'set-location')
  return update?.action === 'set-location' ? update.location : undefined
}

/** @throws `unsupported` code `TABLE_LOCATION` for another location than the one that the table has in its catalog. */
export function checkLocation(table: TableIdentifier, asked: string | undefined, location: string): void {
  if (asked === undefined || isSameLocation(asked, location)) return
  const message = `${tableText(table)} lies at ${location}, not at ${asked}.`
  throw unsupported('TABLE_LOCATION', message, { context: { table: tableText(table), location, asked } })
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

export function tableExists(table: TableIdentifier): Error {
  const name = tableText(table)
  return exists('TABLE_EXISTS', `The table ${name} exists already.`, { context: { table: name } })
}

export function noMetadata(metadataLocation: string): Error {
  const message = `There is no table metadata at ${metadataLocation}.`
  return notFound('FILE_VANISHED', message, { context: { metadataLocation } })
}

export function noTable(table: TableIdentifier): Error {
  return notFound('TABLE_MISSING', `There is no table ${tableText(table)}.`, { context: { table: tableText(table) } })
}

/** What the call gives; an error of it names the table in its context. */
export function ofTable<T>(table: TableIdentifier, call: () => T): T {
  try {
    return call()
  } catch (error) {
    if (!isMoulinError(error) || error.context['table'] !== undefined) throw error
    const { kind, code, message, outcome, retryable } = error
    const context = { ...error.context, table: tableText(table) }
    throw new MoulinError(kind, code, message, { outcome, retryable, context, cause: error })
  }
}
