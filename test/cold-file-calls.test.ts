/** What a read of a table in a folder asks of the disk: in libuv's queue it stands in front of the next flush. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { objectStoreCatalog } from '@moulin/catalog'
import type { IcebergField, Log, Topic } from '@moulin/core'
import { schema, systemRuntime, t } from '@moulin/core'
import { avro, openParquet, storeRangeReader } from '@moulin/format'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { countedFiles } from '../packages/storage/src/counted-files.test-support.ts'

const ROWS = 30_000
const Row = schema({ id: t.int53, text: t.string })
const system = systemRuntime()
const calls = countedFiles(system.files)
const runtime = { ...system, files: calls.files }

let root: string
let log: Log
let topic: Topic
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'moulin-calls-'))
  const store = fileSystem({ root, runtime })
  const tier = icebergTier({ catalog: objectStoreCatalog({ store, runtime }), threads: 0 })
  log = await openLog({ store, wal: fileWal({ dir: join(root, 'log/wal') }), tier, runtime, graceMs: 0 })
  const rows = await log.createTopic('orders', { value: avro(Row) })
  const values = Array.from({ length: ROWS }, (_, id) => ({ value: { id, text: `row ${id * 7919}`.repeat(9) } }))
  await rows.producer().sendAll(values)
  await rows.tier()
  await log.releaseNow()
  topic = rows as unknown as Topic
})
afterAll(async () => {
  await log.close()
  await rm(root, { recursive: true })
})

/** The calls made since it was asked last, those that are about data files and the others, by name. */
function made(): { readonly data: string[]; readonly table: string[] } {
  const all = calls.take().map((call) => call.split(' ') as [string, string])
  const isData = ([, path]: [string, string]): boolean => path.endsWith('.parquet')
  const nameOf = ([name]: [string, string]): string => name
  return { data: all.filter(isData).map(nameOf), table: all.filter((call) => !isData(call)).map(nameOf) }
}

async function offsetsAt(offset: number): Promise<bigint[]> {
  const found: bigint[] = []
  for await (const record of topic.readAt([{ partition: 0, offset: BigInt(offset) }])) {
    if (record !== undefined) found.push(record.offset)
  }
  return found
}

it('is a look and a read a range, of a data file that was read before', async () => {
  await offsetsAt(0)
  calls.take()
  for (const offset of [ROWS - 1, 17, ROWS / 2]) {
    expect(await offsetsAt(offset)).toEqual([BigInt(offset)])
    const { data, table } = made()
    expect([...new Set(data)].sort()).toEqual(['read', 'stat'])
    // Ranges of one request share its look: places of rows, and the pages of their columns.
    expect(data.filter((name) => name === 'stat').length).toBeLessThanOrEqual(2)
    expect(data.filter((name) => name === 'read').length).toBeLessThanOrEqual(6)
    // The hint is read, the versions around it are looked for, and nothing is opened.
    expect([...new Set(table)].sort()).toEqual(['read', 'realpath', 'stat'])
    expect(table.length).toBeLessThanOrEqual(8)
  }
})

it('opens each data file once, however much of it is read', async () => {
  // As a store that has read nothing yet.
  const store = fileSystem({ root, runtime })
  const tier = icebergTier({ catalog: objectStoreCatalog({ store, runtime, access: 'read-only' }), threads: 0 })
  const wal = fileWal({ dir: join(root, 'log/wal') })
  const reader = await openLog({ store, wal, tier, runtime, access: 'read-only' })
  calls.take()
  let count = 0
  for await (const record of (await reader.topic('orders')).read({ to: 'end' })) if (record.value !== null) count++
  expect(count).toBe(ROWS)
  const { data } = made()
  const times = (wanted: string): number => data.filter((name) => name === wanted).length
  expect([times('open'), times('realpath'), times('fstat'), times('close')]).toEqual([1, 1, 1, 0])
  expect(times('read')).toBeGreaterThan(3)
  await reader.close()
})

it('is two or three calls for a needle: one look, and a read for each span of its pages', async () => {
  const store = fileSystem({ root, runtime })
  let found: { readonly key: string; readonly size: number } | undefined
  for await (const info of store.list({ prefix: 'tables/' })) if (info.key.endsWith('.parquet')) found = info
  const file = await openParquet(storeRangeReader(store, found!.key, found!.size))
  const [id] = file.fields.filter(({ name }) => name === 'id')
  const types: IcebergField[] = [{ id: id!.id, name: 'id', type: 'long', required: false }]
  for (const start of [0, 9_000, 20_000]) {
    calls.take()
    const rows = { start, end: start + 100 }
    const batch = await file.read({ rowGroup: 0, types, rows })
    expect(batch.length).toBe(100)
    const { data } = made()
    expect(data[0]).toBe('stat')
    expect(data.slice(1).every((name) => name === 'read')).toBe(true)
    expect(data.length).toBeLessThanOrEqual(3)
  }
})
