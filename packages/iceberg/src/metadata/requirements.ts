import { conflict, sameInt64, unsupported } from '@moulin/core'
import type { Int64, TableMetadata, TableRequirement } from '@moulin/core'

/**
 * Checks what a commit requires of the table; `metadata` is undefined while the table does not exist.
 *
 * @throws `conflict` code `REQUIREMENT_FAILED` naming the requirement, the wanted and the present value: nothing
 * happened, reload and decide. `unsupported` for a requirement of another specification.
 *
 * Spec: Iceberg REST catalog, `TableRequirement`.
 */
export function checkRequirements(
  metadata: TableMetadata | undefined,
  requirements: readonly TableRequirement[],
): void {
  for (const requirement of requirements) checkRequirement(metadata, requirement)
}

function checkRequirement(metadata: TableMetadata | undefined, requirement: TableRequirement): void {
  const { type } = requirement
  if (type === 'assert-create') {
    if (metadata !== undefined) throw failed(type, 'no table', metadata['table-uuid'])
    return
  }
  if (metadata === undefined) throw failed(type, 'a table', undefined)
  switch (type) {
    case 'assert-table-uuid':
      return same(type, requirement.uuid.toLowerCase(), metadata['table-uuid'].toLowerCase())
    case 'assert-ref-snapshot-id':
      return sameRef(metadata, requirement.ref, requirement['snapshot-id'])
    case 'assert-last-assigned-field-id':
      return same(type, requirement['last-assigned-field-id'], metadata['last-column-id'])
    case 'assert-current-schema-id':
      return same(type, requirement['current-schema-id'], metadata['current-schema-id'])
    case 'assert-last-assigned-partition-id':
      return same(type, requirement['last-assigned-partition-id'], metadata['last-partition-id'])
    case 'assert-default-spec-id':
      return same(type, requirement['default-spec-id'], metadata['default-spec-id'])
    case 'assert-default-sort-order-id':
      return same(type, requirement['default-sort-order-id'], metadata['default-sort-order-id'])
    default:
      throw unsupported('REQUIREMENT', `The requirement ${String(type)} is not known to this version.`)
  }
}

function sameRef(metadata: TableMetadata, name: string, wanted: Int64 | null): void {
  const refs = metadata.refs ?? {}
  const present = Object.hasOwn(refs, name) ? refs[name]!['snapshot-id'] : null
  if (!sameInt64(wanted, present)) throw failed(`assert-ref-snapshot-id of ${name}`, wanted, present)
}

function same(type: string, wanted: string | number, present: string | number): void {
  if (wanted !== present) throw failed(type, wanted, present)
}

type Seen = string | Int64 | null | undefined

function failed(what: string, wanted: Seen, present: Seen): Error {
  const message = `The table moved: ${what} wants ${String(wanted)}, the table has ${String(present)}. Reload it.`
  return conflict('REQUIREMENT_FAILED', message, { context: { requirement: what, wanted, present } })
}
