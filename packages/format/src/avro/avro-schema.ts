import { invalid, type JsonObject, type JsonValue } from '@moulin/core'

/** A parsed Avro schema. Named types are one object wherever they are used, so a recursive schema is a cyclic graph. */
export type AvroType =
  | AvroPrimitive
  | AvroFixed
  | AvroEnum
  | AvroArray
  | { readonly type: 'map'; readonly values: AvroType }
  | { readonly type: 'union'; readonly branches: readonly AvroType[] }
  | AvroRecord

export interface AvroPrimitive {
  readonly type: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string'
  readonly logical: AvroLogical
}

export interface AvroFixed {
  readonly type: 'fixed'
  readonly name: string
  readonly size: number
  readonly logical: AvroLogical
}

export interface AvroEnum {
  readonly type: 'enum'
  readonly name: string
  readonly symbols: readonly string[]
}

export interface AvroArray {
  readonly type: 'array'
  readonly items: AvroType
  /** Iceberg's `logicalType: map`: the items are entries of a map whose keys need not be strings. */
  readonly isMap: boolean
}

export interface AvroRecord {
  readonly type: 'record'
  readonly name: string
  readonly fields: readonly AvroField[]
}

export interface AvroField {
  readonly name: string
  readonly type: AvroType
  /** What a writer uses for a missing value; undefined: none. */
  readonly default: JsonValue | undefined
}

/** The annotation of a primitive or fixed, as written; a reader ignores those it does not know (Avro spec, "Logical types"). */
export interface AvroLogical {
  readonly logicalType: string | undefined
  readonly precision: number | undefined
  readonly scale: number | undefined
  /** Our own attribute `moulin.type`: a long that our schema knows as int53. */
  readonly moulinType: string | undefined
}

const primitives = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'])
/** Nesting of a value of a recursive schema. */
export const MAX_AVRO_DEPTH = 64
/** Nesting of a schema: a level of ours takes up to four of Avro (a union, an array, a record, a field). */
const MAX_SCHEMA_DEPTH = 160

interface Scope {
  readonly names: Map<string, AvroType>
  readonly namespace: string
  readonly depth: number
}

/**
 * Parses an Avro schema, given as JSON that is parsed already.
 * @throws `invalid` naming the part that is not a schema.
 *
 * Spec: Avro 1.12, "Schema Declaration".
 */
export function parseAvroSchema(json: JsonValue): AvroType {
  return parse(json, { names: new Map(), namespace: '', depth: 0 })
}

/** The name by which a union of several non-null branches tells them apart (Avro spec, "JSON Encoding"). */
export function branchName(type: AvroType): string {
  return 'name' in type ? type.name : type.type
}

/** The branch besides null of a two-branch union, and on which side null is; undefined for any other type. */
export function nullable(type: AvroType): { readonly branch: AvroType; readonly nullIndex: 0 | 1 } | undefined {
  if (type.type !== 'union' || type.branches.length !== 2) return undefined
  const [first, second] = type.branches as [AvroType, AvroType]
  if (first.type === 'null') return { branch: second, nullIndex: 0 }
  if (second.type === 'null') return { branch: first, nullIndex: 1 }
  return undefined
}

function parse(json: JsonValue | undefined, scope: Scope): AvroType {
  if (scope.depth > MAX_SCHEMA_DEPTH) throw bad(`it nests deeper than ${MAX_SCHEMA_DEPTH} levels`)
  if (typeof json === 'string') return byName(json, scope)
  if (Array.isArray(json)) return parseUnion(json, scope)
  if (typeof json !== 'object' || json === null) throw bad(`${String(json)} is no type`)
  const { type } = json
  switch (type) {
    case 'record':
    case 'error':
      return parseRecord(json, scope)
    case 'enum':
      return parseEnum(json, scope)
    case 'fixed':
      return parseFixed(json, scope)
    case 'array':
      return { type: 'array', items: parse(json['items'], deeper(scope)), isMap: json['logicalType'] === 'map' }
    case 'map':
      return { type: 'map', values: parse(json['values'], deeper(scope)) }
    default:
      break
  }
  if (typeof type === 'string' && primitives.has(type))
    return { type: type as AvroPrimitive['type'], logical: logicalOf(json) }
  return parse(type, deeper(scope))
}

const noLogical: AvroLogical = { logicalType: undefined, precision: undefined, scale: undefined, moulinType: undefined }

function byName(name: string, scope: Scope): AvroType {
  if (primitives.has(name)) return { type: name as AvroPrimitive['type'], logical: noLogical }
  const found = scope.names.get(fullName(name, scope.namespace)) ?? scope.names.get(name)
  if (found === undefined) throw bad(`the type ${JSON.stringify(name)} is not defined before its use`)
  return found
}

function parseUnion(json: readonly JsonValue[], scope: Scope): AvroType {
  const branches = json.map((branch) => parse(branch, deeper(scope)))
  const seen = new Set<string>()
  for (const branch of branches) {
    const name = branchName(branch)
    if (branch.type === 'union') throw bad('a union holds a union directly')
    if (seen.has(name)) throw bad(`a union holds ${name} twice`)
    seen.add(name)
  }
  if (branches.length === 0) throw bad('a union is empty')
  return { type: 'union', branches }
}

function parseRecord(json: JsonObject, scope: Scope): AvroType {
  const { name, inner } = define(json, scope)
  const fields: AvroField[] = []
  const record: AvroRecord = { type: 'record', name, fields }
  inner.names.set(name, record)
  const seen = new Set<string>()
  if (!Array.isArray(json['fields'])) throw bad(`record ${name} has no list of fields`)
  for (const field of json['fields']) {
    const { name: fieldName, type, default: fallback } = (field ?? {}) as JsonObject
    if (typeof fieldName !== 'string' || fieldName === '' || seen.has(fieldName))
      throw bad(`record ${name} has a field whose name is missing or repeated`)
    seen.add(fieldName)
    fields.push({ name: fieldName, type: parse(type, inner), default: fallback })
  }
  return record
}

function parseEnum(json: JsonObject, scope: Scope): AvroType {
  const { name, inner } = define(json, scope)
  const symbols = json['symbols']
  if (!Array.isArray(symbols) || symbols.length === 0 || !symbols.every((symbol) => typeof symbol === 'string'))
    throw bad(`enum ${name} has no list of symbols`)
  if (new Set(symbols).size !== symbols.length) throw bad(`enum ${name} repeats a symbol`)
  const type: AvroEnum = { type: 'enum', name, symbols }
  inner.names.set(name, type)
  return type
}

function parseFixed(json: JsonObject, scope: Scope): AvroType {
  const { name, inner } = define(json, scope)
  const size = json['size']
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > 0x7fffffff)
    throw bad(`fixed ${name} has no valid size`)
  const type: AvroFixed = { type: 'fixed', name, size, logical: logicalOf(json) }
  inner.names.set(name, type)
  return type
}

function define(json: JsonObject, scope: Scope): { name: string; inner: Scope } {
  const { name, namespace } = json
  if (typeof name !== 'string' || name === '') throw bad('a record, enum or fixed has no name')
  const full = fullName(name, typeof namespace === 'string' ? namespace : scope.namespace)
  if (primitives.has(full) || scope.names.has(full)) throw bad(`the name ${full} is defined twice`)
  const dot = full.lastIndexOf('.')
  return { name: full, inner: { ...deeper(scope), namespace: dot < 0 ? '' : full.slice(0, dot) } }
}

function fullName(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`
}

function deeper(scope: Scope): Scope {
  return { ...scope, depth: scope.depth + 1 }
}

function logicalOf(json: JsonObject): AvroLogical {
  const { logicalType, precision, scale } = json
  return {
    logicalType: typeof logicalType === 'string' ? logicalType : undefined,
    precision: typeof precision === 'number' ? precision : undefined,
    scale: typeof scale === 'number' ? scale : undefined,
    moulinType: json['moulin.type'] === 'int53' ? 'int53' : undefined,
  }
}

function bad(why: string): Error {
  return invalid('AVRO_SCHEMA', `The Avro schema is not valid: ${why}.`)
}
