/** A table that lost a system column: who a row is, or another part of its record. */
import type { IcebergField, StoredRecord } from '@moulin/core'
import { virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { alter, avroCodec as codec, fidelities, rewrite, ROWS, send, tiered, visit } from './evolved.test-support.ts'
import { change, tableOf } from './foreign.test-support.ts'
import { checkTable, readAll, recordsOf, testLog, utf8 } from './lake.test-support.ts'
import type { TestLogOptions } from './lake.test-support.ts'

const visitBytes = codec.encode(visit(1))

describe('a table that lost a system column', () => {
  it.each(['_kafka_partition', '_kafka_offset', '_kafka_incarnation'])('is broken without %s', async (name) => {
    const { log, topic } = await tiered(codec)
    await alter(log, (fields) => fields.filter((field) => field.name !== name))
    const broken = { kind: 'conflict', code: 'LINEAGE_BROKEN', context: { fault: 'lost-identity' } }
    await expect(topic.refresh()).rejects.toMatchObject(broken)
    await expect(readAll(topic, 0)).rejects.toMatchObject(broken)
    await expect(log.reopen().attach()).rejects.toThrow(name)
    // Not to be adopted, by whatever policy: there is nothing to count.
    for (const how of ['restore', 'gap', 'by-hand'] as const) await expect(log.adopt(how)).rejects.toMatchObject(broken)
    // One of the name is another column.
    await alter(log, (fields) => [
      ...fields,
      { id: 6000, name, required: false, type: name === '_kafka_offset' ? 'long' : 'int' },
    ])
    await expect(topic.refresh()).rejects.toMatchObject(broken)
    // The schema of before is the way back.
    const { metadata } = await tableOf(log)
    await change(log, [{ action: 'set-current-schema', 'schema-id': metadata.schemas[0]!['schema-id']! }])
    await checkTable(topic, log)
  })

  const others: readonly { readonly name: string; readonly reads: Partial<StoredRecord>; readonly error?: RegExp }[] = [
    { name: '_kafka_timestamp', reads: { timestamp: -1n } },
    { name: '_kafka_key', reads: { key: null } },
    { name: '_kafka_headers', reads: { headers: [] } },
    { name: '_kafka_crc', reads: {} },
    { name: '_kafka_schema_id', reads: {} },
    { name: '_kafka_key_schema_id', reads: {} },
  ]
  it.each(others)('reads $name as null, says degraded, and goes on', async ({ name, reads }) => {
    const { log, topic } = await tiered(codec)
    const sent = log.hot.records(0).map((record) => ({ ...record, ...reads, fidelity: 'degraded' }))
    await alter(log, (fields) => fields.filter((field) => field.name !== name))
    expect(await readAll(topic, 0)).toEqual(sent)
    expect(await topic.scan({ columns: [name] }).toArray()).toEqual(sent.map(() => ({ [name]: null })))
    await rewrite(log)
    expect(await readAll(topic, 0)).toEqual(sent)
    send(log, codec, ROWS, ROWS + 3)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    const more = log.hot.records(0).map((record) => ({ ...record, ...reads, fidelity: 'degraded' }))
    const next = await log.reopen().attach()
    expect(await readAll(next, 0)).toEqual(more)
    const report = await next.audit({ deep: true })
    expect(report.partitions[0]).toMatchObject({ rows: BigInt(ROWS + 3), deleted: 0n })
    expect(report.deep).toMatchObject({ mismatched: 0n })
    expect(report.clean).toBe(true)
    if (name === '_kafka_crc') expect(report.partitions[0]).toMatchObject({ checksum: null, ledgerChecksum: null })
  })

  it('is named in the log once, with all that is gone', async () => {
    const lines: object[] = []
    const warn = (fields: object): void => void lines.push(fields)
    const runtime = virtualRuntime({ seed: 3 })
    const { log, topic } = await tiered(codec, { runtime: { ...runtime, logger: { ...runtime.logger, warn } } })
    await alter(log, (fields) => fields.filter(({ name }) => name !== '_kafka_key' && name !== 'city'))
    for (let at = 0; at < 3; at++) await topic.refresh()
    expect(lines).toEqual([{ topic: 'orders', table: 'shop.orders', columns: '_kafka_key, city' }])
  })

  it('finds no time where there is none, and what has none before all', async () => {
    const { log, topic } = await tiered(codec)
    await alter(log, (fields) => fields.filter(({ name }) => name !== '_kafka_timestamp'))
    const since = (timestamp: bigint): Promise<bigint | undefined> =>
      topic.offsetSince!({ partition: 0, timestamp, to: BigInt(ROWS) })
    expect(await since(0n)).toBeUndefined()
    expect(await since(-1n)).toBe(0n)
  })

  it('knows by the checksum what is whole without the column', async () => {
    const { log, topic } = await tiered(codec)
    await alter(log, (fields) =>
      fields.filter(({ name }) => name !== '_kafka_timestamp_type' && name !== '_kafka_value_state'),
    )
    await checkTable(topic, log)
    send(log, codec, ROWS, ROWS + 3)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
  })

  it('gives no tombstone for a value that was in _kafka_value', async () => {
    const log = testLog({ info: { partitions: 1, partitionBy: [] } })
    const topic = await log.attach()
    log.hot.send(0, [
      { key: utf8('a'), value: utf8('one') },
      { key: utf8('b'), value: null },
    ])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await alter(log, (fields) => fields.filter(({ name }) => name !== '_kafka_value'))
    const runs = []
    for await (const run of topic.read({ partition: 0, from: 0n, to: 2n })) runs.push(run)
    expect(runs.flatMap(({ unreadable }) => [...(unreadable ?? [])])).toEqual([
      [0, expect.stringContaining('_kafka_value')],
    ])
    expect(runs.flatMap((run) => fidelities(recordsOf(run)))).toEqual(['degraded', 'exact'])
  })

  it('lacks the keys of headers without a fault of theirs', async () => {
    const { log, topic } = await tiered(codec)
    await alter(log, (fields) =>
      fields.map((field) => {
        if (field.name !== '_kafka_headers' || typeof field.type === 'string' || field.type.type !== 'list')
          return field
        const { element } = field.type
        if (typeof element === 'string' || element.type !== 'struct') return field
        return { ...field, type: { ...field.type, element: { ...element, fields: element.fields.slice(1) } } }
      }),
    )
    const records = await readAll(topic, 0)
    expect(records[0]).toMatchObject({ headers: [['', utf8('1')]], fidelity: 'degraded' })
    send(log, codec, ROWS, ROWS + 1)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    expect((await readAll(topic, 0)).at(-1)).toMatchObject({ headers: [['', utf8('1')]], fidelity: 'degraded' })
  })

  const restored = [
    '_kafka_timestamp',
    '_kafka_key',
    '_kafka_headers',
    '_kafka_schema_id',
    '_kafka_key_schema_id',
    '_kafka_crc',
  ]
  it.each([...restored, '_kafka_timestamp_type', '_kafka_value_state', 'city'])(
    'reads what was tiered without %s once the earlier schema is current again',
    async (name) => {
      const { log, topic } = await tiered(codec)
      const before = log.hot.records(0)
      await alter(log, (fields) => fields.filter((field) => field.name !== name))
      send(log, codec, ROWS, ROWS + 6)
      await topic.tier({ upTo: log.hot.committedOffsets() })
      const gone = (await readAll(topic, 0)).slice(ROWS)
      const { metadata } = await tableOf(log)
      await change(log, [{ action: 'set-current-schema', 'schema-id': metadata.schemas[0]!['schema-id']! }])
      const again = await readAll(await log.reopen().attach(), 0)
      expect(again.slice(0, ROWS)).toEqual(before)
      // What those rows have lost they have lost for good.
      expect(again.slice(ROWS)).toEqual(gone)
    },
  )

  const withoutRaw = (fields: readonly IcebergField[]): IcebergField[] =>
    fields.filter(({ name }) => name !== '_kafka_value')
  const needing: readonly { readonly what: string; readonly options: TestLogOptions; readonly value: Uint8Array }[] = [
    { what: 'values are bytes', options: {}, value: utf8('one') },
    {
      what: 'bytes are kept beside columns',
      options: { codec, info: { valueMode: 'columns+raw' } },
      value: visitBytes,
    },
    { what: 'a value does not fit its columns', options: { codec }, value: utf8('no visit') },
  ]
  it.each(needing)('gets nothing more without _kafka_value where $what, and says so', async ({ options, value }) => {
    const log = testLog({ ...options, info: { partitions: 1, partitionBy: [], ...options.info } })
    const topic = await log.attach()
    log.hot.send(0, [{ key: utf8('a'), value }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await alter(log, withoutRaw)
    // A tombstone has nothing to lose.
    log.hot.send(0, [{ key: utf8('b'), value: null }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    log.hot.send(0, [{ key: utf8('c'), value }])
    for (let time = 0; time < 2; time++) {
      await expect(topic.tier({ upTo: log.hot.committedOffsets() })).rejects.toMatchObject({
        kind: 'unsupported',
        code: 'RAW_COLUMN',
        context: { partition: 0, offset: 2n },
      })
    }
    expect(topic.frontier()).toEqual([2n])
    const { metadata } = await tableOf(log)
    await change(log, [{ action: 'set-current-schema', 'schema-id': metadata.schemas[0]!['schema-id']! }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
  })

  it('goes on without _kafka_value where all values are in columns', async () => {
    const { log, topic } = await tiered(codec)
    await alter(log, withoutRaw)
    send(log, codec, ROWS, ROWS + 3)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
    // Of what is left of a value after that, the bytes can be kept nowhere.
    await alter(log, (fields) => fields.filter(({ name }) => name !== 'city'))
    send(log, codec, ROWS + 3, ROWS + 4)
    await expect(topic.tier({ upTo: log.hot.committedOffsets() })).rejects.toMatchObject({ code: 'RAW_COLUMN' })
  })
})
