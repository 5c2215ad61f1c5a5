/** Files that name their columns and give them no ids, as engines add them that know nothing of Iceberg. */
import { eq, isValid } from '@moulin/core'
import type { Column, ColumnBatch, ColdTopic } from '@moulin/core'
import { parquetWriter } from '@moulin/format'
import { parquetWriteBuffer } from 'hyparquet-writer'
import type { ColumnSource } from 'hyparquet-writer'
import { describe, expect, it } from 'vitest'
import { allRows, change, replaceRows, tableOf } from '../foreign.test-support.ts'
import { checkTable, readAll, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'
import { nameMappingOf } from './name-mappings.ts'

const ROWS = 5
const types: Readonly<Record<string, ColumnSource['type']>> = {
  _kafka_partition: 'INT32',
  _kafka_offset: 'INT64',
  _kafka_incarnation: 'INT32',
  _kafka_timestamp: 'TIMESTAMP',
  _kafka_timestamp_type: 'INT32',
  _kafka_key: 'BYTE_ARRAY',
  _kafka_crc: 'INT32',
  _kafka_value_state: 'STRING',
  _kafka_value: 'BYTE_ARRAY',
  _kafka_schema_id: 'INT32',
  _kafka_key_schema_id: 'INT32',
}

const valuesOf = (column: Column, name: string): unknown[] =>
  Array.from({ length: column.length }, (_, row) => {
    if (!isValid(column, row)) return null
    if (column.storage === 'bytes') {
      const bytes = column.data.slice(column.starts[row], column.ends[row])
      return name === '_kafka_value_state' ? Buffer.from(bytes).toString() : bytes
    }
    const value = (column as Column & { values: ArrayLike<number | bigint> }).values[row]!
    return name === '_kafka_timestamp' ? new Date(Number(value) / 1000) : value
  })

/** The rows as a file without ids; the writer of the table's own files counts for its metrics. */
async function rewriteWithoutIds(log: TestLog, times: number): Promise<void> {
  const rows = await allRows(log)
  await replaceRows(log, new Array<ColumnBatch>(times).fill(rows), {
    name: 'no ids',
    create(options) {
      const inner = parquetWriter.create(options)
      let bytes = new Uint8Array(0)
      const writeRowGroup = (batch: ColumnBatch): void => {
        inner.writeRowGroup(batch)
        const columnData = batch.columns.flatMap(({ name, column }): ColumnSource[] => {
          const type = types[name]
          return type === undefined ? [] : [{ name, type, data: valuesOf(column, name) }]
        })
        bytes = new Uint8Array(parquetWriteBuffer({ columnData }))
      }
      return {
        write: writeRowGroup,
        writeRowGroup,
        endRowGroup: () => undefined,
        sizeBytes: 0,
        isFull: false,
        finish: () => ({ ...inner.finish(), bytes, sizeBytes: bytes.length }),
      }
    },
  })
}

async function tieredWithoutIds(times = 1): Promise<{ log: TestLog; topic: ColdTopic }> {
  const log = testLog({ info: { partitions: 1, partitionBy: [] } })
  const topic = await log.attach()
  const records = Array.from({ length: ROWS }, (_, at) => ({ key: utf8(`k${at}`), value: utf8(`v${at}`) }))
  log.hot.send(0, records)
  await topic.tier({ upTo: log.hot.committedOffsets() })
  await rewriteWithoutIds(log, times)
  return { log, topic }
}

async function map(log: TestLog, edit: (name: string) => string = (name) => name): Promise<void> {
  const { metadata } = await tableOf(log)
  const mapping = metadata.schemas[0]!.fields.map(({ id, name }) => ({ 'field-id': id, names: [edit(name)] }))
  await setMapping(log, JSON.stringify(mapping))
}

const setMapping = (log: TestLog, text: string): Promise<void> =>
  change(log, [{ action: 'set-properties', updates: { 'schema.name-mapping.default': text } }])

describe('files without field ids', () => {
  it('are refused by name without a mapping, and read with one', async () => {
    const { log, topic } = await tieredWithoutIds()
    await expect(readAll(topic, 0)).rejects.toMatchObject({ kind: 'unsupported', code: 'PARQUET_FIELD_IDS' })
    await map(log)
    await checkTable(topic, log)
    expect(await topic.scan({ where: eq('_kafka_value', utf8('v3')) }).count()).toBe(1)
    expect((await topic.audit({ deep: true })).clean).toBe(true)
    // Files with ids beside them.
    log.hot.send(0, [{ value: utf8('more') }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
    await checkTable(await log.reopen().attach(), log)
  })

  it('have their rows once where the mapping comes to say which place they have', async () => {
    // Two files with the same rows.
    const { log, topic } = await tieredWithoutIds(2)
    await map(log, (name) => (name === '_kafka_offset' ? 'another' : name))
    expect(await topic.scan({}).count()).toBe(2 * ROWS)
    await map(log)
    expect((await readAll(topic, 0)).length).toBe(ROWS)
    expect(await topic.scan({}).count()).toBe(ROWS)
    expect((await topic.scan({ columns: ['_kafka_offset'] }).toArray()).length).toBe(ROWS)
  })

  it('are read anew when the mapping says something else', async () => {
    const { log, topic } = await tieredWithoutIds()
    await map(log)
    await checkTable(topic, log)
    const swapped = new Map([
      ['_kafka_key', '_kafka_value'],
      ['_kafka_value', '_kafka_key'],
    ])
    await map(log, (name) => swapped.get(name) ?? name)
    const records = await readAll(topic, 0)
    expect(records.map(({ key, bytes, fidelity }) => [key, bytes, fidelity])).toEqual(
      Array.from({ length: ROWS }, (_, at) => [utf8(`v${at}`), utf8(`k${at}`), 'rewritten']),
    )
    const scanned = await topic.scan({ columns: ['_kafka_value'] }).toArray()
    expect(scanned.map((row) => row['_kafka_value'])).toEqual(records.map(({ bytes }) => bytes))
    await map(log)
    await checkTable(topic, log)
  })

  it('keep back no write-ahead data for want of a mapping', async () => {
    const { topic } = await tieredWithoutIds()
    expect(await topic.releasable({ upTo: [BigInt(ROWS)] })).toEqual([BigInt(ROWS)])
    expect(topic.missingFiles?.()).toEqual([])
  })

  it.each([
    '{',
    '{}',
    '[{"field-id":1}]',
    '[{"names":[1]}]',
    `${'[{"names":[],"fields":'.repeat(100)}[]${'}]'.repeat(100)}`,
  ])('are refused for a mapping that is none, and others are read: %s', async (text) => {
    const { log, topic } = await tieredWithoutIds()
    await setMapping(log, text)
    await expect(readAll(topic, 0)).rejects.toMatchObject({ kind: 'corrupt' })
    const whole = testLog({ info: { partitions: 1, partitionBy: [] } })
    const other = await whole.attach()
    whole.hot.send(0, [{ value: utf8('x') }])
    await setMapping(whole, text)
    await other.tier({ upTo: [1n] })
    await checkTable(other, whole)
  })

  it('take nested names, and names without an id', async () => {
    const { log } = await tieredWithoutIds()
    const mapping = [
      { 'field-id': 1, names: ['a', 'b'], fields: [{ 'field-id': 2, names: ['element'] }] },
      { names: ['c'] },
    ]
    await setMapping(log, JSON.stringify(mapping))
    expect(nameMappingOf((await tableOf(log)).metadata)!.names()).toEqual(mapping)
  })
})
