import { Arena, BytesBuilder, eq, isNull, schema, t } from '@moulin/core'
import type { Codec, Column, ColdTopic, StoredRecord, TableUpdate } from '@moulin/core'
import { avro } from '@moulin/format'
import { currentSchema } from '@moulin/iceberg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allRows, change, foreignAppend, pick, replaceRows, tableOf, withColumn } from './foreign.test-support.ts'
import { checkTable, readAll, recordsOf, testLog, utf8 } from './lake.test-support.ts'
import type { TestLog, TestLogOptions } from './lake.test-support.ts'

const Order = schema({ id: t.int53, city: t.string.optional(), note: t.string.optional() })
const codec: Codec = avro(Order) as Codec
const order = (id: number, city: string | null = 'ams'): Uint8Array => codec.encode({ id, city, note: 'n' })

async function tieredLog(options: TestLogOptions = {}, rows = 12): Promise<{ log: TestLog; topic: ColdTopic }> {
  const log = testLog({ codec, ...options, info: { partitionBy: [], ...options.info } })
  const topic = await log.attach()
  for (let at = 0; at < rows; at += 3) {
    for (const partition of [0, 1]) {
      const value = (id: number): Uint8Array => order(id + 100 * partition)
      log.hot.send(
        partition,
        [0, 1, 2].map((more) => ({ key: utf8(`${at + more}`), value: value(at + more) })),
      )
    }
    await topic.tier({ upTo: log.hot.committedOffsets() })
  }
  return { log, topic }
}

function textColumn(values: readonly (string | null)[]): Column {
  const builder = new BytesBuilder(new Arena())
  for (const value of values) {
    if (value === null) builder.appendNull()
    else builder.append(utf8(value))
  }
  return builder.finish()
}

const fidelities = (records: readonly StoredRecord[]): string[] => records.map(({ fidelity }) => fidelity)

describe('a table that another engine rewrote', () => {
  it('gives every byte back whatever the order and the cut of its files', async () => {
    const { log, topic } = await tieredLog()
    const rows = await allRows(log)
    const all = Array.from({ length: rows.length }, (_, at) => at)
    const order = fc.tuple(
      fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length }),
      fc.integer({ min: 1, max: 24 }),
    )
    await fc.assert(
      fc.asyncProperty(order, async ([shuffled, cut]) => {
        await replaceRows(
          log,
          [pick(rows, shuffled.slice(0, cut)), pick(rows, shuffled.slice(cut))].filter(({ length }) => length > 0),
        )
        await checkTable(topic, log)
        const positions = shuffled.map((at) => ({ partition: at % 2, offset: BigInt(at % 13) }))
        let next = 0
        for await (const run of topic.readAt(positions)) {
          const { partition, offset } = positions[next++]!
          expect(recordsOf(run)).toEqual(log.hot.records(partition).filter((record) => record.offset === offset))
        }
        expect(next).toBe(positions.length)
      }),
      { numRuns: 20 },
    )
  })

  it('goes on taking records', async () => {
    const { log, topic } = await tieredLog()
    await replaceRows(log, [await allRows(log)])
    log.hot.send(0, [{ value: order(1000) }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
  })

  it('shows deleted rows as gaps: in reads, scans and the audit', async () => {
    const { log, topic } = await tieredLog()
    const rows = await allRows(log)
    const partitions = await topic.scan({ columns: ['_kafka_partition', '_kafka_offset'] }).toArray()
    const kept = partitions.flatMap((row, at) => {
      const offset = row['_kafka_offset'] as bigint
      const isDeleted = row['_kafka_partition'] === 1 && (offset < 2n || offset === 5n || offset > 9n)
      return isDeleted ? [] : [at]
    })
    await replaceRows(log, [pick(rows, kept)])
    expect((await readAll(topic, 1)).map(({ offset }) => offset)).toEqual([2n, 3n, 4n, 6n, 7n, 8n, 9n])
    expect(await readAll(topic, 1, 5n, 6n)).toEqual([])
    expect(await topic.scan({}).count()).toBe(kept.length)
    const report = await topic.audit()
    expect(report.clean).toBe(false)
    expect(report.partitions[1]).toMatchObject({ rows: 7n, ledgerRows: 12n, deleted: 5n })
    expect(report.gaps).toEqual(
      [
        [0n, 2n],
        [5n, 6n],
        [10n, 12n],
      ].map(([from, to]) => ({ incarnation: 1, partition: 1, from, to, reason: 'deleted' })),
    )
    const seen: number[] = []
    for await (const run of topic.readAt([5n, 6n].map((offset) => ({ partition: 1, offset }))))
      seen.push(recordsOf(run).length)
    expect(seen).toEqual([0, 1])
  })

  it.each(['columns', 'columns+raw'] as const)(
    'never gives old bytes after an UPDATE (value mode %s)',
    async (valueMode) => {
      const { log, topic } = await tieredLog({ info: { valueMode } })
      const rows = await allRows(log)
      const cities = (await topic.scan({ columns: ['city', '_kafka_offset'] }).toArray()).map((row) =>
        row['_kafka_offset'] === 3n ? 'rtm' : row['_kafka_offset'] === 4n ? null : (row['city'] as string),
      )
      await replaceRows(log, [withColumn(rows, 'city', textColumn(cities))])
      const records = await readAll(topic, 1)
      expect(records.map(({ bytes }) => bytes)).toEqual(
        Array.from({ length: 12 }, (_, id) => order(100 + id, id === 3 ? 'rtm' : id === 4 ? null : 'ams')),
      )
      expect(fidelities(records)).toEqual(
        Array.from({ length: 12 }, (_, id) => (id === 3 || id === 4 ? 'rewritten' : 'exact')),
      )
      expect(await topic.scan({ where: eq('city', 'rtm') }).count()).toBe(2)
    },
  )

  it('shows rows without an identity to nobody', async () => {
    const { log, topic } = await tieredLog()
    await foreignAppend(log, [
      { partition: null, offset: null },
      { partition: 0, offset: null },
      { partition: 0, offset: 1n, incarnation: 0 },
    ])
    await checkTable(topic, log)
    expect(await topic.scan({ where: isNull('id') }).toArray()).toEqual([])
  })

  it('reads an offset once that SQL copied, and tells of it in the audit', async () => {
    const { log, topic } = await tieredLog()
    await foreignAppend(log, [{ partition: 0, offset: 1n }])
    expect(await readAll(topic, 0)).toHaveLength(12)
    const report = await topic.audit()
    expect(report.clean).toBe(false)
    expect(report.partitions[0]).toMatchObject({ rows: 12n, unseen: 1n, ledgerRows: 12n, deleted: 0n })
    expect(await topic.scan({}).count()).toBe(24)
  })

  it('is followed through a snapshot that vanishes while it is read', async () => {
    const { log, topic } = await tieredLog({ tier: { coldReadBytes: 1 } })
    const reader = topic.read({ partition: 0, from: 0n, to: 12n })[Symbol.asyncIterator]()
    const records = recordsOf((await reader.next()).value)
    const rows = await allRows(log)
    await replaceRows(log, [rows])
    for await (const { key } of log.store.list({ prefix: 'tables/shop/orders/data/' })) {
      if (!key.includes('foreign')) await log.store.delete(key)
    }
    for (let step = await reader.next(); step.done !== true; step = await reader.next())
      records.push(...recordsOf(step.value))
    expect(records).toEqual(log.hot.records(0))
  })

  it('is corrupt, not empty, when a file of its own snapshot is not there', async () => {
    const { log, topic } = await tieredLog()
    log.hot.release(topic.frontier())
    for await (const { key } of log.store.list({ prefix: 'tables/shop/orders/data/' })) await log.store.delete(key)
    await expect(readAll(topic, 0)).rejects.toMatchObject({ kind: 'corrupt', code: 'FILE_MISSING' })
  })
})

describe('a table whose columns another engine changed', () => {
  const alter = async (log: TestLog, edit: (name: string) => string | undefined): Promise<void> => {
    const { metadata } = await tableOf(log)
    const fields = currentSchema(metadata).fields.flatMap((field) => {
      const name = edit(field.name)
      return name === undefined ? [] : [{ ...field, name }]
    })
    const update: TableUpdate = {
      action: 'add-schema',
      schema: { type: 'struct', fields },
      'last-column-id': metadata['last-column-id'],
    }
    await change(log, [update, { action: 'set-current-schema', 'schema-id': -1 }])
  }

  it('is read and written under its new names', async () => {
    const { log, topic } = await tieredLog()
    await alter(log, (name) => (name === 'city' ? 'town' : name === '_kafka_key' ? 'the_key' : name))
    await checkTable(topic, log)
    log.hot.send(0, [{ value: order(7, 'rtm') }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
    expect(await topic.scan({ columns: ['city'], where: eq('city', 'rtm') }).toArray()).toHaveLength(1)
    await checkTable(await log.reopen().attach(), log)
  })

  it('gives degraded values where the bytes need a dropped column, and keeps the bytes from then on', async () => {
    const { log, topic } = await tieredLog()
    await alter(log, (name) => (name === 'city' ? undefined : name))
    const records = await readAll(topic, 0)
    expect(new Set(fidelities(records))).toEqual(new Set(['degraded']))
    expect(records[0]!.bytes).toEqual(order(0, null))
    log.hot.send(0, [{ value: order(7) }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    expect((await readAll(topic, 0)).at(-1)).toEqual(log.hot.records(0).at(-1))
    expect(await topic.scan({ columns: ['city'], where: isNull('city') }).count()).toBe(25)
    expect(await topic.scan({ where: eq('city', 'ams') }).count()).toBe(0)
  })

  it('loses no byte of a dropped column in value mode columns+raw', async () => {
    const { log, topic } = await tieredLog({ info: { valueMode: 'columns+raw' } })
    await alter(log, (name) => (name === 'city' ? undefined : name))
    await checkTable(topic, log)
  })
})
