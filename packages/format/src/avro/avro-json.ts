import type { Field, JsonValue, ScalarType, Schema, Type } from '@moulin/core'
import { foldType, invalid } from '@moulin/core'

const avroName = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * The Avro schema of a schema of ours: optional is a union with null first; uuid a string, decimal bytes, each with its
 * logical type; `native` times in milliseconds, `.micros` in microseconds; list an array, struct a record, map a map
 * where its keys are strings, else (as Iceberg has it) an array of records of key and value with `logicalType: map`.
 * @throws `invalid` for a name that Avro does not take.
 */
export function avroJsonOf(schema: Schema): JsonValue {
  const names = new Names()
  return { type: 'record', name: 'Value', fields: schema.fields.map((field) => fieldJson(field, field.name, names)) }
}

/** Avro wants each of its named types under a name of its own: made of the way to it, and counted where that repeats. */
class Names {
  readonly #taken = new Set<string>()

  of(path: string, kind: 'fixed' | 'record' | 'entry'): string {
    const name = `${path}_${kind}`
    let free = name
    for (let count = 2; this.#taken.has(free); count++) free = `${name}_${count}`
    this.#taken.add(free)
    return free
  }
}

function fieldJson({ name, type }: Field, path: string, names: Names): JsonValue {
  if (!avroName.test(name)) {
    throw invalid('AVRO_NAME', `Avro takes no field name ${JSON.stringify(name)}: use letters, digits and _ only.`)
  }
  const json = unionJson(type, path, names)
  return type.isOptional ? { name, type: json, default: null } : { name, type: json }
}

function unionJson(type: Type, path: string, names: Names): JsonValue {
  const json = typeJson(type, path, names)
  return type.isOptional ? ['null', json] : json
}

function typeJson(type: Type, path: string, names: Names): JsonValue {
  return foldType<JsonValue>(type, {
    scalar: (scalar) => scalarJson(scalar, path, names),
    list: (element) => ({ type: 'array', items: unionJson(element, `${path}_element`, names) }),
    map: (key, value) => mapJson(key, value, path, names),
    struct(members) {
      const name = names.of(path, 'record')
      const fields = members.map((field) => fieldJson(field, `${path}_${field.name}`, names))
      return { type: 'record', name, fields }
    },
  })
}

function scalarJson({ spec }: ScalarType, path: string, names: Names): JsonValue {
  switch (spec.kind) {
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'string':
      return spec.kind
    case 'int53':
      return { type: 'long', 'moulin.type': 'int53' }
    case 'binary':
      return 'bytes'
    case 'unknown':
      return 'null'
    case 'uuid':
      return { type: 'string', logicalType: 'uuid' }
    case 'date':
      return { type: 'int', logicalType: 'date' }
    case 'fixed':
      return { type: 'fixed', name: names.of(path, 'fixed'), size: spec.length }
    case 'decimal':
      return { type: 'bytes', logicalType: 'decimal', precision: spec.precision, scale: spec.scale }
    case 'time':
      return spec.as === 'micros'
        ? { type: 'long', logicalType: 'time-micros' }
        : { type: 'int', logicalType: 'time-millis' }
    case 'timestamp':
      return { type: 'long', logicalType: spec.as === 'micros' ? 'local-timestamp-micros' : 'local-timestamp-millis' }
    case 'timestamptz':
      return { type: 'long', logicalType: spec.as === 'micros' ? 'timestamp-micros' : 'timestamp-millis' }
  }
}

function mapJson(key: Type, value: Type, path: string, names: Names): JsonValue {
  if (key.spec.kind === 'string') return { type: 'map', values: unionJson(value, `${path}_value`, names) }
  const name = names.of(path, 'entry')
  const fields = [
    { name: 'key', type: key },
    { name: 'value', type: value },
  ].map((field) => fieldJson(field, `${path}_${field.name}`, names))
  return { type: 'array', logicalType: 'map', items: { type: 'record', name, fields } }
}
