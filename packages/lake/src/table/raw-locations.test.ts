import type { ColdTopic, ObjectStore } from '@moulin/core'
import { hookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { allRows, commitFiles, foreignFile, pick, replaceRows, tableOf } from '../foreign.test-support.ts'
import type { Spelling } from '../foreign.test-support.ts'
import { checkTable, readAll, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'
import { COMMIT, stage } from '../commit/staged-commit.test-support.ts'

const ROOT = 'file:///my lake/50%25/'

/** Puts data files into a folder below `data/`. */
const inFolder =
  (folder: string) =>
  (uri: string): string =>
    uri.replace('/data/', `/data/${folder}/`)

/** Escapes everything behind the scheme, root included. */
const encoded = (uri: string): string => encodeURI(uri).replace('file:///', 'file:/')

const below = (uri: string): string => ROOT + uri.slice(ROOT.length).split('/').map(encodeURIComponent).join('/')

async function tieredLog(): Promise<{ log: TestLog; topic: ColdTopic; store: ObjectStore }> {
  const store = { ...hookedStore(), root: ROOT }
  const log = testLog({ store })
  const topic = await log.attach()
  for (const tag of ['a', 'b']) {
    for (const partition of [0, 1])
      log.hot.send(partition, [{ key: utf8(tag), value: utf8(`${tag}${partition}`) }, { value: null }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
  }
  return { log, topic, store }
}

async function keysOf(store: ObjectStore, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list({ prefix })) keys.push(key)
  return keys
}

/** Read, scanned, counted and audited, in the process that knew the table before, and in a new one that goes on with it. */
async function checkAll(log: TestLog, topic: ColdTopic): Promise<void> {
  await topic.refresh()
  for (const each of [topic, await log.reopen().attach()]) {
    await checkTable(each, log)
    const rows = (await each.scan({ columns: ['_kafka_offset'] as never }).toArray()) as { _kafka_offset: bigint }[]
    expect(rows.map(({ _kafka_offset }) => _kafka_offset).sort()).toEqual([0n, 0n, 1n, 1n, 2n, 2n, 3n, 3n])
    expect(await each.scan({ columns: ['_kafka_offset'] as never }).count()).toBe(8)
    const { clean, deep } = await each.audit({ deep: true })
    expect({ clean, rows: deep?.rows }).toEqual({ clean: true, rows: 8n })
    for await (const run of each.readAt([{ partition: 1, offset: 2n }])) expect(run.baseOffset).toBe(2n)
  }
  const next = await log.reopen().attach()
  log.hot.send(0, [{ value: utf8('more') }])
  await next.tier({ upTo: log.hot.committedOffsets() })
  await checkTable(next, log)
}

const spellings: Readonly<Record<string, Spelling>> = {
  'below data/city=M%C3%BCnchen, literally so': { stored: inFolder('city=M%C3%BCnchen') },
  'below data/100%/a%2Fb, literally so': { stored: inFolder('100%/a%2Fb') },
  'below data/city=München, named percent-encoded below the root': {
    stored: inFolder('city=München/at=12:00 +1'),
    named: below,
  },
  'below data/city=Zürich, named percent-encoded with its root': { stored: inFolder('city=Zürich %'), named: encoded },
  'below data/k=%20, named percent-encoded once more': { stored: inFolder('k=%20'), named: encoded },
  'that are named by a bare path': { stored: inFolder('ö ö'), named: (uri) => uri.slice('file://'.length) },
}

describe('files of another engine', () => {
  it.each(Object.entries(spellings))('%s, are read, scanned, counted and audited', async (_where, spelling) => {
    const { log, topic } = await tieredLog()
    const rows = await allRows(log)
    const all = Array.from({ length: rows.length }, (_, at) => at)
    const [even, odd] = [all.filter((at) => at % 2 === 0), all.filter((at) => at % 2 === 1)]
    await replaceRows(log, [pick(rows, even), pick(rows, odd)], undefined, spelling)
    await checkAll(log, topic)
  })

  it('that lie under both spellings are taken by the raw one', async () => {
    const { log, topic, store } = await tieredLog()
    const rows = await allRows(log)
    await replaceRows(log, [rows], undefined, { stored: inFolder('city=M%C3%BCnchen') })
    for (const key of await keysOf(store, 'tables/shop/orders/data/city='))
      await store.put(decodeURIComponent(key), utf8('PAR1 of somebody else'))
    await checkAll(log, topic)
    // And where the raw one is damaged, no other takes its place.
    const [raw] = await keysOf(store, 'tables/shop/orders/data/city=M%')
    await store.put(decodeURIComponent(raw!), (await store.get(raw!)).bytes)
    log.hot.release(topic.frontier())
    await store.put(raw!, utf8('damaged'))
    await expect(readAll(await log.reopen().attach(), 0)).rejects.toMatchObject({ kind: 'corrupt' })
  })
})

describe('a staged commit', () => {
  it.each([
    ['percent-encoded with their root', encoded],
    ['percent-encoded below it', (uri: string): string => uri.replaceAll(/-(?=[^/]*$)/g, '%2D')],
  ])('keeps its files where another engine names them %s', async (_how, named) => {
    const { log, topic, store } = await tieredLog()
    const name = `tables/shop/orders/data/${COMMIT}-0.parquet`
    await replaceRows(log, [await allRows(log)], undefined, { stored: () => ROOT + name, named })
    await stage(log)
    await checkAll(log, topic)
    expect(await keysOf(store, 'log/staged/')).toEqual([])
    expect(await keysOf(store, name)).toEqual([name])
  })

  it('is settled although another engine once added a file from elsewhere', async () => {
    const { log, topic, store } = await tieredLog()
    const rows = await allRows(log)
    const table = await tableOf(log)
    const file = await foreignFile(log, table, pick(rows, [0]), 'x')
    await commitFiles(log, table, [{ ...file, filePath: 's3://elsewhere/x.parquet' }], 'foreign')
    await replaceRows(log, [rows])
    await stage(log)
    await store.put(`tables/shop/orders/data/${COMMIT}-0.parquet`, utf8('x'))
    await checkAll(log, topic)
    expect(await keysOf(store, `tables/shop/orders/data/${COMMIT}`)).toEqual([])
  })
})
