/** Columns that others have added to a topic's table. */
import { eq, isValid } from '@moulin/core'
import type { Column, IcebergField, JsonValue } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { alter, avroCodec as codec, inStops, ROWS, send, tiered, visit } from './evolved.test-support.ts'
import { allRows, columnOf, numbersOf } from './foreign.test-support.ts'
import { checkTable, readAll } from './lake.test-support.ts'

describe('columns of others', () => {
  const added = (field: Partial<IcebergField> & Pick<IcebergField, 'type'>) => (fields: readonly IcebergField[]) => [
    ...fields,
    { id: 7000, name: 'theirs', required: false, ...field },
  ]

  it.each(['variant', 'geometry(srid:4326)', 'geography', 'unknown', 'timestamp_ns', 'timestamptz_ns', 'of-tomorrow'])(
    'are left alone whatever their type: %s',
    async (type) => {
      const { log, topic } = await tiered(codec)
      await alter(log, added({ type }))
      await checkTable(topic, log)
      send(log, codec, ROWS, ROWS + 3)
      await topic.tier({ upTo: log.hot.committedOffsets() })
      await checkTable(topic, log)
      expect(await topic.scan({ where: eq('count', 4) }).count()).toBe(1)
      expect((await topic.audit({ deep: true })).clean).toBe(true)
      await checkTable(await log.reopen().attach(), log)
    },
  )

  it('stop tiering by name where they must have a value, and reads go on', async () => {
    const { log, topic } = await tiered(codec)
    for (const edit of [
      added({ type: 'string', required: true }),
      (fields: readonly IcebergField[]) =>
        inStops(
          fields.filter(({ id }) => id !== 7000),
          (members) => [...members, { id: 7001, name: 'theirs', required: true, type: 'int' }],
        ),
    ]) {
      await alter(log, edit)
      log.hot.send(0, [{ value: codec.encode(visit(1)) }])
      await expect(topic.tier({ upTo: log.hot.committedOffsets() })).rejects.toMatchObject({
        kind: 'unsupported',
        code: 'REQUIRED_COLUMN',
        message: expect.stringContaining('theirs'),
      })
      expect((await readAll(topic, 0)).slice(0, ROWS)).toEqual(log.hot.records(0).slice(0, ROWS))
    }
  })

  it.each<readonly [type: string, initial: JsonValue, initially: string, value: JsonValue, stored: string]>([
    ['int', 1, '1', 7, '7'],
    ['string', '', '', 'ß', 'c39f'],
    ['decimal(20,3)', '0.001', '000000000000000001', '-14.205', `${'ff'.repeat(7)}c883`],
    ['date', '1970-01-01', '0', '2024-02-29', '19782'],
    ['timestamptz', '1970-01-01T00:00Z', '0', '2024-02-29T23:59:59.123456+02:00', '1709243999123456'],
    [
      'uuid',
      '00000000-0000-0000-0000-000000000001',
      `${'0'.repeat(31)}1`,
      '00112233-4455-6677-8899-aabbccddeeff',
      '00112233445566778899aabbccddeeff',
    ],
  ])('are written with their write default: %s', async (type, initial, initially, value, stored) => {
    const { log, topic } = await tiered(codec)
    await alter(log, added({ type, required: true, 'initial-default': initial, 'write-default': value }))
    send(log, codec, ROWS, ROWS + 3)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
    const rows = await allRows(log)
    const offsets = numbersOf(rows, '_kafka_offset')
    expect(valuesOf(columnOf(rows, 'theirs'))).toEqual(offsets.map((offset) => (offset! < ROWS ? initially : stored)))
    // What is in the files now does not depend on what the schema says later.
    await alter(log, (fields) =>
      fields.map(({ 'initial-default': _gone, ...field }) => ({ ...field, required: false })),
    )
    const later = await allRows(log)
    expect(valuesOf(columnOf(later, 'theirs'))).toEqual(offsets.map((offset) => (offset! < ROWS ? null : stored)))
  })

  it('are written with a write default that is a list, with what is in it', async () => {
    const { log, topic } = await tiered(codec)
    const type = { type: 'list', 'element-id': 7001, element: 'string', 'element-required': false } as const
    await alter(log, added({ type, required: true, 'initial-default': ['a'], 'write-default': ['b', null, ''] }))
    send(log, codec, ROWS, ROWS + 3)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
    const rows = await allRows(log)
    const lists = columnOf(rows, 'theirs') as Extract<Column, { storage: 'list' }>
    const items = valuesOf(lists.element)
    const stored = Array.from(numbersOf(rows, '_kafka_offset'), (_, row) =>
      items.slice(lists.offsets[row], lists.offsets[row + 1]),
    )
    const offsets = numbersOf(rows, '_kafka_offset')
    expect(stored).toEqual(offsets.map((offset) => (offset! < ROWS ? ['61'] : ['62', null, ''])))
  })
})

const valuesOf = (column: Column): (string | null)[] =>
  Array.from({ length: column.length }, (_, row) => (isValid(column, row) ? bytesAt(column, row) : null))

function bytesAt(column: Column, row: number): string {
  if (column.storage === 'bytes')
    return Buffer.from(column.data.subarray(column.starts[row], column.ends[row])).toString('hex')
  if (column.storage === 'fixed')
    return Buffer.from(column.values.subarray(row * column.width, (row + 1) * column.width)).toString('hex')
  return String((column as Column & { values: ArrayLike<unknown> }).values[row])
}
