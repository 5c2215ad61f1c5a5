import { jsonChecks, jsonInt64, nestedFields, parseJson } from '@moulin/core'
import type { IcebergField, IcebergSchema, JsonValue, SchemaFieldId } from '@moulin/core'

/**
 * Ids of fields by their path in the schema that we asked for, nested ones too: `a`, then `a` `element` `b`. Catalogs may
 * give others than asked for; names may change afterwards, ids may not.
 */
export type FieldIds = ReadonlyMap<string, number>

const check = jsonChecks('MARKER')

// No name has a line break in its JSON.
const pathKey = (path: readonly string[]): string => JSON.stringify(path)

/** The id of a field of ours in the table; `asked` where nothing else is recorded. */
export function idAt(ids: FieldIds | undefined, path: readonly string[], asked: number): number {
  return ids === undefined ? asked : (ids.get(pathKey(path)) ?? asked)
}

/**
 * What a catalog made of the schema that we asked it for. Names count here and nowhere else: this is the answer to the
 * very request, before anybody could change one. Undefined where it has no such field.
 */
export function answeredIds(asked: IcebergSchema, answered: IcebergSchema): FieldIds | undefined {
  const ids = new Map<string, number>()
  return matchFields(asked.fields, answered.fields, [], ids) ? ids : undefined
}

/** The ids of the fields themselves, nested ones too. */
export function ownIds(fields: readonly IcebergField[]): SchemaFieldId[] {
  const ids = new Map<string, number>()
  matchFields(fields, fields, [], ids)
  return [...ids].map(([path, id]) => ({ path: parseJson(path, 'a path') as string[], id }))
}

/** Whether these are the ids of the schema itself. */
export function areAsked(ids: FieldIds, asked: IcebergSchema): boolean {
  const own = answeredIds(asked, asked)!
  return [...own].every(([path, id]) => ids.get(path) === id)
}

function matchFields(
  asked: readonly IcebergField[],
  answered: readonly IcebergField[],
  path: readonly string[],
  ids: Map<string, number>,
): boolean {
  return asked.every(({ name, type }) => {
    const found = answered.find((field) => field.name === name)
    if (found === undefined) return false
    ids.set(pathKey([...path, name]), found.id)
    return matchFields(nestedFields(type), nestedFields(found.type), [...path, name], ids)
  })
}

/** `[[path, id], …]`, a path being a list of names. */
export function fieldIdsToJson(ids: FieldIds): JsonValue {
  return [...ids].map(([path, id]) => [parseJson(path, 'a path'), id])
}

/** Elements behind the known ones are ignored. @throws `corrupt`. */
export function fieldIdsFromJson(json: JsonValue | undefined, what: string): FieldIds {
  return new Map(
    check.array(json, `the field ids of ${what}`).map((entry) => {
      const [path, id] = check.array(entry, `a field id of ${what}`)
      const names = check.strings(path, `the path of a field id of ${what}`)
      return [pathKey(names), Number(jsonInt64(id, `a field id of ${what}`))]
    }),
  )
}
