/** Rows that SQL deleted, by position or whole files at once, in the real log: gaps that every reader passes, also where nothing is left. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { objectStoreCatalog } from '@moulin/catalog'
import { systemRuntime, tableFiles, tableIdentifier } from '@moulin/core'
import type { Log, LogRecord, Topic } from '@moulin/core'
import { planScan } from '@moulin/iceberg'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { allRows, numbersOf, pick, replaceRows } from '../../packages/lake/src/foreign.test-support.ts'
import type { TestLog } from '../../packages/lake/src/lake.test-support.ts'
import { commitDeletes, newPositions, newVectors } from './foreign-deletes.ts'

const runtime = systemRuntime()
const PARTITIONS = 2
const ROWS = 6
type Way = 'by position' | 'by vector' | 'with their files'
type Deletes = (partition: number, offset: number) => boolean

let root: string
const open: Log[] = []
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'moulin-deleted-'))
})
afterEach(async () => {
  for (const log of open.splice(0)) await log.close()
  await rm(root, { recursive: true })
})

const store = (): ReturnType<typeof fileSystem> => fileSystem({ root, files: runtime.files })
const catalog = (): ReturnType<typeof objectStoreCatalog> => objectStoreCatalog({ store: store(), runtime })
/** What another engine needs of the table. */
const foreign = (): TestLog =>
  ({ store: store(), catalog: catalog(), runtime, info: { table: 'city.rides' } }) as unknown as TestLog

async function openHere(): Promise<Topic<Uint8Array>> {
  for (const log of open.splice(0)) await log.close()
  const log = await openLog({
    store: store(),
    wal: fileWal({ dir: join(root, 'log/wal'), segmentBytes: 64 * 1024 }),
    tier: icebergTier({ catalog: catalog(), threads: 0 }),
    runtime,
    graceMs: 0,
  })
  open.push(log)
  const config = { partitions: PARTITIONS, table: 'city.rides', partitionBy: [] }
  return (await log.ensureTopic('rides', config)) as Topic<Uint8Array>
}

async function send(topic: Topic<Uint8Array>, partition: number, text: string): Promise<void> {
  const producer = topic.producer({ lingerMs: 0 })
  await producer.send({ value: new TextEncoder().encode(text), partition, timestamp: 1_600_000_000_000n })
  await producer.close()
}

/** All records are in the table, and nowhere else. */
async function tiered(): Promise<Topic<Uint8Array>> {
  const topic = await openHere()
  for (let at = 0; at < ROWS; at++) for (let p = 0; p < PARTITIONS; p++) await send(topic, p, `${p}:${at}`)
  await topic.tier()
  await open[0]!.releaseNow()
  expect(topic.offsets().map(({ released }) => released)).toEqual([6n, 6n])
  return topic
}

async function remove(way: Way, isGone: Deletes): Promise<void> {
  const log = foreign()
  const rows = await allRows(log)
  const [partitions, offsets] = ['_kafka_partition', '_kafka_offset'].map((name) => numbersOf(rows, name))
  const gone = Array.from({ length: rows.length }, (_, row) => row).filter((row) =>
    isGone(Number(partitions![row]), Number(offsets![row])),
  )
  if (way !== 'with their files') {
    const { metadata } = await log.catalog.loadTable(tableIdentifier('city.rides'))
    const deleted = new Map<string, number[]>()
    let first = 0
    for await (const { file } of planScan({ tableFiles: tableFiles(log.store), metadata })) {
      const end = first + Number(file.recordCount)
      const own = gone.filter((row) => row >= first && row < end).map((row) => row - first)
      if (own.length > 0) deleted.set(file.filePath, own)
      first = end
    }
    const make = way === 'by position' ? newPositions : newVectors
    return commitDeletes({ ...log, table: 'city.rides' }, 'gone', (at) => [make(at, deleted)])
  }
  const left = Array.from({ length: rows.length }, (_, row) => row).filter((row) => !gone.includes(row))
  await replaceRows(log, left.length === 0 ? [] : [pick(rows, left)])
}

const textOf = ({ bytes }: LogRecord): string => new TextDecoder().decode(bytes!)

async function read(topic: Topic<Uint8Array>, options: Parameters<Topic['read']>[0]): Promise<string[]> {
  const texts: string[] = []
  for await (const record of topic.read({ to: 'end', ...options })) texts.push(textOf(record))
  return texts.sort()
}

/** Whatever asks for a partition passes what is gone of it, and finds what is left. */
async function check(topic: Topic<Uint8Array>, isGone: Deletes): Promise<void> {
  const left = (partition: number): number[] =>
    Array.from({ length: ROWS }, (_, at) => at).filter((at) => !isGone(partition, at))
  const all: string[] = []
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const texts = left(partition).map((at) => `${partition}:${at}`)
    all.push(...texts)
    expect(await read(topic, { partition, from: 'earliest' })).toEqual(texts)
    for (let from = 0; from <= ROWS; from++) {
      const rest = left(partition).filter((at) => at >= from)
      expect(await read(topic, { partition, from: BigInt(from) })).toEqual(rest.map((at) => `${partition}:${at}`))
    }
    expect(await topic.offsetFor(0n, { partition })).toEqual(left(partition).map(BigInt)[0])
    // Fetches that follow each other come to the end, through nothing but gaps too.
    let from = 0n
    for (let asked = 0; from < BigInt(ROWS); asked++) {
      expect(asked).toBeLessThan(ROWS)
      const { nextOffset } = await topic.fetch({ partition, from, minBytes: 0, maxWaitMs: 0 })
      expect(nextOffset).toBeGreaterThan(from)
      from = nextOffset
    }
  }
  expect(await read(topic, {})).toEqual(all.sort())
  expect(await topic.scan().count()).toBe(all.length)
  expect(await topic.scan().toArray()).toHaveLength(all.length)
  const positions = [0, 1].flatMap((partition) =>
    Array.from({ length: ROWS }, (_, at) => ({ partition, offset: BigInt(at) })),
  )
  const found: (string | undefined)[] = []
  for await (const record of topic.readAt(positions)) found.push(record && textOf(record))
  expect(found).toEqual(
    positions.map(({ partition, offset }) =>
      isGone(partition, Number(offset)) ? undefined : `${partition}:${offset}`,
    ),
  )
  const { partitions, deep } = await topic.audit({ deep: true })
  expect(partitions.map(({ rows }) => rows)).toEqual([0, 1].map((partition) => BigInt(left(partition).length)))
  expect(deep).toMatchObject({ deletedRows: BigInt(PARTITIONS * ROWS - all.length), mismatched: 0n })
}

const cases: readonly (readonly [what: string, isGone: Deletes])[] = [
  ['some rows', (partition, offset) => (offset + partition) % 3 === 0],
  ['the first rows and the last', (_, offset) => offset < 2 || offset === ROWS - 1],
  ['every row of a partition', (partition) => partition === 0],
  ['every row of the table', () => true],
]

describe.each(['by position', 'by vector', 'with their files'] as const)('where SQL deletes %s', (way) => {
  it.each(cases)('%s, every reader passes them and goes on', async (_what, isGone) => {
    const topic = await tiered()
    await remove(way, isGone)
    await check(topic, isGone)
    // A reader that follows, from the very beginning, is at the frontier when something comes.
    const follower = topic.read({ partition: 0, from: 'earliest' })[Symbol.asyncIterator]()
    const before = Array.from({ length: ROWS }, (_, at) => at).filter((at) => !isGone(0, at))
    for (const at of before) expect(textOf((await follower.next()).value as LogRecord)).toBe(`0:${at}`)
    const next = follower.next()
    await send(topic, 0, 'new')
    expect((await next).value).toMatchObject({ offset: BigInt(ROWS), fidelity: 'exact' })
    await follower.return?.()
    expect(await topic.tier()).toMatchObject({ rows: 1, frontier: [7n, 6n] })
    await open[0]!.releaseNow()
    // And another process finds it so.
    const again = await openHere()
    expect(await read(again, { partition: 0, from: BigInt(ROWS) })).toEqual(['new'])
    expect(await read(again, { partition: 1 })).toHaveLength(
      Array.from({ length: ROWS }, (_, at) => at).filter((at) => !isGone(1, at)).length,
    )
    expect(again.stats()).toMatchObject({ lineage: { verdict: 'intact' }, stoppedBy: null })
  })
})
