/** Other engines write into a topic's table, and the log reads it right. Long lane: needs Java 17 and Maven. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { avro, isKind, openLog, schema, t } from 'moulin'
import type { Infer, Log, Topic } from 'moulin'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { duckdbSql, restCatalog, sparkSql } from './java.ts'

const Order = schema({
  id: t.int53,
  city: t.string,
  legs: t.list(t.struct({ via: t.string, km: t.int.optional() })),
  paid: t.map(t.string, t.double),
  geo: t.struct({ lat: t.double, lon: t.double.optional() }).optional(),
})
type Order = Infer<typeof Order>

const order = (id: number): Order => ({
  id,
  city: `city ${id}`,
  legs: Array.from({ length: id % 3 }, (_, at) => ({ via: `via ${at}`, km: at === 0 ? null : id * at })),
  paid: new Map([['visa', id / 2]]),
  geo: id % 2 === 0 ? null : { lat: id, lon: null },
})

const PER_PARTITION = 25
let dir = ''
let log: Log

const opened = (): Promise<Log> => openLog(dir, { threads: 0, graceMs: 0 })

/** Ids by offset of a partition, with what is not `exact`. */
async function read(topic: Topic<Order>, partition: number): Promise<string[]> {
  const found: string[] = []
  for await (const { offset, value, fidelity } of topic.read({ partition, to: 'end' })) {
    found.push(`${offset}: ${value?.id} ${value?.city} ${fidelity}`)
  }
  return found
}

const unchanged = (partition: number): string[] =>
  Array.from({ length: PER_PARTITION }, (_, offset) => {
    const id = offset * 2 + partition
    return `${offset}: ${id} city ${id} exact`
  })

describe.skipIf(process.env['MOULIN_LONG'] !== '1')('a table with nested columns', () => {
  beforeAll(async () => {
    dir = join(await mkdtemp(join(tmpdir(), 'moulin-engines-')), 'lake')
    log = await opened()
    const topic = await log.ensureTopic('orders', { value: avro(Order), partitions: 2, table: 'shop.orders' })
    const records = Array.from({ length: 2 * PER_PARTITION }, (_, id) => ({
      value: order(id),
      key: `k${id}`,
      headers: [['id', new Uint8Array([id])]] as [string, Uint8Array][],
      partition: id % 2,
    }))
    await topic.producer().sendAll(records)
    await topic.tier()
    // What is read from here on comes out of the table.
    await log.releaseNow()
    expect(topic.offsets().map(({ released }) => released)).toEqual([25n, 25n])
    await log.close()
  })
  afterAll(async () => {
    await log.close()
    await rm(dir, { recursive: true })
  })

  it('takes an INSERT of DuckDB, whose rows no reader of the log sees', async () => {
    const catalog = await restCatalog(join(dir, 'tables'))
    const [inserted, row] = await duckdbSql(catalog.uri, [
      `INSERT INTO lake.shop.orders (id, city, legs, paid, geo)
       VALUES (900, 'foreign', [{via: 'x', km: 1}, {via: 'y', km: NULL}], MAP {'cash': 1.5}, {lat: 3, lon: NULL})`,
      'SELECT id, legs, paid, geo, _kafka_offset FROM lake.shop.orders WHERE id = 900',
    ])
    await catalog.stop()
    expect(inserted).toEqual([['1']])
    expect(row).toEqual([
      [
        '900',
        "[{'via': 'x', 'km': 1}, {'via': 'y', 'km': None}]",
        "{'cash': 1.5}",
        "{'lat': 3.0, 'lon': None}",
        'None',
      ],
    ])

    log = await opened()
    const topic = await log.topic<Order>('orders')
    for (const partition of [0, 1]) expect(await read(topic, partition)).toEqual(unchanged(partition))
    expect(await topic.audit()).toMatchObject({ clean: true })
    await log.close()
  })

  it('takes an UPDATE and a DELETE of DuckDB, which are read once the files are rewritten', async () => {
    const catalog = await restCatalog(join(dir, 'tables'))
    const answers = await duckdbSql(catalog.uri, [
      "UPDATE lake.shop.orders SET city = 'changed' WHERE id = 6",
      'DELETE FROM lake.shop.orders WHERE id = 9',
    ])
    await catalog.stop()
    expect(answers).toEqual([[['1']], [['1']]])

    // Both are row-level deletes: refused by name, nothing is read past them.
    log = await opened()
    const refused = read(await log.topic<Order>('orders'), 0)
    await expect(refused).rejects.toSatisfy((error: unknown) => isKind(error, 'unsupported', 'DELETE_FILES'))
    await log.close()

    const rewritten = await sparkSql(join(dir, 'tables'), [
      "CALL lake.system.rewrite_data_files(table => 'shop.orders', options => map('delete-file-threshold', '1', 'rewrite-all', 'true'))",
      "CALL lake.system.rewrite_position_delete_files(table => 'shop.orders', options => map('rewrite-all', 'true'))",
      'SELECT count(*) FROM lake.shop.orders',
    ])
    expect(rewritten.at(-1)).toEqual([['50']])

    log = await opened()
    const topic = await log.topic<Order>('orders')
    const even = unchanged(0)
    even[3] = '3: 6 changed rewritten'
    expect(await read(topic, 0)).toEqual(even)
    expect(await read(topic, 1)).toEqual(unchanged(1).filter((_, offset) => offset !== 4))
    const { clean, gaps } = await topic.audit()
    expect(clean).toBe(false)
    expect(gaps).toEqual([expect.objectContaining({ partition: 1, from: 4n, to: 5n, reason: 'deleted' })])
    const deep = await topic.audit({ deep: true })
    expect(deep.deep?.altered).toMatchObject([{ partition: 0, from: 3n, to: 4n }])

    // The topic goes on.
    await topic.producer().send({ value: order(50), partition: 0 })
    expect((await topic.tier()).rows).toBe(1)
    expect((await read(topic, 0)).at(-1)).toBe('25: 50 city 50 exact')
  })
})
