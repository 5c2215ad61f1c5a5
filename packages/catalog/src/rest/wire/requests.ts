import { invalid, isKind, parseJson } from '@moulin/core'
import type { CreateTableRequest, JsonObject, NamedCommit, PartitionSpec, SortOrder, TableCommit } from '@moulin/core'
import { checkSchema } from '@moulin/iceberg'
import { nameKey } from '../../open-names.ts'
import { check, distinct, identifierIn, maybe, namespaceIn, stringMap } from './body-checks.ts'
import { requirementIn, updateIn } from './commit-shapes.ts'
import type {
  CommitTableBody,
  CommitTransactionBody,
  CreateNamespaceBody,
  CreateTableBody,
  NamespaceChangeBody,
  RegisterTableBody,
  RenameTableBody,
} from './messages.ts'

// What a server makes of the bodies that it is asked with. They throw `invalid` code `BAD_REQUEST`; members that the specification does
// not have are passed over.

export type ReadRequest<T> = (bytes: Uint8Array) => T

function reader<T>(what: string, read: (body: JsonObject, what: string) => T): ReadRequest<T> {
  return (bytes) => {
    try {
      return read(check.object(parseJson(bytes, what, Infinity), what), what)
    } catch (error) {
      if (isKind(error, 'corrupt')) throw invalid('BAD_REQUEST', error.message, { cause: error })
      throw error
    }
  }
}

export const readCreateNamespace: ReadRequest<CreateNamespaceBody> = reader('The namespace', (body, what) => ({
  namespace: namespaceIn(body['namespace'], `${what}: namespace`),
  ...maybe(body, 'properties', (map) => stringMap(map, `${what}: properties`)),
}))

export const readSetProperties: ReadRequest<NamespaceChangeBody> = reader('The change', (body, what) => ({
  ...maybe(body, 'removals', (list) => check.strings(list, what, 'removals')),
  ...maybe(body, 'updates', (map) => stringMap(map, `${what}: updates`)),
}))

export const readCreateTable: ReadRequest<CreateTableBody> = reader('The table', (body, what) => {
  checkSchema(body['schema'], `${what}: schema`)
  return {
    name: check.string(body['name'], what, 'name'),
    schema: body['schema'] as never,
    ...maybe(body, 'location', (text) => check.string(text, what, 'location')),
    ...maybe(body, 'partition-spec', (spec) => partitionSpecIn(spec, `${what}: partition-spec`)),
    ...maybe(body, 'write-order', (order) => sortOrderIn(order, `${what}: write-order`)),
    ...maybe(body, 'stage-create', (flag) => check.boolean(flag, what, 'stage-create')),
    ...maybe(body, 'properties', (map) => stringMap(map, `${what}: properties`)),
  }
})

/** As the door takes it. */
export function createRequestOf(body: CreateTableBody): CreateTableRequest {
  const { schema, location, 'partition-spec': partitionSpec, 'write-order': sortOrder, properties } = body
  return {
    schema,
    ...(location === undefined ? {} : { location }),
    ...(partitionSpec === undefined ? {} : { partitionSpec }),
    ...(sortOrder === undefined ? {} : { sortOrder }),
    ...(properties === undefined ? {} : { properties }),
  }
}

/** {@link createRequestOf} back. Apache's servers read no partition spec without an id, whatever becomes of it. */
export function createBodyOf(name: string, request: CreateTableRequest, isStaged: boolean): CreateTableBody {
  const { schema, location, partitionSpec, sortOrder, properties } = request
  return {
    name,
    schema,
    ...(location === undefined ? {} : { location }),
    ...(partitionSpec === undefined ? {} : { 'partition-spec': { 'spec-id': 0, ...partitionSpec } }),
    ...(sortOrder === undefined ? {} : { 'write-order': sortOrder }),
    ...(isStaged ? { 'stage-create': true } : {}),
    ...(properties === undefined ? {} : { properties }),
  }
}

export const readRegisterTable: ReadRequest<RegisterTableBody> = reader('The registration', (body, what) => ({
  name: check.string(body['name'], what, 'name'),
  'metadata-location': check.string(body['metadata-location'], what, 'metadata-location'),
  ...maybe(body, 'overwrite', (flag) => check.boolean(flag, what, 'overwrite')),
}))

export const readRenameTable: ReadRequest<RenameTableBody> = reader('The new name', (body, what) => ({
  source: identifierIn(body['source'], `${what}: source`),
  destination: identifierIn(body['destination'], `${what}: destination`),
}))

export const readCommitTable: ReadRequest<CommitTableBody> = reader('The commit', (body, what) => ({
  ...commitIn(body, what),
  ...maybe(body, 'identifier', (value) => identifierIn(value, `${what}: identifier`)),
}))

export const readCommitTransaction: ReadRequest<CommitTransactionBody> = reader('The transaction', (body, what) => {
  const changes = check.array(body['table-changes'], what, 'table-changes').map((member, at): NamedCommit => {
    const place = `${what}: table-changes[${at}]`
    const change = check.object(member, place)
    return {
      identifier: identifierIn(change['identifier'], `${place}.identifier`),
      ...commitIn(change, place),
    }
  })
  const nameOf = ({ identifier: { namespace, name } }: NamedCommit): string => nameKey([...namespace, name])
  return { 'table-changes': distinct(changes, `${what}: table-changes`, nameOf) }
})

/** The body of a commit, as {@link createBodyOf} is of a table. */
export function commitBodyOf({ identifier: { namespace, name }, requirements, updates }: NamedCommit): NamedCommit {
  const whole = updates.map((update) =>
    update.action === 'add-spec' ? { ...update, spec: { 'spec-id': 0, ...update.spec } } : update,
  )
  return { identifier: { namespace, name }, requirements, updates: whole }
}

function commitIn(body: JsonObject, what: string): TableCommit {
  const list = (member: string): readonly unknown[] => check.array(body[member] ?? [], what, member)
  return {
    requirements: list('requirements').map((value, at) => requirementIn(value, `${what}: requirements[${at}]`)),
    updates: list('updates').map((value, at) => updateIn(value, `${what}: updates[${at}]`)),
  }
}

function partitionSpecIn(value: unknown, what: string): PartitionSpec {
  return requireFields(value, what) as unknown as PartitionSpec
}

function sortOrderIn(value: unknown, what: string): SortOrder {
  return requireFields(value, what) as unknown as SortOrder
}

function requireFields(value: unknown, what: string): JsonObject {
  const object = check.object(value, what)
  check.array(object['fields'], what, 'fields')
  return object
}
