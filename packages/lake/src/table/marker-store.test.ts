import { unavailable } from '@moulin/core'
import type { Catalog, LoadedTable, ObjectStore } from '@moulin/core'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { plainCatalog } from '../catalog.test-support.ts'
import { allRows, change, foreignAppend, pick, replaceRows, tableOf } from '../foreign.test-support.ts'
import { checkTable, settled, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'
import { firstMarker, markerKey, sha256, writeMarker } from './marker.ts'
import { MarkerStore } from './marker-store.ts'
import { summaryKeys } from './system-columns.ts'

const limits = { markerBytes: 1500 }
const PARTITIONS = 60

/** A topic whose ledger is an object, on a store whose objects have the virtual clock's time. */
function wideLog(wrap: (inner: Catalog) => Catalog = (inner) => inner) {
  const runtime = virtualRuntime({ seed: 9 })
  const inner = hookedStore()
  const times = new Map<string, number>()
  const store: ObjectStore = {
    ...inner,
    async put(key, bytes, options) {
      times.set(key, runtime.clock.now())
      return inner.put(key, bytes, options)
    },
    async *list(options) {
      for await (const info of inner.list(options)) yield { ...info, modifiedMs: times.get(info.key)! }
    },
  }
  const catalog = wrap(plainCatalog(store, runtime))
  return { inner, log: testLog({ store, runtime, catalog, limits, info: { partitions: PARTITIONS } }) }
}

async function ledgersOf(log: TestLog): Promise<string[]> {
  const names: string[] = []
  for await (const { key } of log.store.list({ prefix: 'log/ledgers/' })) names.push(key.slice('log/ledgers/'.length))
  return names
}

const markerOf = ({ metadata }: LoadedTable, log: TestLog): string => metadata.properties![markerKey(log.info.id)]!
const nameIn = (text: string): string => /"ledger":"([0-9a-f]{64})"/.exec(text)![1]!

describe('a ledger that is an object', () => {
  it('is there before the commit that names it, named by the staged record, and read back with it', async () => {
    const seen: string[] = []
    const { log, inner } = wideLog((catalog) => ({
      ...catalog,
      async commitTable(table, commit, options) {
        const set = commit.updates.find(({ action }) => action === 'set-properties') as {
          updates: Record<string, string>
        }
        const name = nameIn(set.updates[markerKey(log.info.id)]!)
        seen.push(name)
        expect(await ledgersOf(log)).toContain(name)
        const staged = inner.calls.filter(({ op, key }) => op === 'put' && key.startsWith('log/staged/')).at(-1)!
        expect(new TextDecoder().decode((await inner.get(staged.key)).bytes)).toContain(`"ledger":"${name}"`)
        return catalog.commitTable(table, commit, options)
      },
    }))
    const topic = await log.attach()
    log.hot.send(3, [{ value: utf8('a') }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    const read = inner.calls.filter(({ op, key }) => op === 'get' && key === `log/ledgers/${seen[0]}`)
    expect(read).toHaveLength(1)
    await topic.refresh()
    expect(inner.calls.filter(({ op, key }) => op === 'get' && key === `log/ledgers/${seen[0]}`)).toHaveLength(1)
    await checkTable(await log.reopen().attach(), log)
    expect((await tableOf(log)).metadata.snapshots![0]!.summary[summaryKeys.ledger]).toBe(seen[0])
  })

  it('that cannot be read back for now leaves nothing of its commit unsettled', async () => {
    const { log } = wideLog()
    const topic = await log.attach()
    log.hot.send(3, [{ value: utf8('a') }])
    const get = log.store.get.bind(log.store)
    log.store.get = async (key, options) => {
      if (!key.startsWith('log/ledgers/')) return get(key, options)
      throw unavailable('AWAY', 'The store does not answer.')
    }
    await expect(topic.tier({ upTo: log.hot.committedOffsets() })).rejects.toMatchObject({ code: 'AWAY' })
    log.store.get = get
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
    for await (const { key } of log.store.list({ prefix: 'log/staged/' })) expect(key).toBe('nothing')
  })

  it.each(['gone', 'changed'] as const)('stops tiering when it is %s', async (what) => {
    const { log } = wideLog()
    const topic = await log.attach()
    log.hot.send(3, [{ value: utf8('a') }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    const key = `log/ledgers/${nameIn(markerOf(await tableOf(log), log))}`
    if (what === 'gone') await log.store.delete(key)
    else await log.store.put(key, utf8('{"format":1,"minimumReader":1,"entries":[]}'))
    await expect(log.reopen().attach()).rejects.toMatchObject({
      code: 'LINEAGE_BROKEN',
      context: { fault: 'unreadable-marker' },
    })
  })

  it('of a later version is refused as such', async () => {
    const { log } = wideLog()
    await log.attach()
    const bytes = utf8('{"format":2,"minimumReader":2,"shards":4}')
    await log.store.put(`log/ledgers/${sha256(bytes)}`, bytes)
    const text = markerOf(await tableOf(log), log)
    const updates = { [markerKey(log.info.id)]: text.replace(nameIn(text), sha256(bytes)) }
    await change(log, [{ action: 'set-properties', updates }])
    await expect(log.reopen().attach()).rejects.toMatchObject({ kind: 'unsupported', code: 'FORMAT_VERSION' })
  })

  it('of an attempt that lost its race, or whose writer died before the commit, is removed; that of the table stays', async () => {
    let race: (() => Promise<void>) | undefined
    const { log } = wideLog((catalog) => ({
      ...catalog,
      async commitTable(table, commit, options) {
        const now = race
        race = undefined
        await now?.()
        return catalog.commitTable(table, commit, options)
      },
    }))
    const topic = await log.attach()
    log.hot.send(0, [{ value: utf8('a') }])
    race = () => foreignAppend(log)
    await settled(log.runtime, topic.tier({ upTo: log.hot.committedOffsets() }))
    const committed = nameIn(markerOf(await tableOf(log), log))
    // The first is that of the empty table.
    expect(await ledgersOf(log)).toHaveLength(2)
    log.hot.send(0, [{ value: utf8('b') }])
    race = () => new Promise(() => undefined)
    void topic.tier({ upTo: log.hot.committedOffsets() })
    await log.runtime.clock.advance(0)
    for (let turn = 0; turn < 200 && race !== undefined; turn++) await new Promise(setImmediate)
    expect(await ledgersOf(log)).toHaveLength(3)
    await foreignAppend(log)
    const next = await log.reopen().attach()
    expect(await ledgersOf(log)).toHaveLength(2)
    expect(await ledgersOf(log)).toContain(committed)
    await next.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(next, log)
  })

  it('is collected once it is two hours old and a hundred newer ones of the topic are there', async () => {
    const { log } = wideLog()
    const other = new MarkerStore(log.store, { ...log.info, id: 'f'.repeat(8) })
    const foreign = writeMarker({ ...firstMarker(log.info, 1n, 'c'), topic: 'f'.repeat(8) }, 1000)
    await other.put(foreign)
    const topic = await log.attach()
    const commit = async (): Promise<void> => {
      log.hot.send(1, [{ value: utf8('a') }])
      await topic.tier({ upTo: log.hot.committedOffsets() })
    }
    for (let n = 0; n < 130; n++) await commit()
    // 130 commits, the empty table's and the other topic's: all young.
    expect(await ledgersOf(log)).toHaveLength(132)
    await log.runtime.clock.advance(3 * 3_600_000)
    await commit()
    const left = await ledgersOf(log)
    expect(left).toHaveLength(101)
    expect(left).toContain(foreign.ledger!.name)
    expect(left).toContain(nameIn(markerOf(await tableOf(log), log)))
    const snapshots = (await tableOf(log)).metadata.snapshots!
    for (const { summary } of snapshots) expect(left).toContain(summary[summaryKeys.ledger])
    await checkTable(await log.reopen().attach(), log)
  })
})

it('a ledger that cannot be deleted is not counted as removed, and keeps none of the others', async () => {
  const store = hookedStore()
  const { info } = testLog({ store, info: { partitions: PARTITIONS } })
  const markers = new MarkerStore(store, info)
  const names: string[] = []
  for (let n = 0; n < 104; n++) {
    const written = writeMarker(firstMarker(info, 1n, `commit ${n}`), 1000)
    await markers.put(written)
    names.push(written.ledger!.name)
  }
  const later = Number.MAX_SAFE_INTEGER
  const stubborn: string[] = []
  store.hooks.before = ({ op, key }) => {
    if (op !== 'delete') return
    if (stubborn.length === 0) stubborn.push(key)
    if (key === stubborn[0]) throw unavailable('BUSY', 'Not now.')
  }
  const left = async (): Promise<number> => {
    let count = 0
    for await (const { key } of store.list({ prefix: 'log/ledgers/' })) if (names.includes(key.slice(12))) count++
    return count
  }
  await expect(markers.collect(new Set(), later)).rejects.toMatchObject({ code: 'BUSY' })
  expect(await left()).toBe(101)
  delete store.hooks.before
  expect(await markers.collect(new Set(), later)).toBe(1)
  expect(await left()).toBe(100)
})

it('a ledger is looked into once for all topics of a process', async () => {
  const store = hookedStore()
  const { info } = testLog({ store, info: { partitions: PARTITIONS } })
  const topics = ['a', 'b', 'c'].map((letter) => ({ ...info, id: letter.repeat(8) }))
  const stores = topics.map((topic) => new MarkerStore(store, topic))
  for (const [at, topic] of topics.entries()) await stores[at]!.put(writeMarker(firstMarker(topic, 1n, 'x'), 1000))
  const later = Number.MAX_SAFE_INTEGER
  for (const each of stores) expect(await each.collect(new Set(), later)).toBe(0)
  for (const each of stores) await each.collect(new Set(), later)
  expect(store.calls.filter(({ op }) => op === 'get')).toHaveLength(topics.length)
})

describe('a marker of a later version', () => {
  it('is refused as such, never as a broken history, and says so at every use', async () => {
    const log = testLog()
    const topic = await log.attach()
    log.hot.send(0, [{ value: utf8('a') }])
    await topic.tier({ upTo: [1n, 0n] })
    const text = markerOf(await tableOf(log), log).replace('"minimumReader":1', '"minimumReader":3')
    await change(log, [{ action: 'set-properties', updates: { [markerKey(log.info.id)]: text } }])
    for (const use of [() => log.reopen().attach(), () => topic.refresh(), () => topic.tier({ upTo: [1n, 0n] })]) {
      await expect(use()).rejects.toMatchObject({ kind: 'unsupported', code: 'FORMAT_VERSION' })
    }
  })
})

it('the audit does not expect rows that retention removed, nor their checksums', async () => {
  let edit = (text: string): string => text
  const runtime = virtualRuntime({ seed: 2 })
  const store = hookedStore()
  const inner = plainCatalog(store, runtime)
  const catalog: Catalog = {
    ...inner,
    async loadTable(table, options) {
      const loaded = await inner.loadTable(table, options)
      const key = markerKey(log.info.id)
      const text = edit(loaded.metadata.properties![key]!)
      const snapshots = loaded.metadata.snapshots!.map((snapshot) => ({
        ...snapshot,
        summary: { ...snapshot.summary, [summaryKeys.marker]: sha256(text) },
      }))
      const properties = { ...loaded.metadata.properties, [key]: text }
      return { ...loaded, metadata: { ...loaded.metadata, snapshots, properties } }
    },
  }
  const log = testLog({ store, runtime, catalog, info: { partitions: 1 } })
  const topic = await log.attach()
  log.hot.send(0, [{ value: utf8('a') }, { value: utf8('b') }, { value: utf8('c') }])
  await topic.tier({ upTo: [3n] })
  const before = (await topic.audit()).partitions[0]!
  await replaceRows(log, [pick(await allRows(log), [2])])
  const deleted = await topic.audit()
  expect(deleted).toMatchObject({ clean: false, partitions: [{ deleted: 2n }] })
  const removed = before.checksum! - deleted.partitions[0]!.checksum!
  edit = (text) => text.replace('"0","0"]]', `"2","${removed}"]]`)
  const report = await topic.audit()
  expect(report).toMatchObject({ clean: true, partitions: [{ rows: 1n, ledgerRows: 1n, deleted: 0n }] })
  expect(report.gaps).toMatchObject([{ from: 0n, to: 2n, reason: 'expired' }])
})
