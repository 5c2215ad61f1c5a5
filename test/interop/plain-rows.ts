import type { Schema, Type } from '@moulin/core'
import type { Topic } from 'moulin'
import { Everything } from './tables.ts'

/** The rows of a topic's union scan, in the same form and order as read_table.py prints an engine's. */
export async function plainRows(
  topic: Topic,
  names: readonly string[],
  { fields }: Schema = Everything,
): Promise<unknown[][]> {
  const types = new Map(fields.map(({ name, type }) => [name, type]))
  const scan = topic.scan({ columns: names as never })
  const rows = (await scan.toArray()) as Record<string, unknown>[]
  rows.sort((a, b) => {
    const left = [BigInt(a['_kafka_partition'] as number), a['_kafka_offset'] as bigint]
    const right = [BigInt(b['_kafka_partition'] as number), b['_kafka_offset'] as bigint]
    const at = left[0] === right[0] ? 1 : 0
    return left[at]! < right[at]! ? -1 : 1
  })
  return rows.map((row) => names.map((name) => plain(row[name], types.get(name))))
}

function plain(value: unknown, type?: Type): unknown {
  if (value === null || typeof value === 'boolean') return value
  const spec = type?.spec
  switch (spec?.kind) {
    case 'float':
      return floatBits(value as number, 4)
    case 'double':
      return floatBits(value as number, 8)
    case 'date':
      return String(Date.parse(`${value as string}T00:00:00Z`) / 86_400_000)
    case 'uuid':
      return (value as string).replaceAll('-', '')
    case 'list':
      return (value as unknown[]).map((each) => plain(each, spec.element))
    case 'map':
      return Array.from(value as Map<unknown, unknown>, ([key, held]) => [
        plain(key, spec.key),
        plain(held, spec.value),
      ])
    case 'struct':
      return spec.fields.map((field) => plain((value as Record<string, unknown>)[field.name], field.type))
    default:
      return plainValue(value)
  }
}

// Also of system columns, which have no type here.
function plainValue(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (value instanceof Date) return String(BigInt(value.getTime()) * 1000n)
  if (Array.isArray(value)) return value.map((each) => plain(each))
  if (typeof value === 'object') return Object.values(value as object).map((each) => plain(each))
  return String(value as string | number | bigint)
}

function floatBits(value: number, size: 4 | 8): string {
  const bits = Buffer.alloc(size)
  if (size === 4) bits.writeFloatBE(value)
  else bits.writeDoubleBE(value)
  return bits.toString('hex')
}
