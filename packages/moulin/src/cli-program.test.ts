import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand } from './cli-program.ts'
import { avro, openLog, schema, t } from './index.ts'

interface Version {
  readonly version: string
}

const Order = schema({ id: t.long, city: t.string.optional(), placed_at: t.timestamptz, blob: t.binary.optional() })

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'moulin-cli-'))
  const log = await openLog(join(dir, 'lake'), { threads: 0 })
  const orders = await log.ensureTopic('orders', { value: avro(Order), partitions: 2 })
  const producer = orders.producer()
  const placed_at = new Date('2026-11-25T12:00:00Z')
  await producer.send({ partition: 0, value: { id: 2n ** 60n, city: 'a\tb', placed_at, blob: Uint8Array.of(255) } })
  await orders.tier()
  await producer.send({ partition: 1, value: { id: 2n, placed_at } })
  await log.ensureTopic('empty')
  await log.close()
})
afterAll(() => rm(dir, { recursive: true }))

async function run(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  const seen = { out: '', err: '' }
  const status = await runCommand(argv, {
    out: (text) => (seen.out += text),
    err: (text) => (seen.err += text),
  })
  return { status, ...seen }
}

describe('moulin topics', () => {
  it('tells each topic with its offsets', async () => {
    const { status, out } = await run('topics', join(dir, 'lake'))
    expect(status).toBe(0)
    expect(out).toContain('orders  (table default.orders, 2 partitions')
    expect(out).toContain('partition 0: offsets 0 to 1, in the table below 1')
    expect(out).toContain('partition 1: offsets 0 to 1, in the table below 0')
    expect(out).toContain('empty')
  })

  it('gives one JSON object per topic', async () => {
    const { out } = await run('topics', join(dir, 'lake'), '--json')
    const topics = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { name: string; partitions: object[] })
    expect(topics.map(({ name }) => name)).toEqual(['empty', 'orders'])
    expect(topics[1]!.partitions).toHaveLength(2)
  })
})

describe('moulin scan', () => {
  it('prints table and hot rows alike, every value whole', async () => {
    const { status, out } = await run('scan', join(dir, 'lake'), 'orders', '--json')
    expect(status).toBe(0)
    expect(out.trim().split('\n').sort()).toEqual([
      '{"id":"1152921504606846976","city":"a\\tb","placed_at":"2026-11-25T12:00:00.000Z","blob":"/w=="}',
      '{"id":"2","city":null,"placed_at":"2026-11-25T12:00:00.000Z","blob":null}',
    ])
  })

  it('projects, limits, and keeps a row on its line', async () => {
    const { out } = await run('scan', join(dir, 'lake'), 'orders', '--columns', 'city,_kafka_offset', '--limit', '1')
    expect(out).toBe('city\t_kafka_offset\na b\t0\n')
  })

  it('names an unknown column', async () => {
    const { status, err } = await run('scan', join(dir, 'lake'), 'orders', '--columns', 'town')
    expect(status).toBe(2)
    expect(err).toMatch(/^moulin: .*town.*\n$/)
  })
})

describe('values that JSON has no word for', () => {
  const Odd = schema({
    ns: t.long,
    share: t.double,
    tags: t.map(t.string, t.long),
    legs: t.list(t.struct({ at: t.timestamptz.micros, extras: t.map(t.int, t.binary.optional()) })),
  })
  const odd = {
    ns: -9_223_372_036_854_775_808n,
    share: NaN,
    tags: new Map([
      ['b', 3n],
      ['a', 9_007_199_254_740_993n],
    ]),
    legs: [
      {
        at: 7n,
        extras: new Map([
          [5, Uint8Array.of(1)],
          [6, null],
        ]),
      },
    ],
  }
  const inJson = {
    ns: '-9223372036854775808',
    share: 'NaN',
    tags: [
      { key: 'b', value: '3' },
      { key: 'a', value: '9007199254740993' },
    ],
    legs: [
      {
        at: '7',
        extras: [
          { key: 5, value: 'AQ==' },
          { key: 6, value: null },
        ],
      },
    ],
  }

  it('are printed whole, and the same from the table', async () => {
    const lake = join(dir, 'odd')
    const log = await openLog(lake, { threads: 0 })
    const topic = await log.ensureTopic('odd', { value: avro(Odd) })
    await topic.producer().send({ value: odd })
    await topic.tier()
    await topic.producer().send({ value: odd })
    await log.close()
    const lines = (await run('scan', lake, 'odd', '--json')).out.trim().split('\n')
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([inJson, inJson])
    const cells = (await run('scan', lake, 'odd', '--columns', 'ns,tags')).out.split('\n')[1]
    expect(cells).toBe(`-9223372036854775808\t${JSON.stringify(inJson.tags)}`)
    const [facts] = (await run('topics', lake, '--json')).out.trim().split('\n')
    expect(JSON.parse(facts!)).toMatchObject({ partitions: [{ highWatermark: '2', frontier: '1' }] })
  })
})

describe('a topic that cannot be shown', () => {
  it('is told, and the others are shown', async () => {
    const lake = join(dir, 'partly')
    const log = await openLog(lake, { threads: 0 })
    for (const name of ['a', 'b', 'c']) {
      const topic = await log.ensureTopic(name)
      await topic.producer().send({ value: Uint8Array.of(1) })
      await topic.tier()
    }
    await log.close()
    await writeFile(join(lake, 'log/topics/b/0000000001.json'), '{"format":1')
    for (const argv of [
      ['topics', lake],
      ['topics', lake, '--json'],
      ['audit', lake],
      ['audit', lake, '--json', '--deep'],
    ]) {
      const { status, out, err } = await run(...argv)
      expect(status).toBe(2)
      expect(out).toMatch(/^a\b|"a"/m)
      expect(out).toMatch(/^c\b|"c"/m)
      expect(err).toMatch(/^moulin: .*\bb\b.*\n$/)
    }
  })
})

describe('a reader who has enough', () => {
  it('ends a scan and a list of topics, which is no error', async () => {
    for (const argv of [
      ['scan', join(dir, 'lake'), 'orders'],
      ['topics', join(dir, 'lake')],
    ]) {
      const lines: string[] = []
      const output = { out: (text: string) => void lines.push(text), err: expect.unreachable, isClosed: true }
      expect(await runCommand(argv, output)).toBe(0)
      expect(lines.length).toBeLessThan(3)
    }
  })
})

it('moulin --version prints that of the package', async () => {
  const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as Version
  expect(await run('--version')).toEqual({ status: 0, out: `${version}\n`, err: '' })
})

describe('moulin audit', () => {
  it('exits 0 when every table equals its ledger', async () => {
    expect(await run('audit', join(dir, 'lake'))).toMatchObject({
      status: 0,
      out: expect.stringContaining('orders: clean') as string,
    })
    const { out } = await run('audit', join(dir, 'lake'), 'orders', '--json')
    expect(JSON.parse(out)).toMatchObject({ topic: 'orders', clean: true, deep: null })
    expect((await run('audit', join(dir, 'lake'), '--deep')).out).toContain('files of others: 0 with 0 rows checked')
    const deep = await run('audit', join(dir, 'lake'), 'orders', '--deep', '--json')
    expect(JSON.parse(deep.out)).toMatchObject({ clean: true, deep: { files: 0, altered: [], moved: [], doubled: [] } })
  })
})

describe('moulin repair', () => {
  /** A log of three acked records, the second one's bytes changed; it was closed, so its checkpoint knows of all three. */
  async function damaged(name: string, isTiered = false): Promise<string> {
    const lake = join(dir, name)
    const log = await openLog(lake, { threads: 0 })
    const topic = await log.ensureTopic('rides')
    const producer = topic.producer({ lingerMs: 0 })
    for (const value of ['one', 'second', 'three']) {
      await producer.send({ value: new TextEncoder().encode(value) })
      if (isTiered && value === 'second') await topic.tier()
    }
    await log.close()
    const segment = join(lake, 'log/wal/epoch-1/0000000001.wal')
    const bytes = await readFile(segment)
    bytes[bytes.indexOf('second') + 2]! ^= 1
    await writeFile(segment, bytes)
    return lake
  }

  it('has nothing to say of a sound log', async () => {
    expect(await run('repair', join(dir, 'lake'), '--yes')).toEqual({ status: 0, out: 'nothing is damaged\n', err: '' })
  })

  it('prints what it would give up and changes nothing, does just that when told to, and the log opens', async () => {
    const lake = await damaged('bit')
    expect(await run('topics', lake)).toMatchObject({
      status: 2,
      err: expect.stringMatching('moulin repair') as string,
    })
    const before = await snapshot(lake)
    const plan = await run('repair', lake)
    expect(plan).toMatchObject({ status: 1, err: '' })
    expect(plan.out).toContain('0000000001.wal at position ')
    expect(plan.out).toContain(
      'GIVEN UP: rides partition 0, offsets 1 to 2, 1 whole sections behind the damage among them',
    )
    expect(JSON.parse((await run('repair', lake, '--json')).out)).toMatchObject({
      isNeeded: true,
      damages: [{ remedy: 'set aside' }],
      givenUp: [{ topic: 'rides', partition: 0, from: '1', to: '3', stranded: 1 }],
    })
    expect(await snapshot(lake)).toEqual(before)

    const out = plan.out.replace('Run with --yes to do exactly this.', 'Done.')
    expect(await run('repair', lake, '--yes')).toEqual({ status: 0, out, err: '' })
    expect((await run('topics', lake)).out).toContain('partition 0: offsets 0 to 1,')
    expect(await run('repair', lake)).toMatchObject({ status: 0, out: 'nothing is damaged\n' })
    const was = before[join(lake, 'log/wal/epoch-1/0000000001.wal')]
    expect(
      (await snapshot(join(lake, 'log/wal/repair')))[join(lake, 'log/wal/repair/epoch-2/epoch-1-0000000001.wal')],
    ).toBe(was)
  })

  it('names what only a backup brings back, and does nothing before', async () => {
    const lake = await damaged('topic')
    await writeFile(join(lake, 'log/topics/rides/0000000001.json'), '{"format":1')
    const { status, out, err } = await run('repair', lake, '--yes')
    expect(status).toBe(2)
    expect(out).toMatch(/^log\/topics\/rides\/0000000001.json: .*put a copy from any backup back$/m)
    expect(out).toContain('GIVEN UP: rides')
    expect(out).not.toContain('--yes')
    expect(err).toMatch('must come back from a backup first')
    expect(await run('repair', lake)).toMatchObject({ status: 1 })
  })

  it('gives up nothing that is in the table', async () => {
    const lake = await damaged('tiered', true)
    const { status, out } = await run('repair', lake, '--yes')
    expect(out).not.toContain('GIVEN UP')
    expect(status).toBe(0)
    expect((await run('topics', lake)).out).toContain('partition 0: offsets 0 to 3, in the table below 2')
    const rows = (await run('scan', lake, 'rides', '--json')).out
    for (const value of ['one', 'second', 'three']) expect(rows).toContain(Buffer.from(value).toString('base64'))
    expect(await run('audit', lake, '--deep')).toMatchObject({ status: 0 })
  })

  it('refuses a log that is being written', async () => {
    const log = await openLog(join(dir, 'busy'), { threads: 0 })
    expect(await run('repair', join(dir, 'busy'))).toMatchObject({
      status: 2,
      err: expect.stringMatching('close it') as string,
    })
    await log.close()
  })
})

describe('errors of the command line', () => {
  it.each([
    [['topics', 'nowhere'], /nowhere/],
    [['topics', 'ftp://host/lake'], /^moulin: openLog: there is no store for ftp: URLs/],
    [['repair', 'gs://bucket/lake'], /^moulin: repair: gs:.*give the folder of it, --wal DIR/],
    [['repair', 'ftp://host/lake'], /^moulin: repair: there is no store for ftp: URLs/],
    [['repair', 'nowhere'], /nowhere/],
    [['scan', 'LAKE', 'payments'], /payments/],
    [['scan', 'LAKE', 'orders', '--limit', '0'], /positive integer/],
    [['verify'], /place/],
    [['verify', 'nowhere.parquet'], /nowhere/],
    [['verify', 'ftp://host/table'], /ftp: URLs/],
    [['verify', 'LAKE'], /no folder of a table/],
    [['verify', 'LAKE/moulin.json'], /not a Parquet file|too few/],
    [['verify', 'LAKE', '--limit', 'all'], /positive integer/],
    [['frobnicate'], /frobnicate/],
  ])('%j exits 2 with one clear sentence', async (argv, sentence) => {
    const { status, out, err } = await run(...argv.map((word) => word.replace(/^LAKE/, join(dir, 'lake'))))
    expect({ status, out }).toEqual({ status: 2, out: '' })
    expect(err).toMatch(sentence)
    expect(err.trim().split('\n')).toHaveLength(1)
  })

  it('a folder that holds something else is named and left alone', async () => {
    const other = await mkdtemp(join(dir, 'other-'))
    await writeFile(join(other, 'thesis.txt'), 'mine')
    expect((await run('topics', other)).status).toBe(2)
    expect(await readdir(other)).toEqual(['thesis.txt'])
  })

  it('writes nothing into the log it looks at', async () => {
    const before = await snapshot(join(dir, 'lake'))
    await run('scan', join(dir, 'lake'), 'orders')
    await run('audit', join(dir, 'lake'))
    expect(await snapshot(join(dir, 'lake'))).toEqual(before)
  })
})

async function snapshot(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Object.fromEntries(
    await Promise.all(files.sort().map(async (file) => [file, (await readFile(file)).toString('base64')] as const)),
  )
}
