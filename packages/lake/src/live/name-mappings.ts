import { formatCaps, jsonChecks, parseJson } from '@moulin/core'
import type { JsonValue, TableMetadata } from '@moulin/core'
import type { NameMapping } from '@moulin/format'
import { propertyOf } from '@moulin/iceberg'
import { sha256 } from '../table/marker.ts'

/** Table property that says which names of files without field ids are which columns. */
const mappingProperty = 'schema.name-mapping.default'

/** What a table says of files without field ids. */
export interface TableMapping {
  /** Another one gives other columns: what is kept of files is kept under it. */
  readonly key: string
  /** @throws `corrupt` code `NAME_MAPPING` where the property is none. */
  names(): readonly NameMapping[]
}

/** No schema nests deeper that anybody reads. */
const maxDepth = formatCaps.maxValueDepth

const check = jsonChecks('NAME_MAPPING')

const known = new WeakMap<TableMetadata, TableMapping>()

/** Undefined where the table has none. Spec: "Name Mapping Serialization". */
export function nameMappingOf(metadata: TableMetadata): TableMapping | undefined {
  const text = propertyOf(metadata, mappingProperty)
  if (text === undefined) return undefined
  let found = known.get(metadata)
  if (found === undefined) {
    // Files nearly always have ids, so it is rarely parsed.
    let names: readonly NameMapping[] | undefined
    found = {
      key: sha256(text).slice(0, 16),
      names: () => (names ??= mappingsOf(parseJson(text, `Property ${mappingProperty}`), 0)),
    }
    known.set(metadata, found)
  }
  return found
}

function mappingsOf(json: JsonValue | undefined, depth: number): NameMapping[] {
  if (depth > maxDepth) throw check.fault(json, `property ${mappingProperty}`, `of at most ${maxDepth} levels`)
  return check.array(json, `property ${mappingProperty}`).map((entry) => {
    const { names, fields, 'field-id': id } = check.object(entry, 'a name mapping')
    return {
      names: check.strings(names, 'the names of a name mapping'),
      ...(id !== undefined && id !== null && { 'field-id': check.int(id, 'the field-id of a name mapping') }),
      ...(fields !== undefined && fields !== null && { fields: mappingsOf(fields, depth + 1) }),
    }
  })
}
