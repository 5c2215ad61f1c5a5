import { corrupt, invalid } from './errors.ts'
import { shown } from './shown.ts'
import type { JsonValue } from './json.ts'
import { jsonChecks } from './json-checks.ts'

/**
 * One schema object gives the TypeScript type, the validation, the table's columns and the names that a scan accepts.
 *
 * @example
 * const Order = schema({ id: t.int53, city: t.string, note: t.string.optional(), placed_at: t.timestamptz })
 * type Order = Infer<typeof Order>   // { id: number; city: string; note?: string | null; placed_at: Date }
 */
export interface Schema<T = unknown> {
  readonly fields: readonly Field[]
  /** Only for the compiler. */
  readonly [valueType]?: T
}

declare const valueType: unique symbol

export interface Field {
  readonly name: string
  readonly type: Type
}

/** What a kind needs besides its name. */
export type TypeSpec =
  | { readonly kind: 'boolean' | 'int' | 'int53' | 'long' | 'float' | 'double' | 'string' | 'binary' | 'uuid' | 'date' }
  | { readonly kind: 'time'; readonly as: 'native' | 'micros' }
  /** `nanos`: of columns that others made, to be read; {@link t} has none. */
  | { readonly kind: 'timestamp' | 'timestamptz'; readonly as: 'native' | 'micros' | 'nanos' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'fixed'; readonly length: number }
  /** Of columns that others made and that are null throughout; {@link t} has none. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'list'; readonly element: Type }
  | { readonly kind: 'map'; readonly key: Type; readonly value: Type }
  | { readonly kind: 'struct'; readonly fields: readonly Field[] }

export type TypeKind = TypeSpec['kind']

/** `T` is the JavaScript type, `O` whether null and absence are permitted. */
export interface Type<T = unknown, O extends boolean = boolean> {
  readonly spec: TypeSpec
  readonly isOptional: O
  /** The same type, null or absent permitted. */
  optional(): Type<T, true>
  readonly [valueType]?: T
}

/** The time types come as `native` and as exact microseconds. */
export interface TimeType<T> extends Type<T, false> {
  readonly micros: Type<bigint, false>
}

type Value<F> = F extends Type<infer T, infer O> ? (O extends true ? T | null : T) : never
type OptionalKeys<S> = { [K in keyof S]: S[K] extends Type<unknown, true> ? K : never }[keyof S]
type Flatten<T> = { [K in keyof T]: T[K] }
/** The JavaScript type of an object of types. */
export type InferFields<S> = Flatten<
  { [K in Exclude<keyof S, OptionalKeys<S>>]: Value<S[K]> } & { [K in OptionalKeys<S>]?: Value<S[K]> | undefined }
>
/** The JavaScript type of a schema's values. */
export type Infer<S> = S extends Schema<infer T> ? T : never

/** Prefix of the system columns; no field of a schema may begin with it. */
export const SYSTEM_PREFIX = '_kafka_'

/** @throws `invalid` for an empty schema or a reserved, empty or repeated name. */
export function schema<const S extends Readonly<Record<string, Type>>>(fields: S): Schema<InferFields<S>> {
  return schemaOf(fieldsOf('schema', fields))
}

/** @throws `invalid` for what neither {@link schema} nor {@link schemaOf} made; `what` begins the message. */
export function checkSchema(what: string, given: unknown): void {
  const isSchema = typeof given === 'object' && given !== null && 'fields' in given && Array.isArray(given.fields)
  if (!isSchema) throw invalid('SCHEMA', `${what} takes a schema, as schema() makes it, not ${shown(given)}.`)
}

/** {@link schema} from a list, which also takes names like `__proto__`. */
export function schemaOf<T>(fields: readonly Field[]): Schema<T> {
  if (fields.length === 0) throw invalid('SCHEMA', 'A schema needs at least one field.')
  for (const { name } of fields) {
    if (name.startsWith(SYSTEM_PREFIX)) {
      throw invalid(
        'SCHEMA',
        `The field name ${name} is reserved: rename it so that it does not begin with ${SYSTEM_PREFIX}.`,
      )
    }
  }
  return Object.freeze({ fields: checkFields(fields) })
}

function checkFields(fields: readonly Field[]): readonly Field[] {
  const seen = new Set<string>()
  for (const { name, type } of fields) {
    if (name === '' || seen.has(name))
      throw invalid('SCHEMA', `The field name ${JSON.stringify(name)} is empty or repeated.`)
    seen.add(name)
    checkType(type, `The field ${name}`)
  }
  return Object.freeze(fields.map(({ name, type }) => Object.freeze({ name, type })))
}

function fieldsOf(what: string, fields: unknown): Field[] {
  if (typeof fields === 'object' && fields !== null && !Array.isArray(fields))
    return Object.entries(fields).map(([name, type]) => ({ name, type: type as Type }))
  throw invalid('SCHEMA', `${what} takes an object of types, such as { id: t.int53 }, not ${shown(fields)}.`)
}

function checkType(type: unknown, what: string): void {
  const isType = typeof type === 'object' && type !== null && 'spec' in type && 'isOptional' in type
  if (isType) return
  throw invalid('SCHEMA', `${what} has no type but ${shown(type)}: give one of t, such as t.string.`)
}

function type<T>(spec: TypeSpec): Type<T, false> {
  return make<T, false>(Object.freeze(spec), false)
}

function make<T, O extends boolean>(spec: TypeSpec, isOptional: O): Type<T, O> {
  return Object.freeze({ spec, isOptional, optional: () => make<T, true>(spec, true) })
}

function time<T>(kind: 'time' | 'timestamp' | 'timestamptz'): TimeType<T> {
  return Object.freeze({ ...type<T>({ kind, as: 'native' }), micros: type<bigint>({ kind, as: 'micros' }) })
}

/** See {@link t}. */
export interface Types {
  readonly boolean: Type<boolean, false>
  /** 32-bit. */
  readonly int: Type<number, false>
  /** A long whose values are safe integers, ±(2^53 − 1), checked. */
  readonly int53: Type<number, false>
  /** 64-bit. */
  readonly long: Type<bigint, false>
  readonly float: Type<number, false>
  readonly double: Type<number, false>
  readonly string: Type<string, false>
  readonly binary: Type<Uint8Array, false>
  readonly uuid: Type<string, false>
  readonly date: Type<string, false>
  readonly time: TimeType<number>
  readonly timestamp: TimeType<Date>
  readonly timestamptz: TimeType<Date>
  /** Precision 1 to 38, scale 0 to precision. @throws `invalid`. */
  decimal(precision: number, scale: number): Type<string, false>
  /** Exactly `length` bytes. @throws `invalid`. */
  fixed(length: number): Type<Uint8Array, false>
  list<T, O extends boolean>(element: Type<T, O>): Type<(O extends true ? T | null : T)[], false>
  map<K, V, O extends boolean>(
    key: Type<K, false>,
    value: Type<V, O>,
  ): Type<Map<K, O extends true ? V | null : V>, false>
  struct<const S extends Readonly<Record<string, Type>>>(fields: S): Type<InferFields<S>, false>
}

/**
 * The types. JavaScript side: `int`, `int53`, `float`, `double` number; `long` bigint; `decimal` an exact decimal string
 * such as `-12.30`; `binary`, `fixed` Uint8Array; `uuid` a lower-case string; `date` a `YYYY-MM-DD` string; `time`
 * milliseconds since midnight; `timestamp` (no zone, read as UTC) and `timestamptz` a Date. With `.micros`, the three
 * time types are bigint microseconds, exact. `list` an array, `struct` an object with its fields, `map` a Map.
 */
export const t: Types = Object.freeze({
  boolean: type<boolean>({ kind: 'boolean' }),
  int: type<number>({ kind: 'int' }),
  int53: type<number>({ kind: 'int53' }),
  long: type<bigint>({ kind: 'long' }),
  float: type<number>({ kind: 'float' }),
  double: type<number>({ kind: 'double' }),
  string: type<string>({ kind: 'string' }),
  binary: type<Uint8Array>({ kind: 'binary' }),
  uuid: type<string>({ kind: 'uuid' }),
  date: type<string>({ kind: 'date' }),
  time: time<number>('time'),
  timestamp: time<Date>('timestamp'),
  timestamptz: time<Date>('timestamptz'),
  decimal(precision: number, scale: number) {
    if (!Number.isInteger(precision) || precision < 1 || precision > 38) {
      throw invalid('SCHEMA', `decimal precision ${precision} is not in 1 to 38.`)
    }
    if (!Number.isInteger(scale) || scale < 0 || scale > precision) {
      throw invalid('SCHEMA', `decimal scale ${scale} is not in 0 to ${precision}.`)
    }
    return type<string>({ kind: 'decimal', precision, scale })
  },
  fixed(length: number) {
    if (!Number.isInteger(length) || length < 1)
      throw invalid('SCHEMA', `fixed length ${length} is not a positive integer.`)
    return type<Uint8Array>({ kind: 'fixed', length })
  },
  list: ((element: Type) => {
    checkType(element, 'A list')
    return type({ kind: 'list', element })
  }) as Types['list'],
  map: ((key: Type, value: Type) => {
    checkType(key, 'The key of a map')
    checkType(value, 'The value of a map')
    return type({ kind: 'map', key, value })
  }) as Types['map'],
  struct: ((fields: Readonly<Record<string, Type>>) => structOf(fieldsOf('t.struct', fields))) as Types['struct'],
})

/** `t.struct` from a list, which also takes names like `__proto__` and keeps numbers as names in their places. */
export function structOf(fields: readonly Field[]): Type {
  return type({ kind: 'struct', fields: checkFields(fields) })
}

/** Plain JSON of a schema, as the schema ledger stores it; {@link schemaFromJson} brings it back. */
export function schemaToJson(schema: Schema): JsonValue {
  return { fields: schema.fields.map(fieldToJson) }
}

function fieldToJson({ name, type }: Field): JsonValue {
  return { name, optional: type.isOptional, type: typeToJson(type) }
}

function typeToJson({ spec }: Type): JsonValue {
  switch (spec.kind) {
    case 'list':
      return { kind: 'list', optional: spec.element.isOptional, element: typeToJson(spec.element) }
    case 'map':
      return { kind: 'map', key: typeToJson(spec.key), optional: spec.value.isOptional, value: typeToJson(spec.value) }
    case 'struct':
      return { kind: 'struct', fields: spec.fields.map(fieldToJson) }
    default:
      return { ...spec }
  }
}

/** @throws `corrupt` when the JSON is not of {@link schemaToJson}. */
export function schemaFromJson<T = unknown>(json: JsonValue): Schema<T> {
  return schemaOf<T>(fieldsFromJson(check.object(json, 'A stored schema')['fields']))
}

const check = jsonChecks('SCHEMA_JSON')

function fieldsFromJson(json: JsonValue | undefined): Field[] {
  return check.array(json, 'fields of a stored schema').map((json) => {
    const field = check.object(json, 'A field of a stored schema')
    const name = check.string(field['name'], 'The name of a field of a stored schema')
    return { name, type: make(specFromJson(field['type']), field['optional'] === true) }
  })
}

const plainKinds = new Set<string>([
  'boolean',
  'int',
  'int53',
  'long',
  'float',
  'double',
  'string',
  'binary',
  'uuid',
  'date',
])

function specFromJson(json: JsonValue | undefined): TypeSpec {
  const spec = (json ?? {}) as Record<string, JsonValue> & { kind?: string; optional?: boolean }
  switch (spec.kind) {
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return { kind: spec.kind, as: spec['as'] === 'micros' ? 'micros' : 'native' }
    case 'decimal':
      return t.decimal(spec['precision'] as number, spec['scale'] as number).spec
    case 'fixed':
      return t.fixed(spec['length'] as number).spec
    case 'list':
      return { kind: 'list', element: make(specFromJson(spec['element']), spec.optional === true) }
    case 'map': {
      const key = make(specFromJson(spec['key']), false)
      return { kind: 'map', key, value: make(specFromJson(spec['value']), spec.optional === true) }
    }
    case 'struct':
      return { kind: 'struct', fields: checkFields(fieldsFromJson(spec['fields'])) }
    default:
      if (spec.kind !== undefined && plainKinds.has(spec.kind)) return { kind: spec.kind } as TypeSpec
      throw corrupt('SCHEMA_JSON', `A stored schema has a field of unknown kind ${String(spec.kind)}.`)
  }
}
