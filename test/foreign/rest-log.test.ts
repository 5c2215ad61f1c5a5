/** A log whose tables live in Apache's REST fixture: sent to, tiered, released, opened anew, killed; read by PyIceberg and DuckDB over REST. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { restCatalog as client } from '@moulin/catalog'
import { fileSystem, openLog, openTable } from 'moulin'
import type { EmbeddedOptions } from 'moulin'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { runCommand } from '../../packages/moulin/src/cli-program.ts'
import { python } from '../interop/python.ts'
import { checkTopic, rowsOfEngine } from './checks.ts'
import type { Standing } from './checks.ts'
import { duckdb, restCatalog } from './engines.ts'
import type { RestCatalog, SqlEngine } from './engines.ts'
import { topicOf } from './operated-log.ts'
import { unchanged } from './operations.ts'
import { codecs, OrderBook, PARTITIONS } from './orders.ts'

const INSTALLS_MS = 900_000
const TEST_MS = 240_000
const WAVE = 60
const KILLS = process.env['MOULIN_LONG'] === '1' ? 10 : 3
const run = promisify(execFile)
const columns = ['_kafka_partition', '_kafka_offset', 'id', 'city']

let warehouse: string
let fixture: RestCatalog
let engine: SqlEngine
beforeAll(async () => {
  warehouse = await mkdtemp(join(tmpdir(), 'moulin-warehouse-'))
  fixture = await restCatalog(pathToFileURL(warehouse).href)
  engine = await duckdb(fixture.uri)
}, INSTALLS_MS)
afterAll(async () => {
  await engine?.stop()
  await fixture?.stop()
  await rm(warehouse, { recursive: true, force: true })
})

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'moulin-rest-log-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** The log's own objects in one folder, the tables' files in another, their names in the fixture. */
function options(): EmbeddedOptions {
  return {
    catalog: client({ uri: fixture.uri }),
    stores: fileSystem({ root: warehouse }),
    allow: [pathToFileURL(warehouse).href],
    threads: 0,
  }
}

async function byPyiceberg(table: string): Promise<string[][]> {
  const script = fileURLToPath(new URL('pyiceberg_rows.py', import.meta.url))
  const { stdout } = await run(await python(), [script, fixture.uri, table, ...columns], { maxBuffer: 1 << 26 })
  return JSON.parse(stdout) as string[][]
}

describe('a log in a REST catalog', () => {
  it('is what was sent, in every state, to us and to others', { timeout: TEST_MS }, async () => {
    const book = new OrderBook(codecs.json)
    let log = await openLog(dir, options())
    const unbounded = { timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1 }
    const config = { value: codecs.json, partitions: PARTITIONS, table: 'shop.eu.orders', ...unbounded }
    let topic = await log.ensureTopic('orders', config)
    const none = [0n, 0n, 0n]
    let at: Standing = { changedBelow: none, released: none, frontier: none }
    for (let wave = 0; wave < 3; wave++) {
      await book.send(topic, WAVE)
      const { frontier } = await topic.tier()
      at = { ...at, frontier }
      if (wave === 1) {
        await log.releaseNow()
        at = { ...at, released: frontier }
      }
      await checkTopic(topic, book, unchanged, at)
    }
    await book.send(topic, WAVE)
    await checkTopic(topic, book, unchanged, at)
    expect(topic.stats().lineage).toEqual({ verdict: 'intact', evidence: null })
    await log.close()

    const { metadata } = await client({ uri: fixture.uri }).loadTable({ namespace: ['shop', 'eu'], name: 'orders' })
    expect(metadata.location).toBe(`${pathToFileURL(warehouse).href}/shop/eu/orders`)
    // The fixture has counted the fields anew, and the marker says so.
    const marker = Object.entries(metadata.properties!).find(([name]) => name.startsWith('moulin.'))![1]
    expect(marker).toContain('"fieldIds"')

    log = await openLog(dir, options())
    topic = await topicOf(log)
    await checkTopic(topic, book, unchanged, at)
    await book.send(topic, WAVE)
    const { frontier } = await topic.tier()
    await log.releaseNow()
    at = { ...at, frontier, released: frontier }
    await checkTopic(topic, book, unchanged, at)
    await log.close()

    const expected = rowsOfEngine(book, unchanged, at)
    expect(await byPyiceberg('shop.eu.orders')).toEqual(expected)

    const table = await openTable({
      catalog: client({ uri: fixture.uri }),
      stores: fileSystem({ root: warehouse }),
      table: 'shop.eu.orders',
    })
    expect(await table.count()).toBe(expected.length)
    await table.close()
  })

  it('shows itself on the command line', { timeout: TEST_MS }, async () => {
    const log = await openLog(dir, options())
    const topic = await log.ensureTopic('rides', { table: 'shop.rides' })
    const producer = topic.producer()
    for (let n = 0; n < 5; n++) await producer.send({ value: Buffer.from(`ride ${n}`) })
    await topic.tier()
    await log.close()
    const said = { out: '', err: '' }
    const moulin = async (...argv: string[]) => {
      said.out = said.err = ''
      const output = { out: (text: string) => (said.out += text), err: (text: string) => (said.err += text) }
      const flags = ['--catalog', fixture.uri, '--allow', pathToFileURL(warehouse).href]
      return { status: await runCommand([...argv, ...flags], output), ...said }
    }
    expect(await moulin('topics', dir)).toMatchObject({ status: 0, err: '' })
    expect(said.out).toContain('offsets 0 to 5, in the table below 5')
    expect(await moulin('audit', dir)).toMatchObject({
      status: 0,
      out: expect.stringContaining('rides: clean') as string,
    })
    expect(await moulin('attach', dir)).toMatchObject({
      status: 0,
      out: expect.stringContaining('rides: intact') as string,
    })
    expect(await moulin('scan', dir, 'rides', '--json')).toMatchObject({ status: 0 })
    expect(said.out.trim().split('\n')).toHaveLength(5)
    expect(await moulin('scan', 'shop.rides', '--json', '--columns', '_kafka_offset')).toMatchObject({
      status: 0,
      err: '',
    })
    expect(
      said.out
        .trim()
        .split('\n')
        .map((row) => Number((JSON.parse(row) as { _kafka_offset: string })._kafka_offset))
        .toSorted(),
    ).toEqual([0, 1, 2, 3, 4])
    // A file of this machine is read because it was allowed, and for no other reason.
    const output = { out: () => {}, err: (text: string) => (said.err += text) }
    expect(await runCommand(['scan', 'shop.rides', '--catalog', fixture.uri], output)).toBe(2)
    expect(said.err).toContain('--allow')
  })

  it('has every acked record once after its writer was killed, whenever that was', { timeout: TEST_MS }, async () => {
    const acked = new Map<number, string>()
    for (let kill = 0; kill < KILLS; kill++) {
      const child = spawn(process.execPath, [
        '--conditions=moulin-source',
        fileURLToPath(new URL('rest-writer.ts', import.meta.url)),
        ...[dir, fixture.uri, warehouse, String(kill)],
      ])
      const ended = once(child, 'exit')
      let tiers = 0
      for await (const line of createInterface({ input: child.stdout })) {
        const told = JSON.parse(line) as { readonly offset?: number; readonly value?: string }
        if (told.offset === undefined) tiers++
        else acked.set(told.offset, told.value!)
        // In mid-commit, as likely as not.
        if (tiers === 2 && told.offset !== undefined && told.offset % 7 === kill) child.kill('SIGKILL')
      }
      // Not by itself, over something that went wrong.
      expect(await ended).toEqual([null, 'SIGKILL'])
    }
    const log = await openLog(dir, { ...options(), takeover: 'newest', graceMs: 0 })
    const topic = await log.topic('killed')
    await topic.tier()
    await log.releaseNow()
    const found: string[] = []
    for await (const { offset, bytes } of topic.read({ partition: 0, to: 'end' })) {
      expect(Number(offset)).toBe(found.length)
      found.push(Buffer.from(bytes!).toString())
    }
    for (const [offset, value] of acked) expect(found[offset]).toBe(value)
    expect(new Set(found).size).toBe(found.length)
    expect((await topic.audit({ deep: true })).clean).toBe(true)
    await log.close()
    const rows = await engine.sql(`SELECT count(*), count(DISTINCT _kafka_offset) FROM lake.shop.killed`)
    expect(rows).toEqual([[String(found.length), String(found.length)]])
  })
})
