import type { JsonObject, JsonValue, TableRequirement, TableUpdate } from '@moulin/core'
import { checkSchema } from '@moulin/iceberg'
import { check, stringMap } from './body-checks.ts'

// The shape of what a commit asks for. What it means, and whether the table can have it, is for `applyUpdates` and `checkRequirements`,
// which also know an action or a type that has no row here.

type Read = (value: JsonValue | undefined, what: string) => void

interface Members {
  readonly must: Readonly<Record<string, Read>>
  readonly may?: Readonly<Record<string, Read>>
}

const text: Read = (value, what) => void check.string(value, what)
const int: Read = (value, what) => void check.int(value, what)
const int64: Read = (value, what) => void check.int64(value, what)
const ints: Read = (value, what) => void listed(value, what, int)
const strings: Read = (value, what) => void check.strings(value, what)
const map: Read = (value, what) => void stringMap(value, what)
const schema: Read = (value, what) => checkSchema(value, what)
const list: Read = (value, what) => void check.array(value, what)

function listed(value: JsonValue | undefined, what: string, read: Read): void {
  check.array(value, what).forEach((member, at) => read(member, `${what}[${at}]`))
}

function struct(members: Members): Read {
  return (value, what) => void membersIn(check.object(value, what), what, members)
}

const ref: Members['may'] = { 'min-snapshots-to-keep': int, 'max-snapshot-age-ms': int64, 'max-ref-age-ms': int64 }
const refType: Read = (value, what) => {
  if (value !== 'branch' && value !== 'tag') throw check.fault(value, what, '"branch" or "tag"')
}

const partitionField = struct({ must: { 'source-id': int, name: text, transform: text }, may: { 'field-id': int } })
const snapshot = struct({
  must: { 'snapshot-id': int64, 'sequence-number': int64, 'timestamp-ms': int64, summary: map },
  may: {
    'manifest-list': text,
    'parent-snapshot-id': int64,
    'schema-id': int,
    'first-row-id': int64,
    'added-rows': int64,
  },
})
const partitionStatistics = {
  must: { 'snapshot-id': int64, 'statistics-path': text, 'file-size-in-bytes': int64 },
}
const statistics: Members = {
  must: { ...partitionStatistics.must, 'file-footer-size-in-bytes': int64, 'blob-metadata': list },
}

const updates: Readonly<Record<TableUpdate['action'], Members>> = {
  'assign-uuid': { must: { uuid: text } },
  'upgrade-format-version': { must: { 'format-version': int } },
  'add-schema': { must: { schema }, may: { 'last-column-id': int } },
  'set-current-schema': { must: { 'schema-id': int } },
  'add-spec': {
    must: { spec: struct({ must: { fields: (value, what) => listed(value, what, partitionField) } }) },
  },
  'set-default-spec': { must: { 'spec-id': int } },
  'add-sort-order': { must: { 'sort-order': struct({ must: { fields: list } }) } },
  'set-default-sort-order': { must: { 'sort-order-id': int } },
  'add-snapshot': { must: { snapshot } },
  'set-snapshot-ref': { must: { 'ref-name': text, 'snapshot-id': int64, type: refType }, may: ref },
  'remove-snapshot-ref': { must: { 'ref-name': text } },
  'remove-snapshots': { must: { 'snapshot-ids': (value, what) => listed(value, what, int64) } },
  'set-location': { must: { location: text } },
  'set-properties': { must: { updates: map } },
  'remove-properties': { must: { removals: strings } },
  'remove-schemas': { must: { 'schema-ids': ints } },
  'remove-partition-specs': { must: { 'spec-ids': ints } },
  'set-statistics': { must: { statistics: struct(statistics) }, may: { 'snapshot-id': int64 } },
  'remove-statistics': { must: { 'snapshot-id': int64 } },
  'set-partition-statistics': { must: { 'partition-statistics': struct(partitionStatistics) } },
  'remove-partition-statistics': { must: { 'snapshot-id': int64 } },
  'enable-row-lineage': { must: {} },
  'add-encryption-key': { must: {} },
  'remove-encryption-key': { must: {} },
}

const requirements: Readonly<Record<TableRequirement['type'], Members>> = {
  'assert-create': { must: {} },
  'assert-table-uuid': { must: { uuid: text } },
  'assert-ref-snapshot-id': { must: { ref: text }, may: { 'snapshot-id': int64 } },
  'assert-last-assigned-field-id': { must: { 'last-assigned-field-id': int } },
  'assert-current-schema-id': { must: { 'current-schema-id': int } },
  'assert-last-assigned-partition-id': { must: { 'last-assigned-partition-id': int } },
  'assert-default-spec-id': { must: { 'default-spec-id': int } },
  'assert-default-sort-order-id': { must: { 'default-sort-order-id': int } },
}

export function updateIn(value: unknown, what: string): TableUpdate {
  const update = check.object(value, what)
  const read = membersIn(update, what, membersOf(updates, check.string(update['action'], what, 'action')))
  // Some write null for what they leave out.
  const { snapshot } = read
  return (snapshot === undefined ? read : { ...read, snapshot: withoutNulls(snapshot as JsonObject) }) as never
}

export function requirementIn(value: unknown, what: string): TableRequirement {
  const requirement = check.object(value, what)
  const type = check.string(requirement['type'], what, 'type')
  const read = membersIn(requirement, what, membersOf(requirements, type))
  // Here null says something: the ref is not there.
  return (type === 'assert-ref-snapshot-id' ? { 'snapshot-id': null, ...read } : read) as never
}

function membersOf(rows: Readonly<Record<string, Members>>, name: string): Members {
  return Object.hasOwn(rows, name) ? rows[name]! : { must: {} }
}

/** The object, without members that are null. */
function membersIn(object: JsonObject, what: string, { must, may = {} }: Members): JsonObject {
  for (const [name, read] of Object.entries(must)) read(object[name], `${what}.${name}`)
  for (const [name, read] of Object.entries(may)) {
    const value = object[name]
    if (value !== undefined && value !== null) read(value, `${what}.${name}`)
  }
  return withoutNulls(object)
}

function withoutNulls(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null))
}
