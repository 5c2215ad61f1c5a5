import { uriOf } from '@moulin/core'
import type { ColdTopic, TableUpdate } from '@moulin/core'
import { currentSnapshot, readManifestList } from '@moulin/iceberg'
import { faultyStore, hookedStore } from '@moulin/testing'
import type { FaultyStore, HookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { faults } from '../commit/commit-faults.test-support.ts'
import { allRows, change, replaceRows, tableOf } from '../foreign.test-support.ts'
import { keyOfForgotten } from './forgotten-commit.ts'
import {
  afterTwoHours,
  checkFolder,
  clean,
  cleanUpDue,
  commit,
  HOUR,
  keysBelow,
  limits,
  logOn,
  records,
  tableAfter,
  untilForgotten,
} from './forgotten.test-support.ts'
import { checkTable, settled, TOPIC_ID, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'

describe('what the snapshots that a commit forgets leave behind', () => {
  it('is named before the commit, and deleted two hours of wall time later, the record last', async () => {
    const { log, topic } = await tableAfter(11)
    expect(await records(log)).toEqual([])
    expect(topic.cleanUpDueMs!()).toBeUndefined()
    await untilForgotten(log, topic)
    const forgotAt = log.runtime.clock.now()
    expect(topic.cleanUpDueMs!()).toBe(forgotAt + 2 * HOUR)
    const { calls } = log.store as ReturnType<typeof hookedStore>
    const named = calls.findIndex(({ key, op }) => op === 'put' && key.startsWith('log/forgotten/'))
    const version = (await tableOf(log)).metadataLocation.replace(log.store.root, '')
    expect(named).toBeLessThan(calls.findIndex(({ key, op }) => op === 'put' && key === version))
    await log.runtime.clock.advance(2 * HOUR - 1)
    const before = calls.length
    await topic.cleanUp!()
    // Nothing is due: an idle log asks for nothing.
    expect(calls.length).toBe(before)
    await log.runtime.clock.advance(1)
    await topic.cleanUp!()
    expect(await checkFolder(log)).toEqual(clean)
    const deleted = calls.slice(before).filter(({ op }) => op === 'delete')
    expect(deleted.length).toBeGreaterThan(1)
    expect(deleted.at(-1)!.key).toMatch(/^log\/forgotten\//)
    expect(topic.cleanUpDueMs!()).toBeUndefined()
    await checkTable(topic, log)
  })

  it('goes with merged manifests, whose files live on, and with files that others have replaced', async () => {
    const { log, topic } = await tableAfter(20)
    await replaceRows(log, [await allRows(log)])
    const rewritten = await checkFolder(log)
    expect(rewritten).toMatchObject({ unnamed: [], missing: [] })
    // Until the snapshots before the rewrite are forgotten, and then the manifests of 32 commits are one.
    for (let n = 0; n < 55; n++) await commit(log, topic)
    const { metadata } = await tableOf(log)
    const path = currentSnapshot(metadata)!['manifest-list']
    const { bytes } = await log.store.get(path.replace(log.store.root, ''))
    expect(readManifestList(bytes, { path }).length).toBeLessThan(26)
    const named = await checkFolder(log)
    expect(named).toMatchObject({ unnamed: [], missing: [] })
    expect(named.unreached.filter((key) => key.endsWith('.parquet'))).toHaveLength(20)
    // Those of the table as it was rewritten, and those that were merged since.
    expect(named.unreached.filter((key) => key.endsWith('-m0.avro'))).toHaveLength(20 + 32)
    await afterTwoHours(log, topic)
    expect(await checkFolder(log)).toEqual(clean)
    await checkTable(topic, log)
  })

  it('serves who began to read before, and afterwards tells them that their snapshot is gone', async () => {
    const { log, topic } = await tableAfter(20)
    const begin = async (): Promise<AsyncIterator<unknown>> => {
      const scan = topic.scan({})[Symbol.asyncIterator]()
      await scan.next()
      return scan
    }
    const rest = async (scan: AsyncIterator<unknown>): Promise<number> => {
      let rows = 1
      while ((await scan.next()).done !== true) rows++
      return rows
    }
    const [soon, late] = [await begin(), await begin()]
    await replaceRows(log, [await allRows(log)])
    for (let n = 0; n < 40; n++) await commit(log, topic)
    await log.runtime.clock.advance(2 * HOUR - 60_000)
    await cleanUpDue(log, topic)
    expect(await rest(soon)).toBe(20)
    await log.runtime.clock.advance(60_000)
    await cleanUpDue(log, topic)
    await expect(rest(late)).rejects.toMatchObject({ kind: 'conflict', code: 'SNAPSHOT_EXPIRED', retryable: true })
    expect(await rest(await begin())).toBe(60)
  })

  it('stays while a tag or a branch names it, and what is said of a snapshot that the table has is not believed', async () => {
    const { log, topic } = await tableAfter(3)
    const { metadata } = await tableOf(log)
    const [first, second] = metadata.snapshots!
    await change(log, [
      { action: 'set-snapshot-ref', 'ref-name': 'kept', type: 'tag', 'snapshot-id': first!['snapshot-id'] },
      { action: 'set-snapshot-ref', 'ref-name': 'side', type: 'branch', 'snapshot-id': second!['snapshot-id'] },
    ] as TableUpdate[])
    for (let n = 0; n < 36; n++) await commit(log, topic)
    // A record of a commit that did not happen: it names what is live.
    const live = (await tableOf(log)).metadata.snapshots!
    const { key, bytes } = await (async () => {
      const [some] = await records(log)
      return { key: some!, bytes: (await log.store.get(some!)).bytes }
    })()
    const commitId = '99999999-9999-4999-8999-999999999999'
    const record = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>
    const snapshots = live.map((snapshot) => ({
      id: String(snapshot['snapshot-id']),
      sequence: String(snapshot['sequence-number']),
      manifestList: snapshot['manifest-list'],
      statistics: [],
    }))
    const text = JSON.stringify({ ...record, commit: commitId, snapshots })
    await log.store.put(keyOfForgotten(TOPIC_ID, commitId), utf8(text))
    expect(key).not.toContain(commitId)
    const next = log.reopen()
    const again = await next.attach()
    await afterTwoHours(next, again)
    const after = await checkFolder(next)
    expect(after).toEqual(clean)
    const left = (await tableOf(next)).metadata.snapshots!.map((snapshot) => snapshot['snapshot-id'])
    expect(left).toEqual(expect.arrayContaining([first!['snapshot-id'], second!['snapshot-id']]))
    await checkTable(again, next)
  })

  it('is nothing outside of the table, and nothing that is no file of a snapshot', async () => {
    const { log } = await tableAfter(2)
    const { metadata, metadataLocation } = await tableOf(log)
    const data = (await keysBelow(log.store, 'tables/shop/orders/data/'))[0]!
    const outside = 'tables/shop/other/metadata/snap-1-0-x.avro'
    await log.store.put(outside, (await log.store.get(data)).bytes)
    const list = (await keysBelow(log.store, 'tables/shop/orders/metadata/snap-'))[0]!
    await log.store.put('tables/shop/other/metadata/copy.avro', (await log.store.get(list)).bytes)
    const before = await keysBelow(log.store, 'tables/')
    const version = metadataLocation.replace(log.store.root, '')
    const lists = [outside, 'tables/shop/other/metadata/copy.avro', data, version]
    const commitId = '99999999-9999-4999-8999-999999999999'
    const record = {
      format: 1,
      minimumReader: 1,
      commit: commitId,
      topic: TOPIC_ID,
      table: 'shop.orders',
      tableUuid: metadata['table-uuid'],
      timeMs: 0,
      snapshots: lists.map((key, at) => ({
        id: String(at + 1),
        sequence: '1',
        manifestList: uriOf(log.store, key),
        statistics: [data, version, 'tables/shop/orders/data/1.parquet'].map((path) => uriOf(log.store, path)),
      })),
    }
    await log.store.put(keyOfForgotten(TOPIC_ID, commitId), utf8(JSON.stringify(record)))
    const next = log.reopen()
    const topic = await next.attach()
    // The data file is no manifest list: nobody knows what the record means, so it stays until somebody takes it away.
    const key = keyOfForgotten(TOPIC_ID, commitId)
    await expect(cleanUpDue(next, topic)).rejects.toMatchObject({
      code: 'FORGOTTEN_FILES',
      message: expect.stringContaining(key) as string,
    })
    expect(await records(next)).toEqual([key])
    expect(await keysBelow(next.store, 'tables/')).toEqual(before)
    await next.store.delete(key)
    await afterTwoHours(next, topic)
    expect(topic.cleanUpDueMs!()).toBeUndefined()
    expect(await keysBelow(next.store, 'tables/')).toEqual(before)
    await checkTable(topic, next)
  })

  it('is waited for by each caller as long as his signal says', async () => {
    const { log, topic } = await tableAfter(3)
    await untilForgotten(log, topic)
    await log.runtime.clock.advance(2 * HOUR)
    const { hooks } = log.store as HookedStore
    let letGo!: () => void
    const isLetGo = new Promise<void>((resolve) => (letGo = resolve))
    let hangs!: () => void
    const isHanging = new Promise<void>((resolve) => (hangs = resolve))
    hooks.before = async ({ op }) => {
      if (op !== 'delete') return
      hangs()
      await isLetGo
    }
    const [first, third] = [new AbortController(), new AbortController()]
    const calls = [topic.cleanUp!({ signal: first.signal }), topic.cleanUp!(), topic.cleanUp!({ signal: third.signal })]
    for (const call of calls) call.catch(() => undefined)
    await isHanging
    first.abort()
    third.abort()
    for (const call of [calls[0], calls[2]]) await expect(call).rejects.toMatchObject({ kind: 'aborted' })
    letGo()
    await calls[1]
    expect(await checkFolder(log)).toEqual(clean)
    // One that nobody waits for any more is begun anew.
    await untilForgotten(log, topic)
    await log.runtime.clock.advance(2 * HOUR)
    const stop = new AbortController()
    const left = topic.cleanUp!({ signal: stop.signal })
    stop.abort()
    await expect(left).rejects.toMatchObject({ kind: 'aborted' })
    await topic.cleanUp!()
    expect(await checkFolder(log)).toEqual(clean)
  })

  it('is not waited for to the end of a time that a wrong clock has said', async () => {
    const { log, topic } = await tableAfter(3)
    log.runtime.clock.jump(400 * 24 * HOUR)
    await untilForgotten(log, topic)
    log.runtime.clock.jump(-400 * 24 * HOUR)
    const next = log.reopen()
    const again = await next.attach()
    await cleanUpDue(next, again)
    const left = (await records(next)).length
    expect(left).toBeGreaterThan(0)
    await afterTwoHours(next, again)
    expect(await records(next)).toEqual([])
  })

  it('stays two hours, whatever the wall clock shows meanwhile, in the process that forgot it and in the next', async () => {
    const { log, topic } = await tableAfter(3)
    await untilForgotten(log, topic)
    const before = await keysBelow(log.store, '')
    const { clock } = log.runtime
    const looks = async (at: ColdTopic): Promise<void> => {
      for (const jump of [-5 * HOUR, 5 * HOUR, 3 * HOUR, -3 * HOUR]) {
        clock.jump(jump)
        if (at.cleanUpDueMs!()! <= clock.now()) await at.cleanUp!()
        await clock.advance(1000)
      }
    }
    await looks(topic)
    await cleanUpDue(log, topic)
    expect(await keysBelow(log.store, '')).toEqual(before)
    await clock.advance(HOUR)
    const next = log.reopen()
    const again = await next.attach()
    await cleanUpDue(next, again)
    await looks(again)
    await clock.advance(HOUR - 13_000)
    await looks(again)
    await cleanUpDue(next, again)
    expect(await keysBelow(log.store, '')).toEqual(before)
    await clock.advance(1000)
    await cleanUpDue(next, again)
    expect(await checkFolder(next)).toEqual(clean)
  })

  it('is left alone with a record that needs a later reader', async () => {
    const { log, topic } = await tableAfter(3)
    await untilForgotten(log, topic)
    const [key] = await records(log)
    const record = JSON.parse(new TextDecoder().decode((await log.store.get(key!)).bytes)) as Record<string, unknown>
    await log.store.put(key!, utf8(JSON.stringify({ ...record, format: 7, minimumReader: 7 })))
    const next = log.reopen()
    const again = await next.attach()
    const before = await keysBelow(next.store, '')
    await afterTwoHours(next, again)
    expect(await keysBelow(next.store, '')).toEqual(before)
    expect(again.cleanUpDueMs!()).toBeUndefined()
  })
})

const long = process.env['MOULIN_LONG'] === '1'

describe('a fault at any call', { timeout: long ? 1_200_000 : 180_000 }, () => {
  /** A copy of a table that was made once, on a store that fails. */
  async function copyOf(
    log: TestLog,
    commits: number,
  ): Promise<{ log: TestLog; faulty: FaultyStore; topic: ColdTopic }> {
    const store = hookedStore()
    for (const key of await keysBelow(log.store, '')) await store.put(key, (await log.store.get(key)).bytes)
    const faulty = faultyStore(store)
    // A process that comes later: it finds what the earlier ones have left.
    // It has less room, so that its first commit forgets something.
    const copy = logOn(faulty, 77, limits.metadataWarnBytes - 6 * 1024)
    await copy.runtime.clock.advance(log.runtime.clock.now() - copy.runtime.clock.now())
    for (let n = 0; n < commits; n++) copy.hot.send(0, [{ value: utf8(`record ${n}`) }])
    copy.hot.reopen()
    return { log: copy, faulty, topic: await copy.attach() }
  }

  /** The next process goes on, and everything is in order at once, and after two hours nothing is left. */
  async function checkAfter(log: TestLog, faulty: FaultyStore, where: string): Promise<void> {
    const next = log.reopen()
    const topic = await settled(next.runtime, next.attach())
    await commit(next, topic)
    await faulty.applyLate()
    const now = await checkFolder(next)
    expect(now, where).toMatchObject({ unnamed: [], missing: [] })
    // What came late is found by the process after it.
    const last = next.reopen()
    const again = await settled(last.runtime, last.attach())
    await afterTwoHours(last, again)
    expect(await checkFolder(last), where).toEqual(clean)
    await checkTable(again, last)
  }

  it.each(faults)(
    'of a commit that forgets and merges leaves no file that nothing names (%s the effect)',
    async (fault) => {
      const { log: base } = await tableAfter(32)
      const whole = await copyOf(base, 32)
      const known = new Set(await records(whole.log))
      const before = whole.faulty.calls.length
      await commit(whole.log, whole.topic)
      const calls = whole.faulty.calls.slice(before)
      expect((await records(whole.log)).filter((key) => !known.has(key))).toHaveLength(1)
      expect(calls.filter(({ key, operation }) => operation === 'put' && key.endsWith('-m1.avro'))).toHaveLength(1)
      for (let nth = long ? 1 : 1 + faults.indexOf(fault); nth <= calls.length; nth += long ? 1 : 3) {
        const { key } = calls[nth - 1]!
        // A file that a store brings long after its commit was given up is nobody's.
        if (fault === 'late' && /\.(parquet|avro)$/.test(key)) continue
        const { log, faulty, topic } = await copyOf(base, 32)
        const rule = faulty.addRule({ fault, nth })
        await commit(log, topic).catch(() => undefined)
        rule.remove()
        await checkAfter(log, faulty, `call ${nth}, ${calls[nth - 1]!.operation} ${calls[nth - 1]!.key}`)
      }
    },
  )

  it.each(['before', 'after'] as const)('of a clean-up leaves nothing behind (%s the effect)', async (fault) => {
    const { log: base } = await tableAfter(52)
    const whole = await copyOf(base, 52)
    const before = whole.faulty.calls.length
    await afterTwoHours(whole.log, whole.topic)
    const calls = whole.faulty.calls.slice(before)
    expect(await checkFolder(whole.log)).toEqual(clean)
    expect(calls.length).toBeGreaterThan(50)
    // Each kind of call, and each one at the borders; all of them in the long run.
    const step = long ? 1 : 13
    for (let nth = 1; nth <= calls.length; nth += step) {
      const { log, faulty, topic } = await copyOf(base, 52)
      const rule = faulty.addRule({ fault, nth })
      await afterTwoHours(log, topic).catch(() => undefined)
      rule.remove()
      expect((await checkFolder(log)).missing).toEqual([])
      await checkAfter(log, faulty, `call ${nth}, ${calls[nth - 1]!.operation} ${calls[nth - 1]!.key}`)
    }
  })
})
