/** A row as text, from what Spark says of it and from what we do: one form for a value of a type. */
import { foldIceberg, parseJson, parsePrimitive } from '@moulin/core'
import type { IcebergField, IcebergType, JsonValue } from '@moulin/core'

/** What is asked of Spark for a column. */
export function selected({ name, type }: IcebergField): string {
  const column = `\`${name}\``
  if (typeof type !== 'string') return `to_json(${column}, ${jsonOptions})`
  switch (parsePrimitive(type)?.kind) {
    case 'binary':
    case 'fixed':
      return `hex(${column})`
    case 'timestamptz':
    case 'timestamp':
      return `unix_micros(CAST(${column} AS TIMESTAMP))`
    default:
      return `CAST(${column} AS STRING)`
  }
}

const form = "yyyy-MM-dd'T'HH:mm:ss.SSSSSS"
const jsonOptions = `map('ignoreNullFields', 'false', 'timestampFormat', "${form}'Z'", 'timestampNTZFormat', "${form}'Z'")`

/** How Python prints no value. */
const NONE = 'None'

/** One form of what Spark answers. */
export function textOfSpark(type: IcebergType, text: string): string {
  if (text === NONE) return NONE
  if (typeof type !== 'string') return JSON.stringify(ofJson(type, parseJson(text, 'a value of Spark')))
  const kind = parsePrimitive(type)?.kind
  if (kind === 'float' || kind === 'double') return number(type, Number(text))
  return kind === 'binary' || kind === 'fixed' ? text.toLowerCase() : text
}

/** The same form of a value of ours. */
export function textOfOurs(type: IcebergType, value: unknown): string {
  if (value === null) return NONE
  return typeof type === 'string' ? scalar(type, value) : JSON.stringify(ofOurs(type, value))
}

function number(type: string, value: number): string {
  const exact = type === 'float' ? Math.fround(value) : value
  return Object.is(exact, -0) ? '-0' : String(exact)
}

function scalar(type: string, value: unknown): string {
  if (typeof value === 'number') return type === 'int' ? String(value) : number(type, value)
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value)
}

function ofOurs(type: IcebergType, value: unknown): JsonValue {
  if (value === null) return null
  return foldIceberg<JsonValue>(type, {
    primitive: (text) => (text.startsWith('decimal') ? String(Number(value)) : scalar(text, value)),
    list: (element) => (value as unknown[]).map((item) => ofOurs(element.type, item)),
    map(_, entry) {
      const entries = [...(value as Map<unknown, unknown>)].map(([key, item]) => [
        String(key),
        ofOurs(entry.type, item),
      ])
      return sorted(entries as [string, JsonValue][])
    },
    struct: (fields) => fields.map((field) => ofOurs(field.type, (value as Record<string, unknown>)[field.name])),
  })
}

function ofJson(type: IcebergType, value: JsonValue): JsonValue {
  if (value === null) return null
  return foldIceberg<JsonValue>(type, {
    primitive: (text) => leafOfJson(text, value),
    list: (element) => (value as JsonValue[]).map((item) => ofJson(element.type, item)),
    map: (_, entry) =>
      sorted(Object.entries(value as object).map(([key, item]) => [key, ofJson(entry.type, item as JsonValue)])),
    struct: (fields) =>
      fields.map((field) => ofJson(field.type, (value as Record<string, JsonValue>)[field.name] ?? null)),
  })
}

function leafOfJson(type: string, value: JsonValue): string {
  switch (parsePrimitive(type)?.kind) {
    case 'float':
    case 'double':
      return number(type, Number(value))
    case 'decimal':
      return String(Number(value))
    case 'binary':
    case 'fixed':
      return Buffer.from(value as string, 'base64').toString('hex')
    case 'timestamp':
    case 'timestamptz': {
      const text = value as string
      return String(BigInt(new Date(`${text.slice(0, 23)}Z`).getTime()) * 1000n + BigInt(text.slice(23, 26)))
    }
    default:
      return String(value)
  }
}

const sorted = (entries: readonly [string, JsonValue][]): JsonValue =>
  entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, value])
