import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { s3Fake } from '@moulin/testing'
import type { S3Fake } from '@moulin/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openTables } from './bucket-log.ts'
import { runCommand } from './cli-program.ts'
import { fileWal, openLog } from './index.ts'
import { stubS3Environment } from './s3-environment.test-support.ts'

const PLACE = 's3://moulin/lake'
const unseen = /^moulin: s3:\/\/moulin\/lake: read without --wal DIR: records that are in no table yet are not seen\n$/

let dir = ''
let fake: S3Fake
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'moulin-cli-url-'))
  fake = await s3Fake()
  stubS3Environment(fake)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await fake.close()
  await rm(dir, { recursive: true })
})

const walDir = (): string => join(dir, 'wal')

async function run(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  const seen = { out: '', err: '' }
  const output = { out: (text: string) => (seen.out += text), err: (text: string) => (seen.err += text) }
  const status = await runCommand(argv, output)
  return { status, ...seen }
}

/** Two records in the table, of which those below are released where that is asked for, and one that is hot. */
async function lake({ isReleased = true } = {}): Promise<void> {
  const log = await openLog(PLACE, { wal: fileWal({ dir: walDir() }), threads: 0, graceMs: isReleased ? 0 : 3_600_000 })
  const topic = await log.ensureTopic('rides')
  const producer = topic.producer({ lingerMs: 0 })
  for (const text of ['one', 'two']) await producer.send({ value: Buffer.from(text) })
  await topic.tier()
  if (isReleased) await log.releaseNow()
  expect(topic.offsets()).toMatchObject([{ frontier: 2n, released: isReleased ? 2n : 0n }])
  await producer.send({ value: Buffer.from('three') })
  await log.close()
}

describe('the command line and a bucket', () => {
  it('shows all records with the write-ahead data at hand', async () => {
    await lake()
    const topics = await run('topics', PLACE, '--wal', walDir())
    expect(topics).toMatchObject({ status: 0, err: '' })
    expect(topics.out).toMatch(/partition 0: offsets 0 to 3, in the table below 2\n$/)
    const scan = await run('scan', PLACE, 'rides', '--json', '--wal', walDir())
    expect(scan).toMatchObject({ status: 0, err: '' })
    expect(scan.out.trim().split('\n').length).toBe(3)
    expect(await run('audit', PLACE, '--wal', walDir())).toMatchObject({ status: 0, err: '' })
    const attach = await run('attach', PLACE, '--wal', walDir())
    expect(attach).toMatchObject({ status: 0, err: '', out: expect.stringMatching(/^rides: intact\n/) })
  })

  it.each([true, false])(
    'shows what is in tables without it, says so and claims no more (released: %s)',
    async (is) => {
      await lake({ isReleased: is })
      const topics = await run('topics', PLACE)
      expect(topics).toMatchObject({ status: 0, err: expect.stringMatching(unseen) })
      expect(topics.out).toMatch(/partition 0: in the table from 0 to below 2; what is above is not seen\n$/)
      const { partitions, ...facts } = JSON.parse((await run('topics', PLACE, '--json')).out) as {
        readonly partitions: readonly object[]
      }
      expect(partitions).toMatchObject([{ start: '0', highWatermark: null, frontier: '2' }])
      expect(facts).toMatchObject({ name: 'rides', untieredBytes: null, untieredRecords: null, lastError: null })
      const scan = await run('scan', PLACE, 'rides', '--json')
      expect(scan).toMatchObject({ status: 0, err: expect.stringMatching(unseen) })
      expect(scan.out.trim().split('\n').length).toBe(2)
      const audit = await run('audit', PLACE, '--deep')
      expect(audit).toMatchObject({ status: 0, err: expect.stringMatching(unseen) })
      expect(audit.out).toMatch(/^rides: clean\n.*2 of 2 rows/)
      const attach = await run('attach', PLACE)
      expect(attach).toMatchObject({ status: 0, err: expect.stringMatching(unseen) })
      expect(attach.out).toMatch(/^rides: intact\n/)
    },
  )

  it('takes no table that cannot be read for an empty one', async () => {
    await lake({ isReleased: false })
    const damaged = fake.objects('moulin').filter(({ key }) => key.includes('/rides/metadata/'))
    for (const { key } of damaged) fake.putSparse('moulin', key, 10)
    const scan = await run('scan', PLACE, 'rides')
    expect(scan).toMatchObject({ status: 2, out: '' })
    expect((await run('attach', PLACE)).status).toBe(2)
  })

  it('takes none for empty that cannot be read any more', async () => {
    await lake({ isReleased: false })
    const log = await openTables({ kind: 's3', bucket: 'moulin', prefix: 'lake/' }, {})
    const topic = await log.topic('rides')
    expect(await topic.scan().count()).toBe(2)
    const damaged = fake.objects('moulin').filter(({ key }) => key.includes('/rides/metadata/'))
    for (const { key } of damaged) fake.putSparse('moulin', key, 10)
    await expect(topic.scan().count()).rejects.toThrow(/is not valid JSON/)
    await log.close()
  })

  it('adopts nothing without it', async () => {
    await lake()
    const { status, err } = await run('attach', PLACE, '--adopt')
    expect(status).toBe(2)
    expect(err).toBe('moulin: attach: --adopt needs the write-ahead data of a log in a bucket: give --wal DIR.\n')
  })

  it('repairs by its URL, with the write-ahead data and nothing else', async () => {
    await lake()
    const segment = join(walDir(), 'epoch-1/0000000001.wal')
    const bytes = await readFile(segment)
    bytes[bytes.indexOf('three') + 2]! ^= 1
    await writeFile(segment, bytes)
    fake.putSparse('moulin', 'lake/moulin.json', 10)
    expect((await run('topics', PLACE, '--wal', walDir())).err).toMatch(/`moulin repair`/)
    fake.forgetRequests()
    expect(await run('repair', PLACE)).toEqual({
      status: 2,
      out: '',
      err: 'moulin: repair: s3://moulin/lake/ holds no write-ahead data: give the folder of it, --wal DIR.\n',
    })
    expect((await run('repair', dir, '--wal', walDir())).err).toMatch(/^moulin: repair: --wal belongs to [^\n]*\n$/)
    const nowhere = await run('repair', 's3://moulin/other', '--wal', walDir(), '--yes')
    expect(nowhere).toMatchObject({ status: 2, out: '' })
    expect(nowhere.err).toMatch(
      /^moulin: s3\(moulin\/other\/\) holds nothing of a log, and .* of log .*: name the place/,
    )
    const plan = await run('repair', PLACE, '--wal', walDir(), '--storage', '{"listOrder":"none"}')
    expect(plan).toMatchObject({ status: 1, err: '' })
    expect(plan.out).toMatch(/^moulin\.json: .*written anew/m)
    expect(plan.out).toMatch(/0000000001\.wal at position /)
    expect(plan.out).toMatch(/^GIVEN UP: rides partition 0, offsets 2 to 2; new records begin at 2$/m)
    expect(fake.requests.length).toBeGreaterThan(10)
    expect(fake.requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([])

    expect(await run('repair', PLACE, '--wal', walDir(), '--yes')).toMatchObject({ status: 0, err: '' })
    expect((await run('topics', PLACE, '--wal', walDir())).out).toMatch(/offsets 0 to 2, in the table below 2\n$/)
    const after = await run('repair', PLACE, '--wal', walDir())
    expect(after).toEqual({ status: 0, out: 'nothing is damaged\n', err: '' })
  })

  it('repairs nothing with the write-ahead data of another log', async () => {
    await lake()
    const wal = fileWal({ dir: join(dir, 'other') })
    await (await openLog('s3://moulin/other', { wal, threads: 0 })).close()
    fake.forgetRequests()
    const { status, err } = await run('repair', PLACE, '--wal', join(dir, 'other'), '--yes')
    expect(status).toBe(2)
    expect(err).toMatch(/holds the write-ahead data of log .*, not of .*: name the folder of this log/)
    expect(fake.requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([])
  })

  it('writes nothing', async () => {
    await lake()
    fake.forgetRequests()
    for (const command of [['topics'], ['scan', 'rides'], ['audit'], ['attach']])
      await run(command[0]!, PLACE, ...command.slice(1))
    expect(fake.requests.length).toBeGreaterThan(20)
    expect(fake.requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([])
  })

  it('reads a table, and one of its files, with two readers', async () => {
    await lake()
    const table = await run('verify', `${PLACE}/tables/default/rides`)
    expect(table).toMatchObject({ status: 0, err: '', out: expect.stringMatching(/\.parquet: same \(2 rows/) })
    const file = fake.objects('moulin').find(({ key }) => key.endsWith('.parquet'))!
    expect(await run('verify', `s3://moulin/${file.key}`)).toMatchObject({ status: 0, out: table.out })
    expect(await run('verify', `${PLACE}/tables/default/none`)).toMatchObject({ status: 2, out: '' })
  })

  it('hands options on to the adapter, and says which are none', async () => {
    await lake()
    const none = await run('topics', PLACE, '--storage', '{"listOrder":"none"}')
    expect(none).toMatchObject({ status: 0, out: expect.stringMatching(/^rides /) })
    expect(await run('topics', PLACE, '--storage', '{"lstOrder":1}')).toMatchObject({
      status: 2,
      err: expect.stringMatching(/lstOrder. Did you mean listOrder\?/),
    })
    for (const text of [
      '5',
      '{',
      '[]',
      'CANARY',
      '{"credentials":"CANARY"}',
      '{"credentials":{"secretAccessKey":"CANARY"}}',
    ])
      for (const command of ['topics', 'doctor', 'verify']) {
        const { status, out, err } = await run(command, `${PLACE}/tables/default/rides`, '--storage', text)
        expect([status, out.startsWith('{') ? '' : out.includes('CANARY'), err.includes('CANARY')]).toEqual([
          2,
          false,
          false,
        ])
        if (!text.includes('credentials')) expect(err).toMatch(/^moulin: --storage must be an object in JSON.\n$/)
      }
  })

  it('reads options from a file, where other processes do not see them', async () => {
    await lake()
    const file = join(dir, 'storage.json')
    await writeFile(file, '{"listOrder":"none"}')
    expect(await run('topics', PLACE, '--storage', `@${file}`)).toMatchObject({
      status: 0,
      out: expect.stringMatching(/^rides /),
    })
    await writeFile(file, 'CANARY')
    for (const command of ['topics', 'doctor', 'verify'])
      expect(await run(command, `${PLACE}/tables/default/rides`, '--storage', `@${file}`)).toEqual({
        status: 2,
        out: '',
        err: 'moulin: --storage must be an object in JSON.\n',
      })
    const missing = await run('topics', PLACE, '--storage', `@${dir}/none.json`)
    expect(missing).toMatchObject({ status: 2, err: expect.stringContaining('none.json') })
  })

  it('asks an endpoint of the environment by path, whatever its host is called', async () => {
    await lake()
    vi.stubEnv('AWS_ENDPOINT_URL', fake.endpoint.replace('127.0.0.1', 'localhost'))
    fake.forgetRequests()
    expect((await run('topics', PLACE)).status).toBe(0)
    for (const { target } of fake.requests) expect(target).toMatch(/^\/moulin[/?]/)
  })

  it('tells a wrong secret, a missing bucket, a place without a log and a folder with a Wal in one sentence each', async () => {
    expect((await run('topics', PLACE)).err).toMatch(/^moulin: There is no log in s3\(moulin\/lake\/\)[^\n]*\n$/)
    expect((await run('topics', 's3://nobodys/lake')).err).toMatch(/^moulin: [^\n]*has no such bucket[^\n]*\n$/)
    expect((await run('topics', dir, '--wal', walDir())).err).toMatch(/^moulin: openLog: wal belongs to [^\n]*\n$/)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'CANARY-OF-A-SECRET')
    const { err } = await run('topics', PLACE)
    expect(err).toMatch(/^moulin: [^\n]*refuses the credentials[^\n]*\n$/)
    expect(err).not.toContain('CANARY')
  })
})
