import { eq, schema, t, type Catalog } from '@moulin/core'
import { avro, parquetWriter } from '@moulin/format'
import type { FileWriterOptions } from '@moulin/format'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { plainCatalog } from './catalog.test-support.ts'
import { readAll, testLog, utf8 } from './lake.test-support.ts'

const Order = schema({ id: t.int53, city: t.string, total: t.double, placed_at: t.timestamptz })
const codec = avro(Order)
const order = (id: number): Uint8Array =>
  codec.encode({ id, city: `city-${id % 3}`, total: id / 4, placed_at: new Date(1_700_000_000_000 + id) })

describe('coldTopic', () => {
  it('moves records into the table and gives their bytes back', async () => {
    const log = testLog({ codec })
    const topic = await log.attach()
    log.hot.send(0, [
      { key: utf8('a'), value: order(1) },
      { key: null, value: null },
    ])
    log.hot.send(1, [
      {
        key: utf8('b'),
        value: order(2),
        headers: [
          ['h', utf8('x')],
          ['h', null],
          ['', utf8('')],
        ],
      },
    ])
    const result = await topic.tier({ upTo: log.hot.committedOffsets() })
    expect(result).toEqual({ snapshotId: expect.any(BigInt), rows: 3, frontier: [2n, 1n] })
    for (const partition of [0, 1]) expect(await readAll(topic, partition)).toEqual(log.hot.records(partition))
    expect(await topic.scan({}).toArray()).toHaveLength(3)
    expect(await topic.scan({ columns: ['id', 'placed_at'], where: eq('id', 2) }).toArray()).toEqual([
      Object.assign(Object.create(null), { id: 2, placed_at: new Date(1_700_000_000_002) }),
    ])
    const report = await topic.audit()
    expect(report.clean).toBe(true)
  })

  it('goes on with a commit while one of its callers waits, and stops it with the last', async () => {
    const store = hookedStore()
    const log = testLog({ codec, store })
    const topic = await log.attach()
    log.hot.send(0, [{ key: null, value: order(1) }])
    let open!: () => void
    const held = new Promise<void>((resolve) => (open = resolve))
    store.hooks.before = ({ op, key }) => (op === 'put' && key.includes('/data/') ? held : undefined)
    const upTo = log.hot.committedOffsets()
    const [first, third] = [new AbortController(), new AbortController()]
    const calls = [
      topic.tier({ upTo, signal: first.signal }),
      topic.tier({ upTo }),
      topic.tier({ upTo, signal: third.signal }),
    ]
    first.abort()
    await expect(calls[0]).rejects.toMatchObject({ kind: 'aborted' })
    third.abort()
    await expect(calls[2]).rejects.toMatchObject({ kind: 'aborted' })
    open()
    expect(await calls[1]).toMatchObject({ rows: 1 })
    // With nobody left the commit is not made, and its files go.
    log.hot.send(0, [{ key: null, value: order(2) }])
    const last = new AbortController()
    const left = topic.tier({ upTo: log.hot.committedOffsets(), signal: last.signal })
    last.abort()
    // It is known that nothing came of it.
    await expect(left).rejects.toMatchObject({ kind: 'aborted', outcome: 'rejected' })
    expect(topic.frontier()).toEqual([1n, 0n])
    expect(await topic.tier({ upTo: log.hot.committedOffsets() })).toMatchObject({ rows: 1 })
  })

  it('tells whoever gives up, as the last, of a commit that had been sent', async () => {
    const [store, runtime] = [hookedStore(), virtualRuntime({ seed: 3 })]
    const catalog = plainCatalog(store, runtime)
    let [send, answer]: (() => void)[] = []
    const sent = new Promise<void>((resolve) => (send = resolve))
    const held = new Promise<void>((resolve) => (answer = resolve))
    const slow: Catalog = {
      ...catalog,
      commitTable: async (...request) => {
        const committed = await catalog.commitTable(...request)
        send!()
        await held
        return committed
      },
    }
    const log = testLog({ codec, store, runtime, catalog: slow })
    const topic = await log.attach()
    log.hot.send(0, [{ key: null, value: order(7) }])
    const stop = new AbortController()
    const call = topic.tier({ upTo: log.hot.committedOffsets(), signal: stop.signal })
    await sent
    stop.abort()
    answer!()
    expect(await call).toMatchObject({ rows: 1, frontier: [1n, 0n] })
  })

  it.each([
    [{}, false],
    [{ deltas: false }, false],
    [{ deltas: true }, true],
  ])('tells the file writer whether it may use deltas (%j)', async (options, expected) => {
    const seen: FileWriterOptions[] = []
    const create = (options: FileWriterOptions): ReturnType<typeof parquetWriter.create> => {
      seen.push(options)
      return parquetWriter.create(options)
    }
    const log = testLog({ codec, tier: { ...options, fileWriter: { name: 'seen', create } } })
    const topic = await log.attach()
    log.hot.send(0, [{ key: null, value: order(1) }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    expect(seen.map(({ deltas }) => deltas)).toEqual([expected])
    expect(await readAll(topic, 0)).toEqual(log.hot.records(0))
  })

  it.each(['yes', 1, null])('refuses deltas that are %j', (deltas) => {
    const wrong = (): unknown => testLog({ tier: { deltas: deltas as never } })
    expect(wrong).toThrow(expect.objectContaining({ kind: 'invalid', code: 'OPTION' }) as Error)
  })
})
