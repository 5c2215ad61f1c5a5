/** What a topic's table cannot be is said before anything of the topic is stored. */
import { objectStoreCatalog } from '@moulin/catalog'
import { bucket, isKind, schema, t, truncate } from '@moulin/core'
import type { Log, ObjectStore, TopicConfig } from '@moulin/core'
import { avro, json } from '@moulin/format'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { simulatedDisk, virtualRuntime } from '@moulin/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const Clash = schema({ sku: t.string, SKU: t.int })
const Fine = schema({ sku: t.string, n: t.int, open: t.time.micros })

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'it worked',
    (error: unknown) => error,
  )

let runtime: ReturnType<typeof virtualRuntime>
let store: ObjectStore
const open: Log[] = []
beforeEach(() => {
  const { files } = simulatedDisk({ seed: 5 })
  runtime = virtualRuntime({ seed: 5, files })
  store = fileSystem({ root: '/lake', files })
})
afterEach(async () => {
  for (const log of open.splice(0)) await log.close()
})

async function opened(options: { tiered?: boolean } = {}): Promise<Log> {
  const tier = icebergTier({ catalog: objectStoreCatalog({ store, runtime }), threads: 0 })
  const wal = fileWal({ dir: '/lake/log/wal', segmentBytes: 16 * 1024 })
  const log = await openLog({ store, wal, runtime, ...(options.tiered === false ? {} : { tier }) })
  open.push(log)
  return log
}

async function keys(): Promise<string[]> {
  const found: string[] = []
  for await (const { key } of store.list({ prefix: '' })) found.push(key)
  return found.sort()
}

describe('a topic whose table cannot be', () => {
  it.each<[why: string, config: TopicConfig<never> | TopicConfig, code: string]>([
    ['a name of its columns', { value: json(Clash) as never }, 'COLUMN_NAME'],
    ['a partition field of an unknown column', { partitionBy: [bucket(4, 'sku')] }, 'PARTITION_SPEC'],
    [
      'the name of a partition field',
      { partitionBy: [{ source: '_kafka_key', transform: 'void', name: 'a\0' }] },
      'COLUMN_NAME',
    ],
  ])('for %s leaves nothing behind', async (_, config, code) => {
    const log = await opened()
    const before = await keys()
    for (const create of [log.createTopic('stock', config as never), log.ensureTopic('stock', config as never)]) {
      expect(await failure(create)).toSatisfy((error) => isKind(error, 'invalid', code))
    }
    expect(await keys()).toEqual(before)
    expect(await log.topics()).toEqual([])

    const stock = await log.createTopic('stock', { value: avro(Fine) })
    expect((await keys()).filter((key) => key.startsWith('log/topics/'))).toEqual(['log/topics/stock/0000000001.json'])
    await stock.producer({ lingerMs: 0 }).send({ value: { sku: 'a', n: 1, open: 5n } })
    expect((await stock.tier()).rows).toBe(1)
  })

  it('keeps its values as bytes', async () => {
    const stock = await (await opened()).ensureTopic('stock', { value: json(Clash), valueMode: 'raw' })
    await stock.producer({ lingerMs: 0 }).send({ value: { sku: 'a', SKU: 2 } })
    expect((await stock.tier()).rows).toBe(1)
    expect(runtime.logs.filter(({ level }) => level === 'warn')).toEqual([])
  })

  it('is found again all the same where it exists, with a warning when its table is made', async () => {
    const alone = await opened({ tiered: false })
    await (
      await alone.createTopic('stock', { value: json(Clash) })
    )
      .producer({ lingerMs: 0 })
      .send({ value: { sku: 'a', SKU: 2 } })
    await alone.close()
    for (const rows of [1, 0]) {
      const log = await opened()
      const stock = await log.ensureTopic('stock', { value: json(Clash) })
      expect((await stock.tier()).rows).toBe(rows)
      await log.close()
    }
    const warnings = runtime.logs.filter(({ level, message }) => level === 'warn' && message.includes('column'))
    expect(warnings.map(({ fields }) => fields)).toEqual([
      {
        topic: 'stock',
        table: 'default.stock',
        column: 'SKU',
        reason: expect.stringContaining('upper and lower case') as string,
      },
    ])
  })
})

it('what only some engines read is said once, when the table is made', async () => {
  const config = { value: avro(Fine), partitionBy: [truncate(100, 'n')] }
  for (let opens = 0; opens < 2; opens++) {
    const log = await opened()
    await log.ensureTopic('stock', config)
    await log.close()
  }
  const warnings = runtime.logs.filter(({ level }) => level === 'warn').map(({ message }) => message)
  expect(warnings).toEqual([expect.stringMatching(/"open".*Spark/), expect.stringMatching(/"n_trunc".*least int/)])
})
