import type { Topic } from 'moulin'
import { Everything } from './tables.ts'

const kinds = new Map(Everything.fields.map(({ name, type }) => [name, type.spec.kind]))

/** The rows of a topic's union scan, in the same form and order as read_table.py prints an engine's. */
export async function plainRows(topic: Topic, names: readonly string[]): Promise<unknown[][]> {
  const scan = topic.scan({ columns: names as never })
  const rows = (await scan.toArray()) as Record<string, unknown>[]
  rows.sort((a, b) => {
    const left = [BigInt(a['_kafka_partition'] as number), a['_kafka_offset'] as bigint]
    const right = [BigInt(b['_kafka_partition'] as number), b['_kafka_offset'] as bigint]
    const at = left[0] === right[0] ? 1 : 0
    return left[at]! < right[at]! ? -1 : 1
  })
  return rows.map((row) => names.map((name) => plain(row[name], kinds.get(name))))
}

function plain(value: unknown, kind?: string): unknown {
  if (value === null || typeof value === 'boolean') return value
  if (kind === 'float') return floatBits(value as number, 4)
  if (kind === 'double') return floatBits(value as number, 8)
  if (kind === 'date') return String(Date.parse(`${value as string}T00:00:00Z`) / 86_400_000)
  if (kind === 'uuid') return (value as string).replaceAll('-', '')
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
