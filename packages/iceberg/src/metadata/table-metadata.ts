import { corrupt, jsonBytes, parseJson, sameInt64, unsupported, shown } from '@moulin/core'
import type { Int64, SnapshotRef, TableMetadata } from '@moulin/core'
import type { JsonObject } from './metadata-shape.ts'
import {
  arrayOf,
  checkInt,
  checkInt64,
  checkString,
  checkStringMap,
  checkStruct,
  objectOf,
  optionalArrayOf,
} from './metadata-shape.ts'
import { repeatedFieldId } from './schema-mapping.ts'

/** The one format version that is read and written. */
export const FORMAT_VERSION = 2

/** `current-snapshot-id` of a table without a snapshot, as older readers need it to be present. */
export const NO_SNAPSHOT = -1

/**
 * Reads a `metadata.json`. Members that this version does not know are kept and written back by
 * {@link tableMetadataBytes}; 64-bit ids are exact. When `refs` does not name the current snapshot as branch `main`, as
 * in files of older writers, it is added.
 *
 * `what` names the file in messages. @throws `corrupt` naming the member; `unsupported` for format version 1 and above
 * 2; `exhausted` above `maxBytes`.
 *
 * Spec: Iceberg, "Table Metadata and Snapshots".
 */
export function parseTableMetadata(input: string | Uint8Array, what: string, maxBytes?: number): TableMetadata {
  return checkTableMetadata(parseJson(input, what, maxBytes), what)
}

/** {@link parseTableMetadata} for JSON that is parsed already, such as a REST catalog's answer. */
export function checkTableMetadata(json: unknown, what: string): TableMetadata {
  const metadata = objectOf(json, what)
  checkFormatVersion(metadata['format-version'], what)
  for (const member of ['table-uuid', 'location']) checkString(metadata[member], `${what}: ${member}`)
  for (const member of ['last-sequence-number', 'last-updated-ms']) checkInt64(metadata[member], `${what}: ${member}`)
  for (const member of ['last-column-id', 'current-schema-id', 'default-spec-id', 'last-partition-id'])
    checkInt(metadata[member], `${what}: ${member}`)
  checkInt(metadata['default-sort-order-id'], `${what}: default-sort-order-id`)
  checkSchemas(metadata, what)
  checkSpecs(metadata, what)
  if (metadata['properties'] !== undefined) checkStringMap(metadata['properties'], `${what}: properties`)
  checkSnapshots(metadata, what)
  checkLogs(metadata, what)
  return withMainRef(metadata as unknown as TableMetadata, what)
}

/** The bytes to store. */
export function tableMetadataBytes(metadata: TableMetadata): Uint8Array {
  return jsonBytes(metadata)
}

function checkFormatVersion(version: unknown, what: string): void {
  checkInt(version, `${what}: format-version`)
  if (version === FORMAT_VERSION) return
  const message = `${what} has format version ${version as number}; this version reads and writes ${FORMAT_VERSION} only.`
  throw unsupported('FORMAT_VERSION', message, { context: { formatVersion: version as number } })
}

function checkSchemas(metadata: JsonObject, what: string): void {
  const ids = arrayOf(metadata['schemas'], `${what}: schemas`).map((member, at) => {
    const place = `${what}: schemas[${at}]`
    const schema = objectOf(member, place)
    checkInt(schema['schema-id'], `${place}.schema-id`)
    checkStruct(schema, place)
    const repeated = repeatedFieldId(schema as never)
    if (repeated !== undefined) throw corrupt('METADATA', `${place} uses the field id ${repeated} twice.`)
    return schema['schema-id']
  })
  checkNamed(ids, metadata['current-schema-id'], `${what}: current-schema-id`)
}

function checkSpecs(metadata: JsonObject, what: string): void {
  const specs = arrayOf(metadata['partition-specs'], `${what}: partition-specs`).map((member, at) => {
    const place = `${what}: partition-specs[${at}]`
    const spec = objectOf(member, place)
    checkInt(spec['spec-id'], `${place}.spec-id`)
    arrayOf(spec['fields'], `${place}.fields`).forEach((entry, index) => {
      const field = objectOf(entry, `${place}.fields[${index}]`)
      if (field['source-id'] === undefined && field['source-ids'] !== undefined) {
        throw unsupported('MULTI_ARGUMENT_TRANSFORM', `${place} has a transform of several columns (format version 3).`)
      }
      for (const id of ['source-id', 'field-id']) checkInt(field[id], `${place}.fields[${index}].${id}`)
      for (const text of ['name', 'transform']) checkString(field[text], `${place}.fields[${index}].${text}`)
    })
    return spec['spec-id']
  })
  checkNamed(specs, metadata['default-spec-id'], `${what}: default-spec-id`)
  const orders = arrayOf(metadata['sort-orders'], `${what}: sort-orders`).map((member, at) => {
    const place = `${what}: sort-orders[${at}]`
    const order = objectOf(member, place)
    checkInt(order['order-id'], `${place}.order-id`)
    arrayOf(order['fields'], `${place}.fields`)
    return order['order-id']
  })
  checkNamed(orders, metadata['default-sort-order-id'], `${what}: default-sort-order-id`)
}

function checkNamed(ids: readonly unknown[], id: unknown, what: string): void {
  if (new Set(ids).size !== ids.length) throw corrupt('METADATA', `${what}: an id is used twice in its list.`)
  if (!ids.includes(id)) throw corrupt('METADATA', `${what} names ${shown(id)}, which is not in its list.`)
}

function checkSnapshots(metadata: JsonObject, what: string): void {
  const ids = new Set<bigint>()
  optionalArrayOf(metadata['snapshots'], `${what}: snapshots`).forEach((member, at) => {
    const place = `${what}: snapshots[${at}]`
    const snapshot = objectOf(member, place)
    for (const id of ['snapshot-id', 'sequence-number', 'timestamp-ms']) checkInt64(snapshot[id], `${place}.${id}`)
    const parent = snapshot['parent-snapshot-id']
    if (parent !== undefined && parent !== null) checkInt64(parent, `${place}.parent-snapshot-id`)
    if (snapshot['manifest-list'] === undefined && snapshot['manifests'] !== undefined) {
      throw unsupported('FORMAT_VERSION', `${place} lists its manifests inline, as format version 1 did.`)
    }
    checkString(snapshot['manifest-list'], `${place}.manifest-list`)
    checkStringMap(snapshot['summary'], `${place}.summary`)
    if (snapshot['schema-id'] !== undefined && snapshot['schema-id'] !== null)
      checkInt(snapshot['schema-id'], `${place}.schema-id`)
    const id = BigInt(snapshot['snapshot-id'] as Int64)
    if (ids.has(id)) throw corrupt('METADATA', `${place} has the id ${id} of another snapshot.`)
    ids.add(id)
  })
  const current = metadata['current-snapshot-id']
  if (current !== undefined && current !== null) {
    checkInt64(current, `${what}: current-snapshot-id`)
    if (current !== NO_SNAPSHOT && !ids.has(BigInt(current as Int64)))
      throw corrupt('METADATA', `${what}: current-snapshot-id ${shown(current)} is not among the snapshots.`)
  }
  checkRefs(metadata['refs'], ids, `${what}: refs`)
}

function checkRefs(refs: unknown, snapshotIds: ReadonlySet<bigint>, what: string): void {
  if (refs === undefined || refs === null) return
  for (const [name, member] of Object.entries(objectOf(refs, what))) {
    const ref = objectOf(member, `${what}.${name}`)
    checkInt64(ref['snapshot-id'], `${what}.${name}.snapshot-id`)
    if (ref['type'] !== 'branch' && ref['type'] !== 'tag')
      throw corrupt('METADATA', `${what}.${name}.type must be "branch" or "tag"; it is ${shown(ref['type'])}.`)
    if (!snapshotIds.has(BigInt(ref['snapshot-id'] as Int64)))
      throw corrupt('METADATA', `${what}.${name} names the snapshot ${shown(ref['snapshot-id'])}, which is not there.`)
    if (ref['min-snapshots-to-keep'] !== undefined && ref['min-snapshots-to-keep'] !== null)
      checkInt(ref['min-snapshots-to-keep'], `${what}.${name}.min-snapshots-to-keep`)
    for (const age of ['max-snapshot-age-ms', 'max-ref-age-ms']) {
      if (ref[age] !== undefined && ref[age] !== null) checkInt64(ref[age], `${what}.${name}.${age}`)
    }
  }
}

function checkLogs(metadata: JsonObject, what: string): void {
  for (const [log, member] of [
    ['snapshot-log', 'snapshot-id'],
    ['metadata-log', 'metadata-file'],
  ] as const) {
    optionalArrayOf(metadata[log], `${what}: ${log}`).forEach((value, at) => {
      const entry = objectOf(value, `${what}: ${log}[${at}]`)
      checkInt64(entry['timestamp-ms'], `${what}: ${log}[${at}].timestamp-ms`)
      const check = member === 'snapshot-id' ? checkInt64 : checkString
      check(entry[member], `${what}: ${log}[${at}].${member}`)
    })
  }
  for (const list of ['statistics', 'partition-statistics']) {
    optionalArrayOf(metadata[list], `${what}: ${list}`).forEach((value, at) => {
      checkInt64(objectOf(value, `${what}: ${list}[${at}]`)['snapshot-id'], `${what}: ${list}[${at}].snapshot-id`)
    })
  }
}

function withMainRef(metadata: TableMetadata, what: string): TableMetadata {
  const current = metadata['current-snapshot-id'] ?? NO_SNAPSHOT
  const refs: Readonly<Record<string, SnapshotRef>> = metadata.refs ?? {}
  const main = Object.hasOwn(refs, 'main') ? refs['main'] : undefined
  if (main === undefined) {
    if (current === NO_SNAPSHOT) return metadata
    return { ...metadata, refs: { ...refs, main: { type: 'branch', 'snapshot-id': current } } }
  }
  if (main.type !== 'branch' || !sameInt64(main['snapshot-id'], current))
    throw corrupt('METADATA', `${what}: the ref main is not a branch at the current snapshot ${String(current)}.`)
  return metadata
}
