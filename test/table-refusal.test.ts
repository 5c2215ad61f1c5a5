/** Whatever a table refuses is a state of its topic: what is hot is read, followed, scanned and sent, and stats() say why the rest is not. */
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { objectStoreCatalog } from '@moulin/catalog'
import { systemRuntime, unavailable, unsupported } from '@moulin/core'
import type { Catalog, Log, Topic } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { openLog as openFolder } from 'moulin'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const runtime = systemRuntime()
let root: string
let inTheWay: Error | undefined
const open: Log[] = []
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'moulin-refusal-'))
  inTheWay = undefined
})
afterEach(async () => {
  for (const log of open.splice(0)) await log.close()
  await rm(root, { recursive: true })
})

const lake = (): string => join(root, 'lake')
const table = (): string => join(lake(), 'tables/city/trams')

async function openHere(access: 'read-write' | 'read-only' = 'read-write'): Promise<Log> {
  const store = fileSystem({ root: lake(), files: runtime.files })
  const catalog = objectStoreCatalog({ store, prefix: 'tables/', runtime, access })
  const refusing: Catalog = {
    ...catalog,
    loadTable: async (...args) => {
      if (inTheWay !== undefined) throw inTheWay
      return catalog.loadTable(...args)
    },
  }
  const wal = fileWal({ dir: join(lake(), 'log/wal'), segmentBytes: 64 * 1024 })
  const tier = icebergTier({ catalog: refusing, threads: 0 })
  const log = await openLog({ store, wal, tier, runtime, access, catalogWaitMs: 500 })
  open.push(log)
  return log
}

async function close(log: Log): Promise<void> {
  open.splice(open.indexOf(log), 1)
  await log.close()
}

async function send(topic: Topic<Uint8Array>, ...texts: readonly string[]): Promise<void> {
  const producer = topic.producer({ lingerMs: 0 })
  for (const text of texts) await producer.send({ value: new TextEncoder().encode(text) })
  await producer.close()
}

async function read(topic: Topic<Uint8Array>, from: bigint | 'earliest' = 'earliest'): Promise<string[]> {
  const texts: string[] = []
  for await (const { bytes } of topic.read({ from, to: 'end' })) texts.push(new TextDecoder().decode(bytes!))
  return texts
}

const scanned = async (topic: Topic<Uint8Array>): Promise<string[]> =>
  (await topic.scan({ columns: ['_kafka_value'] }).toArray()).map((row) => new TextDecoder().decode(row._kafka_value!))

/** The next record of a read that follows, once `act` has been done. */
async function tailed(topic: Topic<Uint8Array>, act: () => Promise<void>): Promise<string> {
  const records = topic.read({ from: 'latest' })[Symbol.asyncIterator]()
  const next = records.next()
  await act()
  const { value } = await next
  await records.return?.()
  return new TextDecoder().decode((value as { bytes: Uint8Array }).bytes)
}

async function newestMetadata(): Promise<string> {
  const names = (await readdir(join(table(), 'metadata'))).filter((name) => name.endsWith('.metadata.json'))
  return join(table(), 'metadata', names.sort((a, b) => Number.parseInt(b.slice(1)) - Number.parseInt(a.slice(1)))[0]!)
}

/** Writes the newest metadata anew, as another writer would have. Returns what takes it back. */
async function edited(edit: (text: string) => string): Promise<() => Promise<void>> {
  const path = await newestMetadata()
  const text = await readFile(path, 'utf8')
  const changed = edit(text)
  expect(changed).not.toBe(text)
  await writeFile(path, changed)
  return () => writeFile(path, text)
}

interface Refusal {
  readonly what: string
  readonly code: string
  /** Stops until somebody changes the table, rather than passing. */
  readonly isState: boolean
  readonly begin: () => Promise<() => Promise<void> | void>
}

const thrown = (error: Error) => async (): Promise<() => void> => {
  inTheWay = error
  return () => (inTheWay = undefined)
}
const refusals: readonly Refusal[] = [
  {
    what: 'a catalog that is down',
    code: 'DOWN',
    isState: false,
    begin: thrown(unavailable('DOWN', 'The catalog is down.')),
  },
  {
    what: 'deletes that cannot be read',
    code: 'FILE_FORMAT',
    isState: true,
    begin: thrown(unsupported('FILE_FORMAT', 'The table has position deletes in ORC.')),
  },
  {
    what: 'a table of format version 4',
    code: 'FORMAT_VERSION',
    isState: true,
    begin: () => edited((text) => text.replace('"format-version":2', '"format-version":4')),
  },
  {
    what: 'a column of another type',
    code: 'SCHEMA_DRIFT',
    isState: true,
    begin: () => edited((text) => text.replace(/("name":"_kafka_offset"[^}]*"type":)"long"/g, '$1"string"')),
  },
]

describe.each(refusals)('beside $what', ({ code, isState, begin }) => {
  it('a topic that exists opens; hot reads, tails, scans and sends go on, stats() say why tiering does not', async () => {
    let log = await openHere()
    let topic = await log.ensureTopic('trams', { table: 'city.trams' })
    await send(topic, 'a', 'b')
    await topic.tier()
    await send(topic, 'c')
    await close(log)

    const end = await begin()
    log = await openHere()
    topic = await log.topic<Uint8Array>('trams')
    expect(await tailed(topic, () => send(topic, 'd'))).toBe('d')
    expect(await read(topic)).toEqual(['a', 'b', 'c', 'd'])
    expect(await scanned(topic)).toEqual(['a', 'b', 'c', 'd'])
    expect(await topic.scan().count()).toBe(4)
    await expect(topic.tier()).rejects.toMatchObject({ code })
    const { stoppedBy, lastError, failingSinceMs, untieredRecords } = topic.stats()
    expect(lastError).toMatchObject({ code })
    expect(failingSinceMs).toBeGreaterThan(0)
    expect(stoppedBy === null).toBe(!isState)
    // What the table has is not known: the log counts all that it holds.
    expect(untieredRecords).toBe(4)
    expect(JSON.parse(JSON.stringify(log.stats()))).toMatchObject({ lastError: { code } })

    const reader = await openHere('read-only')
    const seen = await reader.topic<Uint8Array>('trams')
    expect(await read(seen)).toEqual(['a', 'b', 'c', 'd'])
    expect(await scanned(seen)).toEqual(['a', 'b', 'c', 'd'])
    expect(seen.stats().lastError).toMatchObject({ code })

    await end()
    expect((await topic.tier()).rows).toBe(2)
    expect(topic.stats()).toMatchObject({
      stoppedBy: null,
      lastError: null,
      failingSinceMs: null,
      retries: 0,
      untieredRecords: 0,
    })
    expect(await read(topic)).toEqual(['a', 'b', 'c', 'd'])
    expect((await topic.audit()).clean).toBe(true)
  })
})

describe('a table that is gone', () => {
  it('leaves what is hot to be read and followed, and names what is lost to whoever asks for it', async () => {
    let log = await openHere()
    let topic = await log.ensureTopic('trams', { table: 'city.trams' })
    await send(topic, 'a', 'b')
    await topic.tier()
    await log.releaseNow()
    await send(topic, 'c')
    await close(log)

    await rename(table(), `${table()}.away`)
    log = await openHere()
    topic = await log.topic<Uint8Array>('trams')
    expect(await read(topic, 2n)).toEqual(['c'])
    expect(await tailed(topic, () => send(topic, 'd'))).toBe('d')
    await expect(read(topic)).rejects.toMatchObject({ code: 'LINEAGE_BROKEN' })
    await expect(scanned(topic)).rejects.toMatchObject({ code: 'LINEAGE_BROKEN' })
    expect(topic.stats()).toMatchObject({
      stoppedBy: { code: 'LINEAGE_BROKEN' },
      lastError: { code: 'LINEAGE_BROKEN' },
    })

    await rename(`${table()}.away`, table())
    await topic.tier()
    expect(await read(topic)).toEqual(['a', 'b', 'c', 'd'])
    expect(topic.stats()).toMatchObject({ stoppedBy: null, lastError: null })
  })

  it('or was never made, does not keep a log that only reads from what is hot', async () => {
    const writer = await openLog({
      store: fileSystem({ root: lake(), files: runtime.files }),
      wal: fileWal({ dir: join(lake(), 'log/wal') }),
      runtime,
    })
    open.push(writer)
    await send(await writer.ensureTopic('trams', { table: 'city.trams' }), 'x', 'y')
    const reader = await openFolder(lake(), { access: 'read-only' })
    open.push(reader)
    const topic = await reader.topic<Uint8Array>('trams')
    expect(await read(topic)).toEqual(['x', 'y'])
    expect(await scanned(topic)).toEqual(['x', 'y'])
    expect(topic.stats()).toMatchObject({ stoppedBy: { code: 'TABLE_MISSING' } })
  })
})
