import { corrupt, formatCaps, jsonBytes, parseJson, sameInt64, unsupported, shown } from '@moulin/core'
import type { Int64, JsonObject, SnapshotRef, TableMetadata } from '@moulin/core'
import { fromFirstFormat, toFirstFormat } from './first-format.ts'
import { check, checkStringMap, checkStruct, optionalArray } from './metadata-shape.ts'
import { repeatedFieldId } from './schema-mapping.ts'

/** Those that are read. */
export const formatVersions: readonly number[] = [1, 2, 3]

/** `current-snapshot-id` of a table without a snapshot, as older readers need it to be present. */
export const NO_SNAPSHOT = -1

/**
 * Reads a `metadata.json`. Members that this version does not know are kept and written back by
 * {@link tableMetadataBytes}; 64-bit ids are exact. When `refs` does not name the current snapshot as branch `main`, as
 * in files of older writers, it is added. Format version 1 comes in the shape of later ones.
 *
 * `what` names the file in messages. @throws `corrupt` naming the member, code `SNAPSHOT_LOOP` for a snapshot that descends from
 * itself; `unsupported` above format version 3; `exhausted` above `maxBytes`, default `formatCaps.metadataStopBytes`.
 *
 * Spec: Iceberg, "Table Metadata and Snapshots".
 */
export function parseTableMetadata(
  input: string | Uint8Array,
  what: string,
  maxBytes: number = formatCaps.metadataStopBytes,
): TableMetadata {
  return checkTableMetadata(parseJson(input, what, maxBytes), what)
}

/** {@link parseTableMetadata} for JSON that is parsed already, such as a REST catalog's answer. */
export function checkTableMetadata(json: unknown, what: string): TableMetadata {
  const given = check.object(json, what)
  checkFormatVersion(given['format-version'], what)
  const metadata = given['format-version'] === 1 ? fromFirstFormat(given, what) : given
  for (const member of ['table-uuid', 'location']) check.string(metadata[member], `${what}: ${member}`)
  for (const member of ['last-sequence-number', 'last-updated-ms']) check.int64(metadata[member], `${what}: ${member}`)
  for (const member of ['last-column-id', 'current-schema-id', 'default-spec-id', 'last-partition-id'])
    check.int(metadata[member], `${what}: ${member}`)
  check.int(metadata['default-sort-order-id'], `${what}: default-sort-order-id`)
  if (metadata['next-row-id'] !== undefined) check.int64(metadata['next-row-id'], `${what}: next-row-id`)
  checkSchemas(metadata, what)
  checkSpecs(metadata, what)
  if (metadata['properties'] !== undefined) checkStringMap(metadata['properties'], `${what}: properties`)
  checkSnapshots(metadata, what)
  checkLogs(metadata, what)
  return withMainRef(metadata as unknown as TableMetadata, what)
}

/** The bytes to store, or to send: of format version 1 with the members that its readers need. */
export function tableMetadataBytes(metadata: TableMetadata): Uint8Array {
  return jsonBytes(metadata['format-version'] === 1 ? toFirstFormat(metadata) : metadata)
}

function checkFormatVersion(version: unknown, what: string): void {
  check.int(version, `${what}: format-version`)
  if (formatVersions.includes(version as number)) return
  const message = `${what} has format version ${version as number}; this version reads ${formatVersions.join(', ')}.`
  throw unsupported('FORMAT_VERSION', message, { context: { formatVersion: version as number } })
}

function checkSchemas(metadata: JsonObject, what: string): void {
  const ids = check.array(metadata['schemas'], `${what}: schemas`).map((member, at) => {
    const place = `${what}: schemas[${at}]`
    const schema = check.object(member, place)
    check.int(schema['schema-id'], `${place}.schema-id`)
    checkStruct(schema, place)
    const repeated = repeatedFieldId(schema as never)
    if (repeated !== undefined) throw corrupt('METADATA', `${place} uses the field id ${repeated} twice.`)
    return schema['schema-id']
  })
  checkNamed(ids, metadata['current-schema-id'], `${what}: current-schema-id`)
}

function checkSpecs(metadata: JsonObject, what: string): void {
  const specs = check.array(metadata['partition-specs'], `${what}: partition-specs`).map((member, at) => {
    const place = `${what}: partition-specs[${at}]`
    const spec = check.object(member, place)
    check.int(spec['spec-id'], `${place}.spec-id`)
    check.array(spec['fields'], `${place}.fields`).forEach((entry, index) => {
      const field = check.object(entry, `${place}.fields[${index}]`)
      if (field['source-id'] === undefined && field['source-ids'] !== undefined) {
        throw unsupported('MULTI_ARGUMENT_TRANSFORM', `${place} has a transform of several columns (format version 3).`)
      }
      for (const id of ['source-id', 'field-id']) check.int(field[id], `${place}.fields[${index}].${id}`)
      for (const text of ['name', 'transform']) check.string(field[text], `${place}.fields[${index}].${text}`)
    })
    return spec['spec-id']
  })
  checkNamed(specs, metadata['default-spec-id'], `${what}: default-spec-id`)
  const orders = check.array(metadata['sort-orders'], `${what}: sort-orders`).map((member, at) => {
    const place = `${what}: sort-orders[${at}]`
    const order = check.object(member, place)
    check.int(order['order-id'], `${place}.order-id`)
    check.array(order['fields'], `${place}.fields`)
    return order['order-id']
  })
  checkNamed(orders, metadata['default-sort-order-id'], `${what}: default-sort-order-id`)
}

function checkNamed(ids: readonly unknown[], id: unknown, what: string): void {
  if (new Set(ids).size !== ids.length) throw corrupt('METADATA', `${what}: an id is used twice in its list.`)
  if (!ids.includes(id)) throw corrupt('METADATA', `${what} names ${shown(id)}, which is not in its list.`)
}

function checkSnapshots(metadata: JsonObject, what: string): void {
  const parents = new Map<bigint, bigint | undefined>()
  optionalArray(metadata['snapshots'], `${what}: snapshots`).forEach((member, at) => {
    const place = `${what}: snapshots[${at}]`
    const snapshot = check.object(member, place)
    for (const id of ['snapshot-id', 'sequence-number', 'timestamp-ms']) check.int64(snapshot[id], `${place}.${id}`)
    const parent = snapshot['parent-snapshot-id']
    const parentId =
      parent === undefined || parent === null ? undefined : check.int64(parent, `${place}.parent-snapshot-id`)
    check.string(snapshot['manifest-list'], `${place}.manifest-list`)
    checkStringMap(snapshot['summary'], `${place}.summary`)
    if (snapshot['schema-id'] !== undefined && snapshot['schema-id'] !== null)
      check.int(snapshot['schema-id'], `${place}.schema-id`)
    for (const member of ['first-row-id', 'added-rows']) {
      if (snapshot[member] !== undefined && snapshot[member] !== null)
        check.int64(snapshot[member], `${place}.${member}`)
    }
    const id = BigInt(snapshot['snapshot-id'] as Int64)
    if (parents.has(id)) throw corrupt('METADATA', `${place} has the id ${id} of another snapshot.`)
    parents.set(id, parentId)
  })
  checkDescent(parents, `${what}: snapshots`)
  const current = metadata['current-snapshot-id']
  if (current !== undefined && current !== null) {
    check.int64(current, `${what}: current-snapshot-id`)
    if (current !== NO_SNAPSHOT && !parents.has(BigInt(current as Int64)))
      throw corrupt('METADATA', `${what}: current-snapshot-id ${shown(current)} is not among the snapshots.`)
  }
  checkRefs(metadata['refs'], parents, `${what}: refs`)
}

/** Each snapshot is looked at once: those on the way from one are known to end where it does. */
function checkDescent(parents: ReadonlyMap<bigint, bigint | undefined>, what: string): void {
  const ending = new Set<bigint>()
  for (const first of parents.keys()) {
    const way = new Set<bigint>()
    for (let id: bigint | undefined = first; id !== undefined && !ending.has(id); id = parents.get(id)) {
      if (way.has(id)) throw corrupt('SNAPSHOT_LOOP', `${what}: ${id} descends from itself.`, { context: { id } })
      way.add(id)
    }
    for (const id of way) ending.add(id)
  }
}

function checkRefs(refs: unknown, snapshots: ReadonlyMap<bigint, unknown>, what: string): void {
  if (refs === undefined || refs === null) return
  for (const [name, member] of Object.entries(check.object(refs, what))) {
    const ref = check.object(member, `${what}.${name}`)
    check.int64(ref['snapshot-id'], `${what}.${name}.snapshot-id`)
    if (ref['type'] !== 'branch' && ref['type'] !== 'tag')
      throw check.fault(ref['type'], `${what}.${name}.type`, '"branch" or "tag"')
    if (!snapshots.has(BigInt(ref['snapshot-id'] as Int64)))
      throw corrupt('METADATA', `${what}.${name} names the snapshot ${shown(ref['snapshot-id'])}, which is not there.`)
    if (ref['min-snapshots-to-keep'] !== undefined && ref['min-snapshots-to-keep'] !== null)
      check.int(ref['min-snapshots-to-keep'], `${what}.${name}.min-snapshots-to-keep`)
    for (const age of ['max-snapshot-age-ms', 'max-ref-age-ms']) {
      if (ref[age] !== undefined && ref[age] !== null) check.int64(ref[age], `${what}.${name}.${age}`)
    }
  }
}

function checkLogs(metadata: JsonObject, what: string): void {
  for (const [log, member] of [
    ['snapshot-log', 'snapshot-id'],
    ['metadata-log', 'metadata-file'],
  ] as const) {
    optionalArray(metadata[log], `${what}: ${log}`).forEach((value, at) => {
      const entry = check.object(value, `${what}: ${log}[${at}]`)
      check.int64(entry['timestamp-ms'], `${what}: ${log}[${at}].timestamp-ms`)
      const checkMember = member === 'snapshot-id' ? check.int64 : check.string
      checkMember(entry[member], `${what}: ${log}[${at}].${member}`)
    })
  }
  for (const list of ['statistics', 'partition-statistics']) {
    optionalArray(metadata[list], `${what}: ${list}`).forEach((value, at) => {
      check.int64(check.object(value, `${what}: ${list}[${at}]`)['snapshot-id'], `${what}: ${list}[${at}].snapshot-id`)
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
