import { corrupt, isKind, parseJson, unsupported, type JsonValue, type ObjectStore } from '@moulin/core'

/** Version of every JSON object in the log's prefix. */
export const LOG_FORMAT = 1

export type JsonObject = { readonly [key: string]: JsonValue }

/** Reads one of the log's JSON objects; undefined when it is not there. @throws `unsupported` for a format from the future. */
export async function loadJson(
  store: ObjectStore,
  key: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<JsonObject | undefined> {
  const object = await store.get(key, signal === undefined ? {} : { signal }).catch((error: unknown) => {
    if (isKind(error, 'not-found')) return undefined
    throw error
  })
  return object === undefined ? undefined : parseVersioned(object.bytes, `${store.name} ${key}`, maxBytes)
}

/** A JSON object whose `minimumReader` we are. @throws `corrupt`, `unsupported`. */
export function parseVersioned(bytes: Uint8Array, what: string, maxBytes: number): JsonObject {
  const json = asObject(parseJson(bytes, what, maxBytes), what)
  const minimumReader = json['minimumReader']
  if (typeof minimumReader !== 'number') throw fieldError(what, 'minimumReader')
  if (minimumReader > LOG_FORMAT) {
    throw unsupported(
      'FORMAT_VERSION',
      `${what} needs a reader of format ${minimumReader}; this one reads up to ${LOG_FORMAT}. Use a newer moulin.`,
      { context: { minimumReader, supported: LOG_FORMAT } },
    )
  }
  return json
}

export function asObject(json: JsonValue | undefined, what: string): JsonObject {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json
  throw fieldError(what, 'an object')
}

export function stringField(json: JsonObject, field: string, what: string): string {
  const value = json[field]
  if (typeof value === 'string') return value
  throw fieldError(what, field)
}

export function countField(json: JsonObject, field: string, what: string): number {
  const value = json[field]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw fieldError(what, field)
}

export function arrayField(json: JsonObject, field: string, what: string): readonly JsonValue[] {
  const value = json[field]
  if (Array.isArray(value)) return value
  throw fieldError(what, field)
}

export function fieldError(what: string, field: string): Error {
  return corrupt('STORED_JSON', `${what}: ${field} is missing or malformed.`, { context: { field } })
}
