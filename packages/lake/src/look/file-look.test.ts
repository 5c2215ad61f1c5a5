/** What is asked of the store when files are looked at, and what our own reader says of them. */
import { byValue, gte, unavailable } from '@moulin/core'
import { parquetWriter } from '@moulin/format'
import type { HookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { alter, avroCodec, promoteAll, tiered } from '../evolved.test-support.ts'
import { allRows, commitFiles, foreignFile, pick, tableOf, withNumbers } from '../foreign.test-support.ts'
import { checkReads, commit, everything, isCommit, orphans, sendTo, world } from './missing-files.test-support.ts'

describe('a data file of ours that our reader cannot open', () => {
  const damages: readonly (readonly [what: string, damage: (bytes: Uint8Array) => Uint8Array])[] = [
    ['cut', (bytes) => bytes.subarray(0, bytes.length - 9)],
    ['longer', (bytes) => new Uint8Array([...bytes, 0])],
    ['with a damaged footer', (bytes) => bytes.slice().fill(0xff, bytes.length - 60, bytes.length - 20)],
    ['all zeros', (bytes) => new Uint8Array(bytes.length)],
  ]

  it.each(damages)(
    'leaves the commit as it is, and its records in the write-ahead tier (%s)',
    async (_what, damage) => {
      const made = await world()
      const { log, store, topic } = made
      sendTo(log, 1, 4)
      await commit(made)
      sendTo(log, 0, 6)
      sendTo(log, 1, 2)
      store.hooks.before = async (call) => {
        if (!isCommit(call)) return
        delete store.hooks.before
        for (const key of await orphans(log))
          if (key.endsWith('.parquet')) await store.put(key, damage((await store.get(key)).bytes))
      }
      const result = await topic.tier({ upTo: log.hot.committedOffsets() })
      expect(result).toMatchObject({ rows: 8, frontier: [6n, 6n, 0n] })
      // Known before anybody asks to release.
      expect(topic.missingFiles!()).toHaveLength(1)
      await checkReads(topic, log)
      expect(await topic.releasable({ upTo: result.frontier })).toEqual([0n, 4n, 0n])
      // Another process opens it as well, before it lets go of anything.
      const next = await log.reopen().attach()
      expect(next.missingFiles!()).toEqual([])
      expect(await next.releasable({ upTo: result.frontier })).toEqual([0n, 4n, 0n])
      expect(next.missingFiles!()).toEqual(topic.missingFiles!())
      await checkReads(next, log)
    },
  )

  it('is opened by the first look where the store did not answer after the commit', async () => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 0, 6)
    store.hooks.before = async (call) => {
      if (call.op === 'get' && call.key.endsWith('.parquet')) throw unavailable('DOWN', 'The store is down.')
      if (!isCommit(call)) return
      for (const key of await orphans(log))
        if (key.endsWith('.parquet')) await store.put(key, new Uint8Array(await sizeOf(store, key)))
    }
    expect(await topic.tier({ upTo: log.hot.committedOffsets() })).toMatchObject({ rows: 6 })
    expect(topic.missingFiles!()).toEqual([])
    await expect(topic.releasable({ upTo: everything(topic) })).rejects.toMatchObject({ kind: 'unavailable' })
    delete store.hooks.before
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual([0n, 0n, 0n])
    expect(topic.missingFiles!()).toHaveLength(1)
  })
})

const sizeOf = async (store: HookedStore, key: string): Promise<number> => (await store.head(key))!.size

describe('a look that hangs', () => {
  it('keeps nobody whose signal fires, and ends for the others when it goes on', async () => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 0, 4)
    const [key] = await commit(made)
    sendTo(log, 1, 3)
    await commit(made)
    await store.delete(key!)
    let letGo!: () => void
    const isLetGo = new Promise<void>((resolve) => (letGo = resolve))
    let hangs!: () => void
    const isHanging = new Promise<void>((resolve) => (hangs = resolve))
    store.hooks.before = async ({ op }) => {
      if (op !== 'head') return
      hangs()
      await isLetGo
    }
    const stop = new AbortController()
    const upTo = everything(topic)
    const first = topic.releasable({ upTo, signal: stop.signal })
    await isHanging
    const given: Promise<unknown>[] = [
      first,
      topic.releasable({ upTo, signal: stop.signal }),
      topic.scan({ signal: stop.signal }).toArray(),
      topic.scan({ signal: stop.signal, where: gte('id', 0) }).count(),
      topic.read({ partition: 0, from: 0n, to: 4n, signal: stop.signal })[Symbol.asyncIterator]().next(),
    ]
    const others = [topic.releasable({ upTo }), topic.scan({}).count()]
    for (const call of given) call.catch(() => undefined)
    // Until each of them waits for the look.
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    stop.abort()
    for (const call of given) await expect(call).rejects.toMatchObject({ kind: 'aborted' })
    letGo()
    expect(await Promise.all(others)).toEqual([[0n, 3n, 0n], 7])
    expect(log.hot.pins).toBe(0)
  })
})

it('is read with the types of today: a tuple that only the widened column holds is no missing manifest', async () => {
  const { log, topic } = await tiered(avroCodec, { info: { partitionBy: [byValue('count')] } })
  await alter(log, promoteAll)
  const row = withNumbers(pick(await allRows(log), [0]), '_kafka_partition', [null])
  const id = log.runtime.random.uuid()
  const table = await tableOf(log)
  const file = await foreignFile(log, table, withNumbers(row, 'count', [2n ** 40n]), id, parquetWriter)
  await commitFiles(log, table, [file], id)
  await topic.refresh()
  expect(await topic.releasable({ upTo: everything(topic) })).toEqual(everything(topic))
  expect(topic.missingFiles!()).toEqual([])
})

describe('the requests of a release', () => {
  const asked = ({ calls }: HookedStore, from: number): Record<string, number> => {
    const kinds: Record<string, number> = {}
    for (const { op, key } of calls.slice(from)) {
      const kind = key.endsWith('.parquet')
        ? 'data'
        : key.includes('-m0.avro')
          ? 'manifest'
          : key.includes('/snap-')
            ? 'list'
            : 'other'
      kinds[`${op} ${kind}`] = (kinds[`${op} ${kind}`] ?? 0) + 1
    }
    return kinds
  }

  it('are one HEAD for each file that may hold what is released, 16 at a time, and the new manifests', async () => {
    const made = await world({ tier: { targetFileBytes: 1 }, limits: { shardBytes: 1, sharedRowGroupBytes: 1 } })
    const { log, store, topic } = made
    const files: number[] = []
    for (let round = 0; round < 6; round++) {
      for (const partition of [0, 1, 2]) sendTo(log, partition, 4, 2 * round + 1)
      files.push((await commit(made)).length)
    }
    const total = files.reduce((sum, count) => sum + count, 0)
    expect(total).toBeGreaterThan(40)
    let inFlight = 0
    let most = 0
    store.hooks.before = async ({ op }) => {
      if (op !== 'head') return
      most = Math.max(most, ++inFlight)
      await new Promise((resolve) => setImmediate(resolve))
      inFlight--
    }
    let from = store.calls.length
    const upTo = everything(topic)
    expect(await topic.releasable({ upTo })).toEqual(upTo)
    expect(most).toBe(16)
    const loads = { 'list other': 1, 'get other': 1 }
    expect(asked(store, from)).toEqual({ ...loads, 'get list': 1, 'get manifest': 6, 'head data': total })

    // Of a part of it: the files that the part meets.
    from = store.calls.length
    await topic.releasable({ upTo: [4n, 0n, 0n] })
    expect(asked(store, from)['head data']).toBe(1)

    // What is released is looked at no more, nor are the manifests that name it.
    log.hot.release(upTo)
    from = store.calls.length
    await topic.releasable({ upTo })
    expect(asked(store, from)).toEqual(loads)
    for (const partition of [0, 1, 2]) sendTo(log, partition, 4)
    const added = (await commit(made)).length
    await topic.releasable({ upTo: everything(topic) })
    from = store.calls.length
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual(everything(topic))
    expect(asked(store, from)).toEqual({ ...loads, 'get list': 1, 'get manifest': 1, 'head data': added })
  })

  it('of a process that has not seen the files are their footers as well, once', async () => {
    const made = await world()
    const { log, store } = made
    for (let round = 0; round < 3; round++) {
      sendTo(log, 0, 3)
      await commit(made)
    }
    const next = await log.reopen().attach()
    let from = store.calls.length
    await next.releasable({ upTo: everything(next) })
    expect(asked(store, from)).toMatchObject({ 'head data': 3, 'get data': 3 })
    from = store.calls.length
    await next.releasable({ upTo: everything(next) })
    expect(asked(store, from)['get data']).toBeUndefined()
    expect(asked(store, from)).toMatchObject({ 'head data': 3 })
  })
})
