import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { faultProxy, s3Fake } from '@moulin/testing'
import type { S3Fake, S3FakeOptions } from '@moulin/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { runCommand } from './cli-program.ts'
import type { DoctorReport, Finding } from './doctor-report.ts'
import { fileWal, openLog } from './index.ts'
import { stubS3Environment } from './s3-environment.test-support.ts'

const PLACE = 's3://moulin/lake'

let dir = ''
let fake: S3Fake
beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), 'moulin-doctor-'))))
afterEach(async () => {
  vi.unstubAllEnvs()
  await fake?.close()
  await rm(dir, { recursive: true })
})

async function faked(options: S3FakeOptions = {}): Promise<void> {
  fake = await s3Fake(options)
  stubS3Environment(fake)
}

async function run(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  const seen = { out: '', err: '' }
  const output = { out: (text: string) => (seen.out += text), err: (text: string) => (seen.err += text) }
  const status = await runCommand(['doctor', '--samples', '2', ...argv], output)
  return { status, ...seen }
}

async function report(...argv: string[]): Promise<DoctorReport & { readonly status: number }> {
  const { status, out, err } = await run('--json', ...argv)
  expect(out, err).toMatch(/^\{.*\}\n$/)
  return { status, ...(JSON.parse(out) as DoctorReport) }
}

const findingsOf = ({ findings }: DoctorReport, ...verdicts: Finding['verdict'][]): (string | null)[] =>
  findings.filter(({ verdict }) => verdicts.includes(verdict)).map(({ code }) => code)

describe('moulin doctor of a bucket', () => {
  it('finds nothing against one that keeps what it promises, and leaves nothing there', async () => {
    await faked()
    const { status, out, err } = await run(PLACE)
    expect(out).toMatch(/^s3:\/\/moulin\/lake\/: fit\n {2}good {5}reach: it holds nothing\n/)
    for (const check of [
      'conditional writes',
      'list order',
      'swaps under a race',
      'clock',
      'read after write',
      'versioning',
      'lifecycle',
    ])
      expect(out).toMatch(new RegExp(`\\n {2}good +${check}: `))
    for (const operation of ['create', 'get', 'head', 'put', 'swap', 'list', 'delete'])
      expect(out).toMatch(new RegExp(`\\n {2}${operation} +p50 [\\d.]+, p99 [\\d.]+ \\(2 calls\\)`))
    expect(out).toMatch(/\n {2}yes a log with its write-ahead data on a local disk: /)
    expect(err).toMatch(/^moulin: doctor: what lies there\nmoulin: doctor: conditional writes\n/)
    expect(status).toBe(0)
    expect(fake.objects('moulin')).toEqual([])
    const puts = fake.requests.filter(
      ({ method, target }) => method === 'PUT' || (method === 'POST' && !target.includes('delete')),
    )
    expect(puts.length).toBeGreaterThan(30)
    for (const { target } of puts) expect(target).toMatch(/^\/moulin\/lake\/log\/probe\/[0-9a-f-]{36}\//)
  })

  it('writes below --prefix alone where that is said', async () => {
    await faked()
    fake.forgetRequests()
    expect((await report(PLACE, '--prefix', 'try/out/')).status).toBe(0)
    const puts = fake.requests.filter(({ method }) => method === 'PUT')
    for (const { target } of puts) expect(target).toMatch(/^\/moulin\/lake\/try\/out\/[0-9a-f-]{36}\//)
    expect(fake.objects('moulin')).toEqual([])
    expect(await run(PLACE, '--prefix', '/try')).toMatchObject({
      status: 2,
      err: expect.stringMatching(/ending in a slash/),
    })
  })

  it('looks at a log without asking, and leaves it as it is', async () => {
    await faked()
    const log = await openLog(PLACE, { wal: fileWal({ dir: join(dir, 'wal') }), threads: 0 })
    await (await log.ensureTopic('rides')).producer().send({ value: Buffer.from('one') })
    await log.close()
    const before = fake.objects('moulin')
    expect(await report(PLACE)).toMatchObject({ status: 0, holds: 'a log', fitness: 'fit' })
    expect(fake.objects('moulin')).toEqual(before)
  })

  it('asks before it writes where something else lies', async () => {
    await faked()
    fake.putSparse('moulin', 'lake/photo.jpg', 5)
    fake.forgetRequests()
    const { status, out, err } = await run(PLACE)
    expect([status, out]).toEqual([2, ''])
    expect(err).toMatch(/holds other things \(photo.jpg\) and no log.*--yes/)
    expect(fake.requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([])
    expect(await report(PLACE, '--yes')).toMatchObject({ status: 0, holds: 'something else' })
    expect(fake.objects('moulin').map(({ key }) => key)).toEqual(['lake/photo.jpg'])
  })

  it('finds one that lies about conditions not fit', async () => {
    await faked({ ignoreConditions: true })
    const found = await report(PLACE)
    expect(found).toMatchObject({ status: 2, fitness: 'not fit' })
    expect(findingsOf(found, 'fault')).toEqual(['CREATE_OVERWRITES'])
    expect(found.modes.map(({ carries }) => carries)).toEqual([false, false, false, false])
    expect(fake.objects('moulin')).toEqual([])
  })

  it('says how to open one that lists as a tree does, and goes on so', async () => {
    await faked({ listOrder: 'tree' })
    const found = await report(PLACE)
    expect(found).toMatchObject({ status: 1, fitness: 'fit with warnings', storage: { listOrder: 'none' } })
    expect(findingsOf(found, 'warning', 'fault')).toEqual(['LIST_ORDER'])
    expect(found.findings.find(({ check, verdict }) => check === 'list order' && verdict === 'good')!.says).toMatch(
      /sorted here/,
    )
    expect(fake.objects('moulin')).toEqual([])
    expect(await report(PLACE, '--storage', '{"listOrder":"none"}')).toMatchObject({ status: 0, storage: {} })
  })

  it('says so of one in which something lies already, and takes what lies there for what it is', async () => {
    await faked({ listOrder: 'tree' })
    for (const key of ['x/b', 'x-b'])
      fake.putSparse('moulin', `lake/log/probe/0b0e8a1c-0000-4000-8000-000000000001/${key}`, 1)
    const found = await report(PLACE)
    expect(found).toMatchObject({ status: 1, holds: 'nothing', storage: { listOrder: 'none' } })
    expect(findingsOf(found, 'warning', 'fault')).toEqual(['LIST_ORDER'])
    for (const key of ['a/b', 'a-b']) fake.putSparse('moulin', `lake/${key}`, 1)
    expect((await run(PLACE)).err).toMatch(/holds other things \(a[/-]b\)/)
  })

  it('warns of one that drops metadata, and of versions that nobody removes', async () => {
    await faked({ dropMetadata: true })
    fake.setVersioning('moulin', 'Enabled')
    const found = await report(PLACE)
    expect(found).toMatchObject({ status: 1, storage: { userMetadata: 'dropped' } })
    expect(findingsOf(found, 'warning', 'fault')).toEqual(['ATTEMPT_IDS_DROPPED', 'VERSIONING'])
  })

  it.each([
    ['', 2],
    ['lake/log/', 2],
    ['lake/log/topics/', 2],
    ['lake/tables/', 2],
    ['lake/logs/', 0],
    ['other/', 0],
  ])('reads lifecycle rules: one over "%s" that deletes', async (prefix, status) => {
    await faked()
    fake.setLifecycle('moulin', [
      { id: 'tidy', prefix, expirationDays: 30 },
      { id: 'off', prefix: '', enabled: false, expirationDays: 1 },
      { id: 'uploads', prefix: '', abortUploadsDays: 7 },
    ])
    const found = await report(PLACE)
    expect(found.status).toBe(status)
    expect(findingsOf(found, 'fault')).toEqual(status === 0 ? [] : ['EXPIRATION'])
    const [says] = found.findings.filter(({ check }) => check === 'lifecycle').map((finding) => finding.says)
    expect(says).toMatch(status === 0 ? /nobody completes are removed/ : /"tidy" over .* after 30 days/)
  })

  it('tells a missing bucket, wrong credentials and a wrong region as faults, and no secret', async () => {
    await faked()
    expect(findingsOf(await report('s3://nobodys/lake'), 'fault')).toEqual(['BUCKET_MISSING'])
    expect(findingsOf(await report(PLACE, '--storage', '{"region":"eu-west-1"}'), 'fault')).toEqual(['REGION'])
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'CANARY-OF-A-SECRET')
    const { status, out, err } = await run(PLACE, '--json')
    expect(status).toBe(2)
    expect(findingsOf(JSON.parse(out) as DoctorReport, 'fault')).toEqual(['CREDENTIALS'])
    expect(out + err).not.toContain('CANARY')
  })

  it('tells a place that may be read but not written as one fault, and that rules may not be looked at', async () => {
    await faked()
    const proxy = await faultProxy({
      target: fake.endpoint,
      rules: [
        { fault: 'before', method: 'PUT', times: Infinity, answer: 'forbidden' },
        { fault: 'before', path: /\?(versioning|lifecycle)/, times: Infinity, answer: 'forbidden' },
      ],
    })
    vi.stubEnv('AWS_ENDPOINT_URL', proxy.endpoint)
    const found = await report(PLACE)
    await proxy.close()
    expect(found.status).toBe(2)
    expect(findingsOf(found, 'fault')).toEqual(['FORBIDDEN'])
    expect(found.findings.filter(({ verdict }) => verdict === 'untold').map(({ check }) => check)).toEqual([
      'versioning',
      'lifecycle',
    ])
  })

  it('warns of a clock that is wrong', async () => {
    await faked({ clock: { now: () => Date.now() + 60_000 } })
    const found = await report(PLACE)
    expect(findingsOf(found, 'warning', 'fault')).toEqual(['CLOCK_SKEW'])
    expect(found.findings.find(({ code }) => code === 'CLOCK_SKEW')!.says).toMatch(/(59|60)\d{3} ms ahead of ours/)
  })

  it('estimates requests and money, by the table that is named', async () => {
    await faked()
    const { estimate } = await report(PLACE, '--rate', '1000', '--record-bytes', '200')
    expect(estimate).toMatchObject({
      recordsPerSecond: 1000,
      recordBytes: 200,
      commits: 43_830,
      cost: { currency: 'USD' },
    })
    expect(estimate!.usage.requests.put).toBe(Math.ceil(43_830 * (7.1 + 3)))
    const { out } = await run(PLACE, '--rate', '1000', '--prices', 'none')
    expect(out).toMatch(/a month of 1000 records\/s of 1000 bytes[^]*no prices are known/)
    expect((await run(PLACE, '--rate', '-1')).err).toMatch(/positive number/)
  })
})

describe('moulin doctor of a folder', () => {
  it('finds it fit, and leaves not even a folder behind', async () => {
    expect(await report(dir)).toMatchObject({ status: 0, holds: 'nothing', fitness: 'fit' })
    expect(await readdir(dir)).toEqual([])
    await openLog(dir, { threads: 0 }).then((log) => log.close())
    const before = await readdir(dir, { recursive: true })
    const found = await report(dir)
    expect(found).toMatchObject({ status: 0, holds: 'a log' })
    expect(found.modes.map(({ carries }) => carries)).toEqual([true, true, false, false])
    expect(await readdir(dir, { recursive: true })).toEqual(before)
  })

  it('asks where something else lies, keeps what is there, and makes no folder that is not there', async () => {
    await mkdir(join(dir, 'log'))
    await writeFile(join(dir, 'log/mine'), 'mine')
    expect((await run(dir)).err).toMatch(/holds other things \(log\/mine\)/)
    expect((await report(dir, '--yes')).status).toBe(0)
    expect(await readdir(dir, { recursive: true })).toEqual(['log', 'log/mine'])
    expect(await run(join(dir, 'none'))).toMatchObject({
      status: 2,
      out: '',
      err: expect.stringMatching(/there is no folder/),
    })
    expect(await readdir(dir)).toEqual(['log'])
  })
})
