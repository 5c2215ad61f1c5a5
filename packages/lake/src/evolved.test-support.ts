/** A topic of many types, and what another engine may do to the columns of its table. */
import { schema, t } from '@moulin/core'
import type { Codec, ColdTopic, IcebergField, IcebergType, StoredRecord, TableUpdate } from '@moulin/core'
import { avro, json, parquetWriter } from '@moulin/format'
import { currentSchema } from '@moulin/iceberg'
import { allRows, change, replaceRows, tableOf } from './foreign.test-support.ts'
import { testLog, utf8 } from './lake.test-support.ts'
import type { TestLog, TestLogOptions } from './lake.test-support.ts'

export const Visit = schema({
  count: t.int,
  share: t.float.optional(),
  price: t.decimal(9, 2),
  large: t.decimal(18, 1).optional(),
  born: t.date,
  city: t.string.optional(),
  stops: t.list(t.struct({ level: t.int, name: t.string.optional(), tags: t.map(t.string, t.int) })),
})
export const avroCodec: Codec = avro(Visit) as Codec
export const codecs: readonly { readonly name: string; readonly codec: Codec }[] = [
  { name: 'avro', codec: avroCodec },
  { name: 'json', codec: json(Visit) as Codec },
]
export const visit = (at: number): Record<string, unknown> => ({
  count: at % 2 === 0 ? at : -at - 2_000_000_000,
  share: at % 3 === 0 ? null : at / 8,
  price: `${at}.25`,
  large: at % 4 === 0 ? null : `-${at}000000000000.5`,
  born: `19${60 + (at % 20)}-02-0${1 + (at % 9)}`,
  city: at % 5 === 0 ? null : `city-${at % 3}`,
  stops: Array.from({ length: at % 3 }, (_, level) => ({
    level: level - at,
    name: level === 0 ? null : `n${at}`,
    tags: new Map([[`t${at}`, at]]),
  })),
})

export const ROWS = 12

export async function tiered(codec: Codec, options: TestLogOptions = {}): Promise<{ log: TestLog; topic: ColdTopic }> {
  const log = testLog({ codec, ...options, info: { partitionBy: [], partitions: 1, ...options.info } })
  const topic = await log.attach()
  send(log, codec, 0, ROWS)
  await topic.tier({ upTo: log.hot.committedOffsets() })
  return { log, topic }
}

export function send(log: TestLog, codec: Codec, from: number, to: number): void {
  const headers = [['h', utf8('1')]] as const
  const records = Array.from({ length: to - from }, (_, at) => ({
    key: utf8(`key-${from + at}`),
    value: codec.encode(visit(from + at)),
    headers,
  }))
  log.hot.send(0, records)
}

export async function alter(log: TestLog, edit: (fields: readonly IcebergField[]) => IcebergField[]): Promise<void> {
  const { metadata } = await tableOf(log)
  const update: TableUpdate = {
    action: 'add-schema',
    schema: { type: 'struct', fields: edit(currentSchema(metadata).fields) },
    'last-column-id': metadata['last-column-id'] + 1000,
  }
  await change(log, [update, { action: 'set-current-schema', 'schema-id': -1 }])
}

/** Every type that may be promoted, at any depth, as a stranger's ALTER TABLE leaves it. */
export function promoted(type: IcebergType): IcebergType {
  if (typeof type !== 'string') {
    if (type.type === 'struct')
      return { ...type, fields: type.fields.map((field) => ({ ...field, type: promoted(field.type) })) }
    if (type.type === 'list') return { ...type, element: promoted(type.element) }
    return { ...type, key: promoted(type.key), value: promoted(type.value) }
  }
  const wider: Record<string, string> = {
    int: 'long',
    float: 'double',
    'decimal(9,2)': 'decimal(30,2)',
    'decimal(9, 2)': 'decimal(30,2)',
    'decimal(18,1)': 'decimal(38,1)',
    'decimal(18, 1)': 'decimal(38,1)',
    date: 'timestamp',
  }
  return wider[type] ?? type
}
export const promoteAll = (fields: readonly IcebergField[]): IcebergField[] =>
  fields.map((field) => ({ ...field, type: promoted(field.type) }))

export const renameFields = (type: IcebergType): IcebergType => {
  if (typeof type === 'string') return type
  if (type.type === 'list') return { ...type, element: renameFields(type.element) }
  if (type.type === 'map') return { ...type, value: renameFields(type.value) }
  // Backwards, and under other names; `level` and `name` have swapped theirs.
  const names = new Map([
    ['level', 'name'],
    ['name', 'level'],
  ])
  const fields = type.fields.map((field) => ({ ...field, name: names.get(field.name) ?? `${field.name} of old` }))
  return { ...type, fields: fields.reverse() }
}

/** In the struct within `stops`. */
export function inStops(
  fields: readonly IcebergField[],
  edit: (members: readonly IcebergField[]) => readonly IcebergField[],
): IcebergField[] {
  return fields.map((field) => {
    if (field.name !== 'stops' || typeof field.type === 'string' || field.type.type !== 'list') return field
    const { element } = field.type
    if (typeof element === 'string' || element.type !== 'struct') return field
    return { ...field, type: { ...field.type, element: { ...element, fields: edit(element.fields) } } }
  })
}

export const rewrite = async (log: TestLog): Promise<void> => replaceRows(log, [await allRows(log)], parquetWriter)
/** By offset. */
export async function scanned(
  topic: ColdTopic,
  columns: readonly string[] = Visit.fields.map(({ name }) => name),
): Promise<unknown[]> {
  const rows = await topic.scan({ columns: ['_kafka_offset', ...columns] }).toArray()
  return rows.sort((a, b) => Number(a['_kafka_offset']) - Number(b['_kafka_offset']))
}
export const fidelities = (records: readonly StoredRecord[]): string[] => records.map(({ fidelity }) => fidelity)
