/** Stored JSON in which something else stands than what belongs there: refused by name, or of no matter, and never asked anything. */
import { objectStoreCatalog } from '@moulin/catalog'
import { isKind, isMoulinError, schema, stringifyJson, t, type Files, type Log } from '@moulin/core'
import { avro } from '@moulin/format'
import { icebergTier } from '@moulin/lake'
import { fileSystem } from '@moulin/storage'
import type { VirtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { LAKE, machine, openIn } from './log/machine.ts'

const isLong = process.env['MOULIN_LONG'] === '1'
/** Without the long lane one case of so many, another with every member of an object. */
const EVERY = isLong ? 3 : 41

const value = avro(schema({ id: t.int53, name: t.string.optional() }))

async function openLake(runtime: VirtualRuntime, access: 'read-write' | 'read-only'): Promise<Log> {
  const store = fileSystem({ root: LAKE, files: runtime.files })
  const catalog = objectStoreCatalog({ store, prefix: 'tables/', runtime, access })
  return openIn(runtime, { access, tier: icebergTier({ catalog, threads: 0 }), graceMs: 0, catalogWaitMs: 60_000 })
}

type Stored = ReadonlyMap<string, Uint8Array>

async function allFiles(files: Files, folder: string, found = new Map<string, Uint8Array>()): Promise<Stored> {
  for (const { name, kind } of await files.readdir(folder)) {
    const path = `${folder}/${name}`
    if (kind === 'directory') {
      await allFiles(files, path, found)
      continue
    }
    const handle = await files.open(path, 'read')
    found.set(path, await handle.read(0, await handle.size()))
    await handle.close()
  }
  return found
}

/** A disk of that content, of another machine. */
async function restored(stored: Stored): Promise<VirtualRuntime> {
  const runtime = machine(2).runtime()
  const { files } = runtime
  for (const [path, bytes] of stored) {
    await files.mkdir(path.slice(0, path.lastIndexOf('/')), { recursive: true })
    const handle = await files.open(path, 'create')
    await handle.writev([bytes], 0)
    await handle.close()
  }
  return runtime
}

/** Everything that a log keeps of itself: two topics, hot and tiered records, a commit that is staged. */
async function lake(): Promise<Stored> {
  const runtime = machine().runtime()
  const log = await openLake(runtime, 'read-write')
  const orders = await log.createTopic('orders', { value, partitions: 2 })
  const producer = orders.producer({ lingerMs: 0 })
  await producer.sendAll(Array.from({ length: 20 }, (_, id) => ({ key: `k${id % 3}`, value: { id } })))
  await orders.tier()
  await log.releaseNow()
  await producer.sendAll([{ value: { id: 20 } }, { value: { id: 21 } }])
  await (await log.createTopic('raw')).producer({ lingerMs: 0 }).send({ value: new Uint8Array([1]) })
  await log.close()
  const stored = new Map(await allFiles(runtime.files, LAKE))
  const commit = '33333333-3333-4333-8333-333333333333'
  const staged = {
    format: 1,
    minimumReader: 1,
    commit,
    topic: orders.id,
    table: 'default.orders',
    tableUuid: 'x',
    epoch: '1',
    parent: '7',
    objectPrefixes: [`file://${LAKE}/tables/default/orders/data/${commit}-`],
    ledger: null,
    ranges: [['0', '0', '1']],
  }
  const audited = {
    format: 1,
    minimumReader: 1,
    topic: orders.id,
    snapshot: '7',
    timeMs: 1_700_000_000_000,
    deleted: [[0, 1, '0', '9', '4', [['2', '4']]]],
  }
  const bytesOf = (json: object): Uint8Array => new TextEncoder().encode(stringifyJson(json))
  return stored
    .set(`${LAKE}/log/staged/${orders.id}/${commit}.json`, bytesOf(staged))
    .set(`${LAKE}/log/audits/${orders.id}`, bytesOf(audited))
}

/** All places in a JSON value. */
function* placesOf(json: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  if (path.length > 0) yield path
  if (typeof json !== 'object' || json === null) return
  for (const [key, member] of Object.entries(json)) yield* placesOf(member, [...path, key])
}

/** The text with another one for the value at a place. */
function replaced(json: unknown, path: readonly string[], text: string): string {
  if (path.length === 0) return text
  const inner = (key: string, member: unknown): string =>
    key === path[0] ? replaced(member, path.slice(1), text) : JSON.stringify(member)
  if (Array.isArray(json)) return `[${json.map((member, at) => inner(String(at), member)).join()}]`
  const members = Object.entries(json as object).map(([key, member]) => `${JSON.stringify(key)}:${inner(key, member)}`)
  return `{${members.join()}}`
}

const hostile = [
  '{"toString":""}',
  '{"__proto__":{"toString":""},"constructor":1,"valueOf":null}',
  '[{"toString":""}]',
  '"constructor"',
  '-1',
  'null',
  '1e400',
]

/** All that an application does with a log. */
async function useAll(runtime: VirtualRuntime, access: 'read-write' | 'read-only', faults: unknown[]): Promise<void> {
  const noted = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      faults.push(error)
    }
  }
  await noted(async () => {
    const log = await openLake(runtime, access)
    try {
      await noted(() => log.topics())
      expect(isKind(await log.topic('constructor').catch((error: unknown) => error), 'not-found')).toBe(true)
      for (const name of ['orders', 'raw']) {
        await noted(async () => {
          const topic = await log.topic(name)
          for await (const _ of topic.read({ to: 'end' }));
          await noted(() => topic.scan().toArray())
          await noted(() => topic.audit({ deep: true }))
          await noted(() => topic.judgeTable())
          if (access === 'read-write') await noted(() => topic.tier())
          topic.stats()
        })
      }
      if (access === 'read-write') await noted(() => log.createTopic('another', { value }))
    } finally {
      await log.close()
    }
  })
}

describe('stored JSON', () => {
  it('may hold anything in any place', { timeout: 1_200_000 }, async () => {
    const stored = await lake()
    const names = [...stored.keys()].filter((path) => path.endsWith('.json') || path.includes('/log/audits/'))
    expect(names.length).toBeGreaterThan(8)
    let cases = 0
    let refused = 0
    const sane: unknown[] = []
    for (const access of ['read-only', 'read-write'] as const) await useAll(await restored(stored), access, sane)
    expect(sane).toEqual([])
    for (const name of names) {
      const json = JSON.parse(new TextDecoder().decode(stored.get(name))) as unknown
      for (const path of placesOf(json)) {
        for (const text of hostile) {
          if (cases++ % EVERY > 0) continue
          const where = `${name} ${path.join('.')} = ${text}`
          const bytes = new TextEncoder().encode(replaced(json, path, text))
          for (const access of ['read-only', 'read-write'] as const) {
            const runtime = await restored(new Map(stored).set(name, bytes))
            const faults: unknown[] = []
            await useAll(runtime, access, faults)
            const told = runtime.logs.flatMap(({ fields }) => ('err' in fields ? [fields.err] : []))
            for (const error of [...faults, ...told]) {
              expect(isMoulinError(error) && error.kind !== 'internal', `${access}: ${where}: ${print(error)}`).toBe(
                true,
              )
            }
            if (faults.length > 0) refused++
          }
        }
      }
    }
    // It would say nothing if all of it were ignored, or nothing could be.
    expect(refused).toBeGreaterThan(cases / EVERY / 4)
    expect(refused).toBeLessThan((cases / EVERY) * 1.9)
  })
})

const print = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : 'no error')
