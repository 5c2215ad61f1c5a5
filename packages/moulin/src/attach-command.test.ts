import { cpSync, rmSync } from 'node:fs'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { objectStoreCatalog } from '@moulin/catalog'
import { systemRuntime, tableIdentifier } from '@moulin/core'
import type { Int64, TableUpdate } from '@moulin/core'
import { fileSystem } from '@moulin/storage'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCommand } from './cli-program.ts'
import { openLog } from './index.ts'

const runtime = systemRuntime()
let dir = ''
beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), 'moulin-attach-'))))
afterEach(() => rm(dir, { recursive: true }))

const lake = (): string => join(dir, 'lake')
const tableFolder = (): string => join(lake(), 'tables/default/rides')

async function run(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  const seen = { out: '', err: '' }
  const output = { out: (text: string) => (seen.out += text), err: (text: string) => (seen.err += text) }
  const status = await runCommand(argv, output)
  return { status, ...seen }
}

/** Two commits of the topic `rides`, two records each and all released, beside a topic without any. */
async function lakeOf(): Promise<void> {
  const log = await openLog(lake(), { threads: 0, graceMs: 0 })
  await log.ensureTopic('bikes')
  const topic = await log.ensureTopic('rides')
  const producer = topic.producer({ lingerMs: 0 })
  for (const text of ['one', 'two', 'three', 'four']) {
    await producer.send({ value: Buffer.from(text) })
    if (text !== 'two' && text !== 'four') continue
    await topic.tier()
    await log.releaseNow()
  }
  await log.close()
}

/** What somebody else does to the table, who is told the names of its markers and the id of its first snapshot. */
async function edit(update: (markers: string[], first: Int64) => TableUpdate[]): Promise<void> {
  const store = fileSystem({ root: lake(), files: runtime.files })
  const catalog = objectStoreCatalog({ store, prefix: 'tables/', runtime })
  const { metadata } = await catalog.loadTable(tableIdentifier('default.rides'))
  const markers = Object.keys(metadata.properties ?? {}).filter((name) => name.startsWith('moulin.'))
  const updates = update(markers, metadata.snapshots![0]!['snapshot-id'])
  await catalog.commitTable(tableIdentifier('default.rides'), { requirements: [], updates })
}

/** SQL sets main back to the first commit's snapshot. */
const rollBack = (): Promise<void> =>
  edit((_, first) => [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': first }])

/** And then there is a snapshot that says the same. */
async function again(): Promise<void> {
  const store = fileSystem({ root: lake(), files: runtime.files })
  const catalog = objectStoreCatalog({ store, prefix: 'tables/', runtime })
  const { metadata } = await catalog.loadTable(tableIdentifier('default.rides'))
  const first = metadata.snapshots![0]!
  await edit(() => [
    {
      action: 'add-snapshot',
      snapshot: {
        ...first,
        'snapshot-id': 4711,
        'parent-snapshot-id': first['snapshot-id'],
        'sequence-number': Number(metadata['last-sequence-number']) + 1,
        'timestamp-ms': metadata['last-updated-ms'],
      },
    },
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 4711 },
  ])
}

async function contents(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Object.fromEntries(
    await Promise.all(files.sort().map(async (file) => [file, (await readFile(file)).toString('base64')] as const)),
  )
}

async function recordsOf(): Promise<string[]> {
  const log = await openLog(lake(), { threads: 0, access: 'read-only' })
  try {
    const texts: string[] = []
    const topic = await log.topic('rides')
    for await (const { offset, bytes } of topic.read({ to: 'end' })) {
      texts.push(`${offset}:${Buffer.from(bytes!).toString()}`)
    }
    return texts
  } finally {
    await log.close()
  }
}

describe('moulin attach', () => {
  it('says of a table whose data is gone that it is broken, and which offsets are in doubt', async () => {
    await lakeOf()
    await rm(join(tableFolder(), 'data'), { recursive: true })
    const { status, out } = await run('attach', lake(), 'rides', '--adopt')
    expect(status).toBe(2)
    for (const text of [
      'rides: broken (missing-files)',
      'in doubt: 0 to 4 in',
      'from a backup',
      'it cannot be adopted',
    ])
      expect(out).toContain(text)
  })

  it('says of a table whose newest metadata was cut short that it is broken, and exits 2', async () => {
    await lakeOf()
    const folder = join(tableFolder(), 'metadata')
    const newest = Math.max(...(await readdir(folder)).map((name) => Number(/^v(\d+)\.metadata/.exec(name)?.[1] ?? 0)))
    const path = join(folder, `v${newest}.metadata.json`)
    await writeFile(path, (await readFile(path)).subarray(0, 100))
    const { status, out, err } = await run('attach', lake(), '--adopt')
    expect([status, err]).toEqual([2, ''])
    expect(out).toMatch(/^bikes: intact$/m)
    expect(out).toMatch(/^rides: broken \(unreadable-metadata\)$/m)
    expect(out).toMatch(/in doubt: 0 to 4 in .*\n {2}what to do: Put the metadata back.*\n {2}it cannot be adopted$/m)
  })

  it('says that a log has no topics', async () => {
    await (await openLog(lake(), { threads: 0 })).close()
    expect(await run('attach', lake())).toEqual({ status: 0, out: 'This log has no topics.\n', err: '' })
    expect(await run('attach', lake(), '--json')).toEqual({ status: 0, out: '', err: '' })
  })

  it('says which topics there are where one is asked for that is not', async () => {
    await lakeOf()
    const { status, out, err } = await run('attach', lake(), 'ride')
    expect([status, out]).toEqual([2, ''])
    expect(err).toMatch(/There is no topic ride in .*: it has bikes, rides\.\n/)
  })

  it('says of sound tables by which evidence, exits 0 and writes nothing, beside a writer too', async () => {
    await lakeOf()
    const before = await contents(lake())
    const { status, out, err } = await run('attach', lake())
    expect([status, err]).toEqual([0, ''])
    expect(out).toMatch(
      /^bikes: intact\n {2}table default.bikes, without a snapshot\n {2}evidence: .*\n {2}files: none\nrides: intact\n {2}table default.rides, snapshot \d+\n {2}evidence: snapshot \d+ of the last commit is the current one\n {2}files: 5 looked for by name and size, all there; none opened\n$/,
    )
    const json = await run('attach', lake(), 'rides', '--json')
    expect(JSON.parse(json.out)).toMatchObject({ topic: 'rides', verdict: 'intact', fault: null, inDoubt: [] })
    expect(await run('attach', lake(), 'rides', '--adopt', '--yes')).toMatchObject({ status: 0 })
    expect(await contents(lake())).toEqual(before)
    const log = await openLog(lake(), { threads: 0 })
    expect(await run('attach', lake())).toMatchObject({ status: 0, err: '' })
    await log.close()
  })

  it('says of a broken one what is in doubt and what to do, and exits 2', async () => {
    await lakeOf()
    await rollBack()
    const { status, out, err } = await run('attach', lake())
    expect([status, err]).toEqual([2, ''])
    expect(out).toMatch(/^bikes: intact$/m)
    expect(out).toMatch(/^rides: broken \(left-main\)$/m)
    expect(out).toMatch(
      /^ {2}evidence: snapshot \d+ of the marker is not on main: .*\n {2}files: not looked for\n {2}in doubt: 0 to 4 in incarnation 0 partition 0\n {2}what to do: .*main.*$/m,
    )
    expect(out).not.toMatch(/adopting it/)
    const json = (await run('attach', lake(), 'rides', '--json')).out
    expect(JSON.parse(json)).toMatchObject({
      verdict: 'broken',
      fault: 'left-main',
      inDoubt: [{ partition: 0, from: '0', to: '4' }],
      adoption: null,
    })
  })

  it('says of data files that are gone which offsets are lost with them, and exits 2', async () => {
    await lakeOf()
    const [gone] = (await readdir(join(tableFolder(), 'data'))).sort()
    await rm(join(tableFolder(), 'data', gone!))
    const { status, out, err } = await run('attach', lake(), 'rides', '--adopt')
    expect([status, err]).toEqual([2, ''])
    const [, from, to] = /^ {2}in doubt: (\d) to (\d) in incarnation 0 partition 0$/m.exec(out)!
    expect(['0 to 2', '2 to 4']).toContain(`${from} to ${to}`)
    expect(out).toMatch(/^rides: broken \(missing-files\)$/m)
    expect(out).toMatch(
      new RegExp(`^ {2}evidence: of 5 files .* 1 cannot be read: .*${gone} \\(it is not there\\)$`, 'm'),
    )
    expect(out).toMatch(
      new RegExp(
        `^ {2}files: 5 looked for by name and size, 1 missing; none opened\n {4}missing: .*${gone}: it is not there$`,
        'm',
      ),
    )
    expect(out).toMatch(/^ {2}what to do: .*backup.*\n {2}it cannot be adopted\n$/m)
    const { out: json } = await run('attach', lake(), 'rides', '--json')
    expect(JSON.parse(json)).toMatchObject({ fault: 'missing-files', files: { missingCount: 1, held: [] } })
  })

  it('says of data files that are gone whose records the log still has that opening it puts them back', async () => {
    const log = await openLog(lake(), { threads: 0 })
    const topic = await log.ensureTopic('rides')
    await topic.producer({ lingerMs: 0 }).send({ value: Buffer.from('one') })
    await topic.tier()
    await log.close()
    const [gone] = await readdir(join(tableFolder(), 'data'))
    await rm(join(tableFolder(), 'data', gone!))
    const { status, out } = await run('attach', lake(), 'rides')
    expect(status).toBe(0)
    expect(out).toMatch(/^rides: intact$/m)
    expect(out).toMatch(
      /^ {4}the write-ahead tier still has: 0 to 1 in incarnation 0 partition 0\n {2}what to do: Open the log for writing/m,
    )
  })

  it('prints with --adopt what adopting would do and changes nothing, and with --yes does just that', async () => {
    await lakeOf()
    await rollBack()
    const before = await contents(lake())
    const asked = await run('attach', lake(), '--adopt')
    expect(asked).toMatchObject({ status: 2, err: '' })
    expect(asked.out).toContain(
      '  adopting it, the ledger would be counted anew: 2 rows, 2 offsets without one\n' +
        '    partition 0 would go on at 4\n' +
        '    a gap: 2 to 4 in incarnation 0 partition 0\n' +
        'Run with --yes to do exactly this.\n',
    )
    expect(await contents(lake())).toEqual(before)
    const done = await run('attach', lake(), '--adopt', '--yes')
    expect(done).toMatchObject({ status: 0, err: '' })
    expect(done.out).toBe(asked.out.replace('Run with --yes to do exactly this.', 'rides: adopted'))
    expect(await run('attach', lake(), 'rides')).toMatchObject({ status: 0 })
    expect(await run('audit', lake(), 'rides', '--deep')).toMatchObject({ status: 0 })
    expect(await recordsOf()).toEqual(['0:one', '1:two'])
  })

  it('finds a log that is older than its table, which reading alone does not tell', async () => {
    await lakeOf()
    await cp(join(lake(), 'log'), join(dir, 'early'), { recursive: true })
    const log = await openLog(lake(), { threads: 0 })
    const topic = await log.topic('rides')
    await topic.producer({ lingerMs: 0 }).send({ value: Buffer.from('lost') })
    await topic.tier()
    await log.close()
    await rm(join(lake(), 'log'), { recursive: true })
    await cp(join(dir, 'early'), join(lake(), 'log'), { recursive: true })
    const { status, out } = await run('attach', lake(), 'rides', '--adopt')
    expect(status).toBe(2)
    expect(out).toMatch(/^rides: broken \(log-behind-table\)$/m)
    expect(out).toMatch(/^ {2}the log has not: 4 to 5 in incarnation 0 partition 0$/m)
    expect(out).toMatch(
      /^ {2}adopting it, the topic would go on in incarnation 1\n {4}partition 0 would go on at 1048581$/m,
    )
    const done = await run('attach', lake(), 'rides', '--adopt', '--yes', '--json')
    expect(done).toMatchObject({ status: 0, err: '' })
    const [verdict, adopted] = done.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(verdict).toMatchObject({ topic: 'rides', verdict: 'broken', ahead: [{ from: '4', to: '5' }] })
    expect(adopted).toMatchObject({ topic: 'rides', adopted: { outcome: 'next-incarnation', frontier: ['1048581'] } })
    expect(await run('attach', lake())).toMatchObject({ status: 0 })
    expect(await recordsOf()).toEqual(['0:one', '1:two', '2:three', '3:four', '4:lost'])
  })

  it.each([
    ['put right', async () => {}],
    ['broken as much, at another snapshot', () => rollBack().then(again)],
    ['broken in another way', () => edit((markers) => [{ action: 'remove-properties', removals: markers }])],
  ])('adopts nothing where the table was %s since it was printed', async (_what, meanwhile) => {
    await lakeOf()
    await cp(tableFolder(), join(dir, 'first'), { recursive: true })
    await meanwhile()
    await cp(tableFolder(), join(dir, 'then'), { recursive: true })
    const put = (name: string): void => {
      rmSync(tableFolder(), { recursive: true })
      cpSync(join(dir, name), tableFolder(), { recursive: true })
    }
    put('first')
    await rollBack()
    let err = ''
    const status = await runCommand(['attach', lake(), '--adopt', '--yes'], {
      out: (text) => (text.includes('a gap:') ? put('then') : undefined),
      err: (text) => void (err += text),
    })
    expect(status).toBe(2)
    expect(err).toMatch(/^moulin: .*rides.*nothing was adopted.*\n$/)
    put('first')
    expect(await run('attach', lake())).toMatchObject({ status: 0 })
  })

  it('says in a sentence what has no verdict', async () => {
    await lakeOf()
    expect(await run('attach', lake(), 'trams')).toMatchObject({
      status: 2,
      out: '',
      err: expect.stringMatching(/^moulin: .*trams.*\n$/),
    })
    expect(await run('attach', lake(), '--yes')).toMatchObject({ status: 2, err: expect.stringMatching(/--adopt/) })
    await rm(join(tableFolder(), 'metadata'), { recursive: true })
    const { status, out, err } = await run('attach', lake())
    expect(status).toBe(2)
    expect(out).toMatch(/^bikes: intact$/m)
    expect(`${out}${err}`).toMatch(/rides/)
  })
})
