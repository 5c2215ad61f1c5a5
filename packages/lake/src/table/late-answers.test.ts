/** Answers of the catalog that come in another order than they were asked for, and tables that a newer writer has moved on. */
import { fenced } from '@moulin/core'
import type { ColdTopic } from '@moulin/core'
import { hookedStore } from '@moulin/testing'
import type { HookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { change, foreignAppend, tableOf } from '../foreign.test-support.ts'
import { checkTable, readAll, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'
import { markerKey } from './marker.ts'

/** Holds the answer to the next load of the table that begins from here on. */
function holdNext(store: HookedStore): { readonly isAsked: Promise<void>; letGo(): void } {
  let asked!: () => void
  let letGo!: () => void
  const isAsked = new Promise<void>((resolve) => (asked = resolve))
  const isLetGo = new Promise<void>((resolve) => (letGo = resolve))
  const earlier = store.hooks.after
  store.hooks.after = async (call) => {
    if (call.op !== 'get' || !call.key.endsWith('.metadata.json')) return earlier?.(call)
    if (earlier === undefined) delete store.hooks.after
    else store.hooks.after = earlier
    asked()
    await isLetGo
  }
  return { isAsked, letGo }
}

function sendTo(log: TestLog, partition: number, count: number): void {
  log.hot.send(
    partition,
    Array.from({ length: count }, (_, at) => ({ key: utf8(`key ${at}`), value: utf8(`value ${at}`) })),
  )
}

async function tierAndRelease(log: TestLog, topic: ColdTopic): Promise<void> {
  log.hot.release((await topic.tier({ upTo: log.hot.committedOffsets() })).frontier)
}

async function startedLog(): Promise<{ log: TestLog; store: HookedStore; topic: ColdTopic }> {
  const store = hookedStore()
  const log = testLog({ store, info: { partitions: 3 } })
  const topic = await log.attach()
  sendTo(log, 0, 3)
  sendTo(log, 2, 2)
  await tierAndRelease(log, topic)
  return { log, store, topic }
}

describe('an answer that is older than what the log has let go of since', () => {
  const uses: readonly (readonly [what: string, use: (reader: ColdTopic) => Promise<unknown>, gives: unknown])[] = [
    ['a refresh', (reader) => reader.refresh(), undefined],
    ['a read', async (reader) => (await readAll(reader, 2, 0n, 2n)).length, 2],
    [
      'a look-up',
      async (reader) =>
        (
          await reader
            .readAt([{ partition: 0, offset: 2n }])
            [Symbol.asyncIterator]()
            .next()
        ).done,
      false,
    ],
    ['a scan', (reader) => reader.scan({}).count(), 9],
    ['an audit', async (reader) => (await reader.audit()).clean, true],
  ]

  it.each(uses)('breaks no lineage of another process (%s)', async (_what, use, gives) => {
    const { log, store, topic } = await startedLog()
    const reader = await log.reopen({ access: 'read-only' }).attach()
    const held = holdNext(store)
    const using = use(reader)
    await held.isAsked
    sendTo(log, 1, 4)
    await tierAndRelease(log, topic)
    held.letGo()
    expect(await using).toEqual(gives)
  })

  it.each(uses)('breaks none of the process that tiered meanwhile (%s)', async (_what, use, gives) => {
    const { log, store, topic } = await startedLog()
    const held = holdNext(store)
    const using = use(topic)
    await held.isAsked
    sendTo(log, 1, 4)
    await tierAndRelease(log, topic)
    held.letGo()
    expect(await using).toEqual(gives)
  })

  it('does not stop a process that attaches', async () => {
    const { log, store, topic } = await startedLog()
    const held = holdNext(store)
    const attaching = log.reopen({ access: 'read-only' }).attach()
    await held.isAsked
    sendTo(log, 1, 4)
    await tierAndRelease(log, topic)
    held.letGo()
    const reader = await attaching
    expect(reader.frontier()).toEqual([3n, 0n, 2n])
    await reader.refresh()
    expect(reader.frontier()).toEqual([3n, 4n, 2n])
  })

  it('does not stop an adoption', async () => {
    const { log, store, topic } = await startedLog()
    const held = holdNext(store)
    const adopting = log.adopt('restore')
    await held.isAsked
    sendTo(log, 1, 4)
    await tierAndRelease(log, topic)
    held.letGo()
    expect(await adopting).toMatchObject({ outcome: 'none' })
  })

  it('says nothing of a table that has been put right since', async () => {
    const { log, store, topic } = await startedLog()
    const key = markerKey(log.info.id)
    const text = (await tableOf(log)).metadata.properties![key]!
    await change(log, [{ action: 'remove-properties', removals: [key] }])
    const held = holdNext(store)
    const reading = readAll(topic, 0)
    await held.isAsked
    await change(log, [{ action: 'set-properties', updates: { [key]: text } }])
    await topic.refresh()
    held.letGo()
    expect(await reading).toEqual(log.hot.records(0))
  })

  it('says nothing of a table that was missed and is there again', async () => {
    const { log, topic } = await startedLog()
    const { loadTable } = log.catalog
    let letGo!: () => void
    const isLetGo = new Promise<void>((resolve) => (letGo = resolve))
    const missing = testLog({ store: log.store }).catalog.loadTable({ namespace: ['shop'], name: 'nothing' })
    await expect(missing).rejects.toMatchObject({ kind: 'not-found' })
    log.catalog.loadTable = async () => {
      log.catalog.loadTable = loadTable
      await isLetGo
      return missing
    }
    const refreshing = topic.refresh()
    await topic.refresh()
    letGo()
    await refreshing
    expect(topic.frontier()).toEqual([3n, 0n, 2n])
  })
})

describe('answers that come in the reverse order', () => {
  it('never take the frontier back, nor what a commit resolves with', async () => {
    const { log, store, topic } = await startedLog()
    const held = []
    const refreshing = []
    for (let round = 1; round <= 3; round++) {
      const answer = holdNext(store)
      refreshing.push(topic.refresh())
      await answer.isAsked
      held.push(answer)
      sendTo(log, 1, round)
      await topic.tier({ upTo: log.hot.committedOffsets() })
    }
    for (const { letGo } of held.reverse()) {
      letGo()
      await new Promise((resolve) => setImmediate(resolve))
      expect(topic.frontier()).toEqual([3n, 6n, 2n])
    }
    await Promise.all(refreshing)
    const answer = holdNext(store)
    const late = topic.refresh()
    await answer.isAsked
    sendTo(log, 0, 5)
    // The last thing of a commit is to remove its record: the late answer comes right before.
    store.hooks.before = async ({ op, key }) => {
      if (op !== 'delete' || !key.startsWith('log/staged/')) return
      answer.letGo()
      await late
    }
    const result = await topic.tier({ upTo: log.hot.committedOffsets() })
    expect(result).toMatchObject({ rows: 5, frontier: [8n, 6n, 2n] })
    expect(result.snapshotId).toBe(BigInt((await tableOf(log)).metadata['current-snapshot-id']!))
    await checkTable(topic, log)
  })
})

describe('a table that a newer writer has moved on', () => {
  const harms: readonly (readonly [what: string, harm: (log: TestLog) => Promise<void>])[] = [
    ['its marker is gone', (log) => change(log, [{ action: 'remove-properties', removals: [markerKey(log.info.id)] }])],
    ['it is gone', async (log) => log.catalog.dropTable((await tableOf(log)).identifier)],
    ['main is elsewhere', (log) => change(log, [{ action: 'remove-snapshot-ref', 'ref-name': 'main' }])],
    ['it ends above the log', async (log) => log.hot.forget(2, 1n)],
  ]
  const isFenced = fenced('FENCED', 'Epoch 2 has begun.')
  async function consume(iterable: AsyncIterable<unknown>): Promise<void> {
    for await (const value of iterable) expect(value).toBeDefined()
  }

  it.each(harms)('is called broken by no older one, who is told that he is fenced: %s', async (_what, harm) => {
    let isTakenOver = false
    const log = testLog({
      info: { partitions: 3 },
      checkFence: async () => {
        if (isTakenOver) throw isFenced
      },
    })
    const topic = await log.attach()
    sendTo(log, 0, 3)
    sendTo(log, 2, 2)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    log.hot.release([3n, 0n, 1n])
    log.hot.reopen()
    await harm(log)
    sendTo(log, 1, 1)
    const uses: (() => Promise<unknown>)[] = [
      () => topic.tier({ upTo: log.hot.committedOffsets() }),
      () => topic.refresh(),
      () => topic.releasable({ upTo: [3n, 0n, 2n] }),
      () => consume(topic.read({ partition: 0, from: 0n, to: 3n })),
      () => topic.scan({}).count(),
      () => topic.audit(),
      () => log.attach(),
    ]
    for (const use of uses) await expect(use()).rejects.toMatchObject({ kind: 'conflict' })
    isTakenOver = true
    uses.push(() => log.adopt('restore'))
    for (const use of uses) await expect(use()).rejects.toMatchObject({ kind: 'fenced' })
  })

  it('is not refused for rows of the newer one, either', async () => {
    const log = testLog({ checkFence: () => Promise.reject(isFenced) })
    const topic = await log.attach()
    await foreignAppend(log, [{ partition: 0, offset: 0n, incarnation: 2 }])
    sendTo(log, 0, 1)
    await expect(topic.tier({ upTo: log.hot.committedOffsets() })).rejects.toMatchObject({ kind: 'fenced' })
  })
})
