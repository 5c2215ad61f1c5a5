/** What is read of records whose schema the log's ledger does not give, and of rows whose state SQL nulled. */
import { Arena, BytesBuilder, defaultLimits, notFound, schema, t, unsupported } from '@moulin/core'
import type { Codec, Column, LogRecord, SchemaLedger } from '@moulin/core'
import { avro } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { allRows, numbersOf, replaceRows, withColumn, withNumbers } from '../packages/lake/src/foreign.test-support.ts'
import { testLog, utf8 } from '../packages/lake/src/lake.test-support.ts'
import type { TestLog } from '../packages/lake/src/lake.test-support.ts'
import { recordsOfRun } from '../packages/log/src/read/record-view.ts'

const Sounding = schema({ fathoms: t.int.optional(), bottom: t.string.optional() })
const codec = avro(Sounding) as Codec
const values = [
  codec.encode({ fathoms: 12, bottom: 'mud' }),
  null,
  codec.encode({ fathoms: null, bottom: null }),
  utf8('\xff not of the schema'),
  codec.encode({ fathoms: 4, bottom: 'shell' }),
]

async function tiered(valueMode: 'columns' | 'columns+raw' = 'columns', rowCrc = true): Promise<TestLog> {
  const log = testLog({ codec, info: { partitions: 1, partitionBy: [], valueMode, rowCrc } })
  log.hot.send(
    0,
    values.map((value, at) => ({ value, key: utf8(`${at}`) })),
  )
  const topic = await log.attach()
  await topic.tier({ upTo: log.hot.committedOffsets() })
  return log
}

/** Reads as a log does whose ledger has these schemas. */
async function readWith(log: TestLog, find: (id: number) => Codec, hot = false): Promise<LogRecord[]> {
  const again = log.reopen()
  const schemas: SchemaLedger = {
    codec: async (id) => find(id),
    entry: async () => Promise.reject(notFound('SCHEMA_ID', 'none')),
  }
  const topic = await again.tier.attach(again.info, { ...contextOf(again), schemas })
  const records: LogRecord[] = []
  const range = { partition: 0, from: 0n, to: BigInt(values.length) }
  for await (const run of hot ? log.hot.read(range) : topic.read(range)) {
    const codecOf = async (id: number): Promise<Codec | undefined> => (id === 0 ? undefined : find(id))
    const options = { limits: defaultLimits, codec: codecOf, onBadValue: 'yield' } as const
    records.push(...(await recordsOfRun(run, run.baseOffset, run.nextOffset, options)))
  }
  return records
}

function contextOf({ runtime, store, hot }: TestLog): Parameters<TestLog['tier']['attach']>[1] {
  const entry = async (): Promise<never> => Promise.reject(notFound('SCHEMA_ID', 'none'))
  const context = {
    runtime,
    limits: defaultLimits,
    store,
    hot,
    schemas: { codec: async () => codec, entry },
    recordsOf: () => [],
    access: 'read-write' as const,
    epoch: 9n,
    checkFence: async () => {},
  }
  return context
}

const known = (id: number): Codec => {
  if (id !== 1) throw notFound('SCHEMA_ID', `No schema ${id}.`)
  return codec
}
const none = (id: number): Codec => {
  throw notFound('SCHEMA_ID', `No schema ${id}.`)
}
const newer = (id: number): Codec => {
  throw unsupported('FORMAT_VERSION', `Schema ${id} needs a newer reader.`)
}

/** Per record: its kind of error, or its bytes, or that it is a tombstone. */
const seen = (records: readonly LogRecord[]): unknown[] =>
  records.map(({ error, bytes }) => {
    if (error !== undefined) return (error as Error & { kind: string }).kind
    return bytes === null ? 'tombstone' : Buffer.from(bytes).toString('hex')
  })
const hex = (at: number): string => Buffer.from(values[at]!).toString('hex')

function textColumn(texts: readonly (string | null)[]): Column {
  const builder = new BytesBuilder(new Arena())
  for (const text of texts) {
    if (text === null) builder.appendNull()
    else builder.append(utf8(text))
  }
  return builder.finish()
}

describe('a schema that the ledger does not give', () => {
  it.each([
    { kind: 'not-found', find: none },
    { kind: 'unsupported', find: newer },
  ])('costs the records that need it, in files of the log: $kind', async ({ kind, find }) => {
    const log = await tiered()
    const records = await readWith(log, find)
    expect(seen(records)).toEqual([kind, 'tombstone', kind, kind, kind])
    // Nothing is damaged: what is there is given, and it says so.
    expect(records.map(({ fidelity }) => fidelity)).toEqual(['degraded', 'exact', 'degraded', 'exact', 'degraded'])
    expect(records[3]!.bytes).toEqual(values[3])
    expect(records.map(({ key }) => Buffer.from(key!).toString())).toEqual(['0', '1', '2', '3', '4'])
    expect(records[4]!.error).toMatchObject({ code: 'SCHEMA_ID', context: { offset: 4n, schema: 1 } })
  })

  it('costs the same in what is hot, and no more where the bytes are kept', async () => {
    const log = await tiered('columns+raw')
    for (const hot of [true, false]) {
      const records = await readWith(log, none, hot)
      expect(seen(records)).toEqual(['not-found', 'tombstone', 'not-found', 'not-found', 'not-found'])
      expect(records.map(({ bytes }) => bytes && new Uint8Array(bytes))).toEqual(values)
      expect(new Set(records.map(({ fidelity }) => fidelity))).toEqual(new Set(['exact']))
    }
  })

  it('costs one record where SQL put an id that no schema has', async () => {
    for (const valueMode of ['columns', 'columns+raw'] as const) {
      const log = await tiered(valueMode)
      const rows = await allRows(log)
      const ids = numbersOf(rows, '_kafka_schema_id').with(4, 77)
      await replaceRows(log, [withNumbers(rows, '_kafka_schema_id', ids)])
      const records = await readWith(log, known)
      expect(seen(records)).toEqual([hex(0), 'tombstone', hex(2), 'corrupt', 'not-found'])
      expect(records[4]).toMatchObject({ fidelity: 'degraded', value: undefined, bytes: null })
    }
  })
})

describe('a nulled _kafka_value_state', () => {
  it.each([true, false])('makes no tombstone of a value, row checksums %s', async (rowCrc) => {
    const log = await tiered('columns', rowCrc)
    const rows = await allRows(log)
    await replaceRows(log, [withColumn(rows, '_kafka_value_state', textColumn([null, null, null, null, null]))])
    const records = await readWith(log, known)
    // Without a checksum nobody knows whether the second had no value.
    const second = rowCrc ? 'tombstone' : 'corrupt'
    expect(seen(records)).toEqual([hex(0), second, 'corrupt', 'corrupt', hex(4)])
    expect(records[2]!.error!.message).toContain('_kafka_value_state is null')
    // Its bytes are there; that they do not decode is another matter.
    expect(records[3]!.bytes).toEqual(values[3])
  })

  it('is no error where bytes and columns say the same, and gives none that SQL has changed', async () => {
    const log = await tiered('columns+raw')
    const rows = withColumn(await allRows(log), '_kafka_value_state', textColumn([null, 'null', null, 'raw', null]))
    await replaceRows(log, [withNumbers(rows, 'fathoms', [12, null, null, null, 5])])
    const records = await readWith(log, known)
    expect(records.map(({ fidelity }) => fidelity)).toEqual(['exact', 'exact', 'exact', 'exact', 'rewritten'])
    expect(records[4]!.value).toEqual({ fathoms: 5, bottom: 'shell' })
  })

  it('nor does a nulled _kafka_schema_id, with bytes kept or not', async () => {
    for (const valueMode of ['columns', 'columns+raw'] as const) {
      const log = await tiered(valueMode)
      const rows = await allRows(log)
      const nulls = withNumbers(rows, '_kafka_schema_id', [null, null, null, null, null])
      await replaceRows(log, [withColumn(nulls, 'bottom', textColumn(['rock', null, null, null, 'shell']))])
      const records = await readWith(log, known)
      expect(seen(records)).toEqual(['corrupt', 'tombstone', 'corrupt', hex(3), 'corrupt'])
      expect(records[0]!.error!.message).toContain('_kafka_schema_id is 0')
    }
  })
})
