import { corrupt, type JsonObject, type JsonValue, shown } from '@moulin/core'
import { EncodedMap } from './encoded-map.ts'

/**
 * Reads the records of an Avro file by field id, whatever the writer called the fields. Every getter checks the type:
 * the files come from anyone.
 */
export interface RecordShape {
  readonly what: string
  /** Name in the file by field id. */
  readonly names: ReadonlyMap<number, string>
  readonly types: ReadonlyMap<number, JsonValue>
}

export type AvroRow = Readonly<Record<string, unknown>>

/**
 * The shape of an Avro record schema, which may stand in a union with null. `knownIds` names the fields of writers that
 * state no ids.
 * @throws `corrupt` when it is no record.
 */
export function recordShape(
  schema: JsonValue | undefined,
  what: string,
  knownIds: ReadonlyMap<string, number>,
): RecordShape {
  const record = (Array.isArray(schema) ? schema.find((branch) => branch !== 'null') : schema) as JsonObject | undefined
  const fields = record?.['fields']
  if (!Array.isArray(fields)) throw corrupt('AVRO_SHAPE', `${what} is no record in its Avro schema.`)
  const names = new Map<number, string>()
  const types = new Map<number, JsonValue>()
  for (const field of fields as readonly JsonObject[]) {
    const name = field['name']
    if (typeof name !== 'string') throw corrupt('AVRO_SHAPE', `A field of ${what} has the name ${shown(name)}.`)
    const id = typeof field['field-id'] === 'number' ? field['field-id'] : knownIds.get(name)
    if (id === undefined || names.has(id)) continue
    names.set(id, name)
    types.set(id, field['type'] ?? null)
  }
  return { what, names, types }
}

/** Undefined when the field is null, or not in the file. */
export function optionalAt(shape: RecordShape, row: AvroRow, id: number): unknown {
  const name = shape.names.get(id)
  return name === undefined ? undefined : (row[name] ?? undefined)
}

function checked<T>(read: (value: unknown) => T | undefined, type: string) {
  return (shape: RecordShape, row: AvroRow, id: number): T | undefined => {
    const value = optionalAt(shape, row, id)
    if (value === undefined) return undefined
    const result = read(value)
    if (result !== undefined) return result
    throw corrupt('AVRO_SHAPE', `Field ${id} of ${shape.what} is no ${type}.`, { context: { fieldId: id } })
  }
}

type Get<T> = (shape: RecordShape, row: AvroRow, id: number) => T | undefined

export const textAt: Get<string> = checked((value) => (typeof value === 'string' ? value : undefined), 'text')
export const booleanAt: Get<boolean> = checked((value) => (typeof value === 'boolean' ? value : undefined), 'boolean')
export const longAt: Get<bigint> = checked(asLong, 'integer')
export const intAt: Get<number> = checked(asInt, '32-bit integer')
export const bytesAt: Get<Uint8Array> = checked(
  (value) => (value instanceof Uint8Array ? value : undefined),
  'run of bytes',
)
export const rowAt: Get<AvroRow> = checked((value) => (isRow(value) ? value : undefined), 'record')
export const rowsAt: Get<readonly AvroRow[]> = checked(
  (value) => (Array.isArray(value) && value.every(isRow) ? value : undefined),
  'list of records',
)
export const longsAt: Get<readonly bigint[]> = checked((value) => all(value, asLong), 'list of integers')
/** A map with int keys, which Avro holds as a list of key and value. */
export const longMapAt: Get<ReadonlyMap<number, bigint>> = checked(
  (value) => encodedMap<bigint>(value, 'long') ?? mapOf(value, asLong),
  'map to integers',
)
export const bytesMapAt: Get<ReadonlyMap<number, Uint8Array>> = checked(
  (value) =>
    encodedMap<Uint8Array>(value, 'bytes') ??
    mapOf(value, (member) => (member instanceof Uint8Array ? member : undefined)),
  'map to bytes',
)

/** One that is left as the file has it. */
function encodedMap<V extends bigint | Uint8Array>(
  value: unknown,
  kind: EncodedMap<V>['kind'],
): EncodedMap<V> | undefined {
  return value instanceof EncodedMap && value.kind === kind ? (value as EncodedMap<V>) : undefined
}

/** The value of a field that must be there. @throws `corrupt`. */
export function required<T>(get: Get<T>, shape: RecordShape, row: AvroRow, id: number): T {
  const value = get(shape, row, id)
  if (value !== undefined) return value
  throw corrupt('AVRO_SHAPE', `${shape.what} lacks its field ${id}.`, { context: { fieldId: id } })
}

/** An int promoted to long, or the other way round, is the same integer. */
export function asLong(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : undefined
}

export function asInt(value: unknown): number | undefined {
  const long = asLong(value)
  return long !== undefined && BigInt.asIntN(32, long) === long ? Number(long) : undefined
}

function isRow(value: unknown): value is AvroRow {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

function all<T>(value: unknown, read: (item: unknown) => T | undefined): readonly T[] | undefined {
  if (!Array.isArray(value)) return undefined
  const items = value.map(read)
  return items.includes(undefined) ? undefined : (items as T[])
}

function mapOf<T>(value: unknown, read: (member: unknown) => T | undefined): Map<number, T> | undefined {
  if (!Array.isArray(value)) return undefined
  const map = new Map<number, T>()
  for (const entry of value as readonly unknown[]) {
    const { key, value: member } = (isRow(entry) ? entry : {}) as { key?: unknown; value?: unknown }
    const id = asInt(key)
    const result = read(member)
    if (id === undefined || result === undefined) return undefined
    map.set(id, result)
  }
  return map
}
