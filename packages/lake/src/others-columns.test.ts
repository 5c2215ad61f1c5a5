/** Columns that others have added to a topic's table. */
import { eq, isValid } from '@moulin/core'
import type { Column, IcebergField, JsonValue } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { alter, avroCodec as codec, inStops, ROWS, send, tiered, visit } from './evolved.test-support.ts'
import { allRows, columnOf } from './foreign.test-support.ts'
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

  it.each<readonly [string, JsonValue, string]>([
    ['int', 7, '7'],
    ['string', 'ß', 'c39f'],
    ['decimal(20,3)', '-14.205', `${'ff'.repeat(7)}c883`],
    ['date', '2024-02-29', '19782'],
    ['timestamptz', '2024-02-29T23:59:59.123456+02:00', '1709243999123456'],
    ['uuid', '00112233-4455-6677-8899-aabbccddeeff', '00112233445566778899aabbccddeeff'],
  ])('are written with their write default: %s', async (type, value, stored) => {
    const { log, topic } = await tiered(codec)
    await alter(log, added({ type, required: true, 'initial-default': value, 'write-default': value }))
    await checkTable(topic, log)
    // To a reader rows of before have it, and rows from now on, whether or not anybody has rewritten them.
    const rowsOf = async (): Promise<string[]> => {
      const column = columnOf(await allRows(log), 'theirs')
      expect(column.validity).toBeUndefined()
      return Array.from({ length: column.length }, (_, row) => bytesAt(column, row))
    }
    const before = await rowsOf()
    expect(new Set(before)).toEqual(new Set([stored]))
    send(log, codec, ROWS, ROWS + 3)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    // Another default from now on says nothing of what is written.
    await alter(log, (fields) =>
      fields.map(({ 'initial-default': _gone, ...field }) => ({ ...field, required: false })),
    )
    const column = columnOf(await allRows(log), 'theirs')
    const written = Array.from({ length: column.length }, (_, row) => row)
      .filter((row) => isValid(column, row))
      .map((row) => bytesAt(column, row))
    expect(written).toEqual([stored, stored, stored])
  })
})

function bytesAt(column: Column, row: number): string {
  if (column.storage === 'bytes')
    return Buffer.from(column.data.subarray(column.starts[row], column.ends[row])).toString('hex')
  if (column.storage === 'fixed')
    return Buffer.from(column.values.subarray(row * column.width, (row + 1) * column.width)).toString('hex')
  return String((column as Column & { values: ArrayLike<unknown> }).values[row])
}
