/** What SQL's UPDATE makes of records, by rewriting files and by deleting rows beside new ones, in every value mode. */
import { Arena, BytesBuilder, isValid, schema, t, tableFiles } from '@moulin/core'
import type { Codec, Column, ColdTopic, ColumnBatch, StoredRecord, ValueMode } from '@moulin/core'
import { avro, json } from '@moulin/format'
import { planScan } from '@moulin/iceberg'
import { describe, expect, it } from 'vitest'
import {
  allRows,
  columnOf,
  commitFiles,
  foreignFile,
  numbersOf,
  pick,
  replaceRows,
  tableOf,
  withColumn,
  withNumbers,
} from '../packages/lake/src/foreign.test-support.ts'
import { readAll, recordsOf, testLog, utf8 } from '../packages/lake/src/lake.test-support.ts'
import type { SentRecord, TestLog } from '../packages/lake/src/lake.test-support.ts'
import { commitDeletes, newPositions, newVectors } from './deletes/foreign-deletes.ts'

const Note = schema({ id: t.int53, text: t.string.optional() })
const codecs = { avro: avro(Note) as Codec, json: json(Note) as Codec }

type Change = (rows: ColumnBatch) => ColumnBatch
type Way = 'copy on write' | 'position deletes' | 'deletion vectors'

interface Updated {
  readonly log: TestLog
  readonly topic: ColdTopic
  /** `UPDATE … SET …` of the row at the offset. */
  update(offset: number, change: Change): Promise<void>
}

async function tiered(
  way: Way,
  codec: Codec | undefined,
  valueMode: ValueMode,
  records: readonly SentRecord[],
): Promise<Updated> {
  const info = { partitions: 1, partitionBy: [], valueMode }
  const log = testLog({ ...(codec && { codec }), info })
  const topic = await log.attach()
  log.hot.send(0, records)
  await topic.tier({ upTo: log.hot.committedOffsets() })
  const rows = await allRows(log)
  return {
    log,
    topic,
    async update(offset, change) {
      const row = numbersOf(rows, '_kafka_offset').indexOf(BigInt(offset))
      if (way === 'copy on write') {
        const before = [
          pick(rows, [row]),
          pick(
            rows,
            records.map((_, at) => at).filter((at) => at !== row),
          ),
        ]
        return replaceRows(log, [change(before[0]!), before[1]!])
      }
      // Of the log's own file the row, of what earlier updates put in its place all.
      const deleted = new Map<string, number[]>()
      const table = await tableOf(log)
      for await (const { file } of planScan({ tableFiles: tableFiles(log.store), metadata: table.metadata })) {
        deleted.set(file.filePath, [file.filePath.includes('foreign-') ? 0 : row])
      }
      const id = log.runtime.random.uuid()
      await commitFiles(log, table, [await foreignFile(log, table, change(pick(rows, [row])), id)], id)
      const { store, catalog } = log
      const make = way === 'position deletes' ? newPositions : newVectors
      await commitDeletes({ store, catalog, table: log.info.table }, `d${id}`, (at) => [make(at, deleted)])
    },
  }
}

function bytes(...values: readonly (Uint8Array | null)[]): Column {
  const builder = new BytesBuilder(new Arena())
  for (const value of values) {
    if (value === null) builder.appendNull()
    else builder.append(value)
  }
  return builder.finish()
}

/** What every way to a record of the cold tier says of the partition. */
async function recordsAt({ topic }: Updated, count: number): Promise<StoredRecord[]> {
  const records = await readAll(topic, 0)
  const positions = Array.from({ length: count }, (_, at) => ({ partition: 0, offset: BigInt(at) }))
  const found: StoredRecord[] = []
  for await (const run of topic.readAt(positions)) found.push(...recordsOf(run))
  expect(found).toEqual(records)
  expect(await topic.scan({}).count()).toBe(records.length)
  return records
}

const told = (records: readonly StoredRecord[]): [unknown, string][] =>
  records.map(({ bytes, fidelity }) => [bytes === null ? null : new TextDecoder('latin1').decode(bytes), fidelity])
const latin1 = (value: Uint8Array): string => new TextDecoder('latin1').decode(value)

const ways: readonly Way[] = ['copy on write', 'position deletes', 'deletion vectors']

describe.each(ways)('UPDATE by %s', (way) => {
  it('gives the new bytes of a raw value, or none', async () => {
    const sent = ['a', 'b', 'c'].map((text) => ({ value: utf8(text) }))
    const world = await tiered(way, undefined, 'raw', sent)
    await world.update(1, (row) => withColumn(row, '_kafka_value', bytes(utf8('new'))))
    const expected = [
      ['a', 'exact'],
      ['new', 'rewritten'],
      ['c', 'exact'],
    ]
    expect(told(await recordsAt(world, 3))).toEqual(expected)
    expect((await world.topic.audit({ deep: true })).deep).toMatchObject({
      mismatched: 1n,
      altered: [{ from: 1n, to: 2n }],
      deletedRows: 0n,
    })
  })

  describe.each(['columns', 'columns+raw'] as const)('in value mode %s', (valueMode) => {
    it.each(['avro', 'json'] as const)('gives the new value of columns, whatever the row was (%s)', async (name) => {
      const codec = codecs[name]
      const plain = (id: number): Uint8Array => codec.encode({ id, text: 'old' })
      // Of another producer: the columns would not give these bytes back, so they are kept beside them.
      const odd = name === 'json' ? utf8('{ "text": "old", "id": 1 }') : plain(1)
      const sent = [{ value: plain(0) }, { value: odd }, { value: utf8('no value at all \xff') }, { value: null }, {}]
      const all = sent.map(({ value = null }) => (value === null ? null : latin1(value)))
      const world = await tiered(way, codec, valueMode, sent)
      expect(told(await recordsAt(world, 5))).toEqual(all.map((text) => [text, 'exact']))
      for (const offset of [0, 1, 2, 3]) {
        const change: Change = (row) => withNumbers(withColumn(row, 'text', bytes(utf8('new'))), 'id', [BigInt(offset)])
        await world.update(offset, change)
        const wanted = latin1(codec.encode({ id: offset, text: 'new' }))
        const expected = all.map((text, at) => (at === offset ? [wanted, 'rewritten'] : [text, 'exact']))
        expect(told(await recordsAt(world, 5))).toEqual(expected)
        const { deep } = await world.topic.audit({ deep: true })
        expect(deep).toMatchObject({ altered: [{ from: BigInt(offset), to: BigInt(offset + 1) }], deletedRows: 0n })
      }
    })

    it('tells a changed key and a changed time, and gives kept bytes no more than the columns say', async () => {
      const codec = codecs.json
      const odd = utf8('{ "text": "old", "id": 1 }')
      const world = await tiered(way, codec, valueMode, [{ value: odd, key: utf8('k') }, { value: odd }])
      await world.update(0, (row) => withColumn(row, '_kafka_key', bytes(utf8('other'))))
      const [record] = await recordsAt(world, 2)
      expect(record).toMatchObject({ key: utf8('other'), bytes: odd, fidelity: 'rewritten' })
      await world.update(0, (row) => withNumbers(row, '_kafka_timestamp', [5_000n]))
      expect((await recordsAt(world, 2))[0]).toMatchObject({ timestamp: 5n, bytes: odd, fidelity: 'rewritten' })
      // The bytes alone: columns win, and say what they said.
      await world.update(0, (row) => withColumn(row, '_kafka_value', bytes(utf8('{"id":9}'))))
      const [kept] = await recordsAt(world, 2)
      expect(JSON.parse(Buffer.from(kept!.bytes!).toString())).toEqual({ id: 1, text: 'old' })
      expect(kept!.fidelity).toBe('rewritten')
    })
  })

  it('that changes nothing leaves the record as it was', async () => {
    const sent = [{ value: codecs.avro.encode({ id: 1, text: 'a' }) }, { value: codecs.avro.encode({ id: 2 }) }]
    const world = await tiered(way, codecs.avro, 'columns', sent)
    await world.update(1, (row) => {
      expect(isValid(columnOf(row, 'text'), 0)).toBe(false)
      return row
    })
    expect((await recordsAt(world, 2)).map(({ fidelity }) => fidelity)).toEqual(['exact', 'exact'])
    expect((await world.topic.audit({ deep: true })).clean).toBe(true)
  })
})
