import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { avro, day, fileSystem, fileWal, isKind, openLog, schema, systemRuntime, t } from './index.ts'
import type { EmbeddedOptions, ErrorKind, Log } from './index.ts'

const Order = schema({ id: t.int53, city: t.string, placed_at: t.timestamptz })
const order = { id: 1, city: 'ams', placed_at: new Date('2026-11-25T12:00:00Z') }

let dir = ''
const open: Log[] = []
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'moulin-embedded-'))
})
afterEach(async () => {
  for (const log of open.splice(0)) await log.close()
  await rm(dir, { recursive: true })
})
async function opened(name: string, options: EmbeddedOptions = {}): Promise<Log> {
  const log = await openLog(join(dir, name), { threads: 0, ...options })
  open.push(log)
  return log
}
async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'it worked',
    (error: unknown) => error,
  )
}
const of = (kind: ErrorKind, sentence: RegExp) => (error: unknown) =>
  isKind(error, kind) && sentence.test(error.message)

describe('openLog of a folder', () => {
  it('refuses what is misspelt, of another type or empty, before anything is written', async () => {
    const lake = join(dir, 'lake')
    for (const options of [
      { acces: 'read-only' },
      { takeOver: 'newest' },
      { __proto__: null, toString: 1 },
      { grace: 1 },
    ]) {
      expect(await failure(openLog(lake, options as never))).toSatisfy(
        of('invalid', /has no option (acces|takeOver|toString|grace):/),
      )
    }
    expect(await failure(openLog(lake, { networkMount: 'never' as never }))).toSatisfy(
      of('invalid', /networkMount never/),
    )
    expect(await failure(openLog(lake, { graceMs: '5' as never }))).toSatisfy(of('invalid', /graceMs 5/))
    for (const place of ['', 5, undefined, null, {}, new URL('file:///lake')]) {
      expect(await failure(openLog(place as never)), String(place)).toSatisfy(of('invalid', /folder/))
    }
    const parts = { store: fileSystem({ root: lake }), wal: fileWal({ dir: lake }), graceMS: 1 }
    expect(await failure(openLog(parts as never))).toSatisfy(of('invalid', /has no option graceMS/))
    expect(await readdir(dir)).not.toContain('other')
    const log = await opened('other')
    expect(await failure(log.ensureTopic(7 as never))).toSatisfy(of('invalid', /topic name 7/))
  })

  it('creates the folder with the layout of the design, and reopens it', async () => {
    const log = await opened('a/lake')
    const orders = await log.ensureTopic('orders', {
      value: avro(Order),
      table: 'shop.orders',
      partitionBy: [day('placed_at')],
    })
    await orders.producer().send({ key: 'ams', value: order })
    await orders.tier()
    await log.close()
    expect((await readdir(join(dir, 'a/lake'))).sort()).toEqual(['.moulin-tmp', 'log', 'moulin.json', 'tables'])
    expect((await readdir(join(dir, 'a/lake/log'))).sort()).toEqual([
      'checkpoints',
      'epochs',
      'probe',
      'schemas',
      'staged',
      'topics',
      'wal',
    ])
    for (const emptied of ['probe', 'staged']) {
      const entries = await readdir(join(dir, 'a/lake/log', emptied), { recursive: true, withFileTypes: true })
      expect(entries.filter((entry) => entry.isFile())).toEqual([])
    }
    expect(await readFile(join(dir, 'a/lake/tables/shop/orders/metadata/version-hint.text'), 'utf8')).toMatch(/^\d+$/)
    const again = await opened('a/lake')
    const records = []
    for await (const record of (await again.topic('orders')).read({ to: 'end' })) records.push(record.value)
    expect(records).toEqual([order])
    expect(again.durability).toBe('disk')
  })

  it('refuses a folder that holds something else, and leaves it alone', async () => {
    await mkdir(join(dir, 'thesis'))
    await writeFile(join(dir, 'thesis/chapter.txt'), 'mine')
    expect(await failure(opened('thesis'))).toSatisfy((e) => isKind(e, 'exists') || isKind(e, 'invalid'))
    expect(await readdir(join(dir, 'thesis'))).toEqual(['chapter.txt'])
  })

  it.each([
    ['a hash', 'a#b'],
    ['a question mark', 'x/why?/lake'],
    ['a quote', 'the "lake"'],
    ['a line break', 'a\nb'],
    ['a zero', 'a\0b'],
    ['half a surrogate pair', 'a\ud83d'],
  ])('refuses %s in the path before anything is made', async (_what, name) => {
    await mkdir(join(dir, 'a\ufffd'))
    const before = await readdir(dir, { recursive: true })
    for (const access of ['read-write', 'read-only'] as const)
      expect(await failure(opened(name, { access }))).toSatisfy((e) => isKind(e, 'invalid', 'ROOT'))
    expect(await readdir(dir, { recursive: true })).toEqual(before)
  })

  it('refuses a path that leads by a link into such a folder, also to one that is not there yet', async () => {
    await mkdir(join(dir, 'real#'))
    await symlink(join(dir, 'real#'), join(dir, 'link'))
    for (const name of ['link', 'link/deep/lake']) {
      expect(await failure(opened(name))).toSatisfy(of('invalid', /real#/))
      expect(await readdir(dir, { recursive: true })).toEqual(['link', 'real#'])
    }
  })

  it('refuses a moved folder with both paths', async () => {
    await (await opened('here')).close()
    await rename(join(dir, 'here'), join(dir, 'there'))
    const error = await failure(opened('there'))
    expect(error).toSatisfy(of('invalid', /here/))
    expect(error).toSatisfy(of('invalid', /there/))
  })

  it('refuses to be written twice at once, and is read beside its writer', async () => {
    const log = await opened('lake')
    const orders = await log.ensureTopic('orders', { value: avro(Order) })
    await orders.producer().send({ value: order })
    expect(await failure(opened('lake'))).toSatisfy((e) => isKind(e, 'conflict', 'WRITER_ALIVE'))
    const reader = await opened('lake', { access: 'read-only' })
    const topic = await reader.topic('orders')
    expect(await topic.scan().count()).toBe(1)
    expect(() => topic.producer()).toThrow(/read/)
  })

  it('says that there is no log where none is', async () => {
    expect(await failure(opened('nowhere', { access: 'read-only' }))).toSatisfy(of('not-found', /nowhere/))
    expect(await readdir(dir)).toEqual([])
  })

  it('names a format from the future', async () => {
    await (await opened('lake')).close()
    const path = join(dir, 'lake/moulin.json')
    const identity = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
    await writeFile(path, JSON.stringify({ ...identity, format: 99, minimumReader: 99 }))
    expect(await failure(opened('lake'))).toSatisfy(of('unsupported', /99/))
  })

  it('does not overtake an existing table that is not its own', async () => {
    const log = await opened('lake')
    await log.ensureTopic('orders', { value: avro(Order), table: 'shop.orders' })
    expect(await failure(log.ensureTopic('other', { value: avro(Order), table: 'shop.orders' }))).toSatisfy(
      (e) => isKind(e, 'exists') || isKind(e, 'conflict'),
    )
  })

  it('refuses a network mount unless told otherwise', async () => {
    const runtime = systemRuntime()
    const remote = { ...runtime, files: { ...runtime.files, mountOf: async () => 'network' as const } }
    expect(await failure(opened('lake', { runtime: remote }))).toSatisfy((e) =>
      isKind(e, 'unsupported', 'NETWORK_MOUNT'),
    )
    expect((await opened('lake', { runtime: remote, networkMount: 'allow' })).access).toBe('read-write')
  })
})

describe('the option deltas of openLog', () => {
  it.each(['yes', 0, null])('refuses %j before anything is written', async (deltas) => {
    expect(await failure(opened('typed', { deltas: deltas as never }))).toSatisfy(
      of('invalid', /deltas.*true or false/),
    )
  })

  it('decides how large integers of a table are encoded: plain by default', async () => {
    const sizes: number[] = []
    for (const options of [{}, { deltas: false }, { deltas: true }] as const) {
      const name = `deltas-${sizes.length}`
      const log = await opened(name, options)
      const counts = await log.ensureTopic('counts', { value: avro(schema({ n: t.long })), table: 'lake.counts' })
      const value = (at: number): { n: bigint } => ({ n: BigInt(at) * 1_000_003n })
      await counts.producer().sendAll(Array.from({ length: 20_000 }, (_, at) => ({ value: value(at) })))
      await counts.tier()
      await log.close()
      const folder = join(dir, name, 'tables/lake/counts/data')
      const files = (await readdir(folder)).map(async (file) => (await readFile(join(folder, file))).length)
      sizes.push((await Promise.all(files)).reduce((sum, size) => sum + size, 0))
    }
    const [usual, plain, deltas] = sizes
    expect(Math.abs(usual! - plain!) / plain!).toBeLessThan(0.1)
    expect(deltas!).toBeLessThan(plain! * 0.8)
  })
})
