import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemRuntime } from '@moulin/core'
import { faultProxy, gcsFake, s3Fake } from '@moulin/testing'
import type { S3Fake, S3FakeOptions } from '@moulin/testing'
import { avro, fileWal, isKind, openLog, schema, t } from 'moulin'
import type { ErrorKind, Log, PlaceOptions } from 'moulin'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const { timers } = systemRuntime()
const Ride = schema({ id: t.int53, city: t.string })
const PLACE = 's3://moulin/lakes/one'

let dir = ''
let fake: S3Fake
const open: Log[] = []
beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), 'moulin-urls-'))))
afterEach(async () => {
  for (const log of open.splice(0)) await log.close()
  await fake?.close()
  await rm(dir, { recursive: true })
})

async function faked(options: S3FakeOptions = {}): Promise<void> {
  fake = await s3Fake(options)
}

function optionsOf({ storage = {}, ...options }: PlaceOptions = {}): PlaceOptions {
  const { endpoint, credentials, region } = fake
  const wal = fileWal({ dir: join(dir, 'wal') })
  return { wal, threads: 0, ...options, storage: { endpoint, credentials, region, ...storage } }
}

async function opened(options: PlaceOptions = {}, place: string | URL = PLACE): Promise<Log> {
  const log = await openLog(place, optionsOf(options))
  open.push(log)
  return log
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'it worked',
    (error: unknown) => error,
  )
}
const of = (kind: ErrorKind, code: string, sentence: RegExp) => (error: unknown) =>
  isKind(error, kind, code) && sentence.test(error.message)

async function send(log: Log, name: string, ids: readonly number[]): Promise<void> {
  const producer = (await log.ensureTopic(name, { value: avro(Ride) })).producer({ lingerMs: 0 })
  await Promise.all(ids.map((id) => producer.send({ key: String(id), value: { id, city: name } })))
  await producer.close()
}

async function idsOf(log: Log, name: string): Promise<unknown[]> {
  const ids: unknown[] = []
  const topic = await log.topic<{ id: number }>(name)
  for await (const { value } of topic.read({ from: 'earliest', to: 'end' })) ids.push(value?.id)
  return ids.sort()
}

describe('openLog of a bucket', () => {
  it('keeps tables, catalog and its own objects below the prefix, and records in the Wal until they are there', async () => {
    await faked()
    const log = await opened({ graceMs: 0 }, new URL(PLACE))
    await send(log, 'rides', [1, 2, 3])
    expect(log.durability).toBe('disk')
    expect(fake.objects('moulin').filter(({ key }) => key.includes('/data/'))).toEqual([])
    await (await log.topic('rides')).tier()
    await log.releaseNow()
    const keys = fake.objects('moulin').map(({ key }) => key)
    expect(keys.every((key) => key.startsWith('lakes/one/'))).toBe(true)
    expect(keys).toContain('lakes/one/moulin.json')
    expect(keys.some((key) => /^lakes\/one\/tables\/default\/rides\/data\/.*\.parquet$/.test(key))).toBe(true)
    expect(keys.filter((key) => key.includes('log/probe/'))).toEqual([])
    expect(await idsOf(log, 'rides')).toEqual([1, 2, 3])
  })

  it('serves topics whose names sort apart in a tree, on a store that lists as one', async () => {
    await faked({ listOrder: 'tree' })
    const names = ['a', 'a-b', 'a.b']
    const options: PlaceOptions = { graceMs: 0, storage: { listOrder: 'none' } }
    const first = await opened(options)
    for (const name of names) {
      await send(first, name, [1, 2])
      await (await first.topic(name)).tier()
      await send(first, name, [3])
    }
    await first.releaseNow()
    await first.close()

    const again = await opened(options)
    expect(await again.topics()).toEqual(names)
    for (const name of names) {
      const topic = await again.topic(name)
      expect(await idsOf(again, name)).toEqual([1, 2, 3])
      await topic.tier()
      expect(await topic.scan().count()).toBe(3)
      expect(await topic.audit()).toMatchObject({ clean: true })
    }
    await again.releaseNow()
    const reader = await opened({ ...options, access: 'read-only' })
    for (const name of names) {
      expect((await reader.topic(name)).offsets()).toMatchObject([{ highWatermark: 3n, frontier: 3n, released: 3n }])
      expect(await idsOf(reader, name)).toEqual([1, 2, 3])
    }
  })

  it.each([
    ['its identity', { operation: 'get', key: /moulin\.json/ }],
    ['the place for what else lies there', { operation: 'list', key: /^lakes\/one\/$/ }],
    ['the probe', { operation: 'put', key: /log\/probe\// }],
  ] as const)('ends with its signal while a deaf store is asked for %s', async (_, about) => {
    await faked()
    const rule = { ...about, fault: 'before', answer: 'silence', times: Infinity } as const
    const proxy = await faultProxy({ target: fake.endpoint, rules: [rule] })
    const stop = new AbortController()
    const { endpoint } = proxy
    const opening = failure(opened({ signal: stop.signal, storage: { endpoint } }))
    while (proxy.countCalls(about) === 0) await timers.turn()
    stop.abort()
    expect(isKind(await opening, 'aborted')).toBe(true)
    await proxy.close()
  })

  it('goes on without attempt ids, and says so, where the store drops user metadata', async () => {
    await faked({ dropMetadata: true })
    const warnings: string[] = []
    const note = (_: unknown, message?: string): void => void warnings.push(message ?? '')
    const silent = (): void => {}
    const logger = { debug: silent, info: silent, warn: note, error: note, child: () => logger }
    const log = await opened({ logger })
    expect(warnings).toEqual([expect.stringMatching(/drops user metadata/)])
    await send(log, 'rides', [1])
    await (await log.topic('rides')).tier()
    expect(await (await log.topic('rides')).audit()).toMatchObject({ clean: true })
  })

  it('opens gs: by the adapter of Google', async () => {
    const google = await gcsFake()
    const storage = { apiEndpoint: google.endpoint, token: async () => ({ token: google.token }) }
    const wal = fileWal({ dir: join(dir, 'wal') })
    const log = await openLog('gs://moulin/lakes/one', { wal, storage, threads: 0 })
    await send(log, 'rides', [1])
    await (await log.topic('rides')).tier()
    expect(await (await log.topic('rides')).audit()).toMatchObject({ clean: true })
    await log.close()
    const keys = google.objects('moulin').map(({ key }) => key)
    expect(keys).toContain('lakes/one/moulin.json')
    expect(keys.every((key) => key.startsWith('lakes/one/'))).toBe(true)
    await google.close()
  })

  it('tries again what the service was too busy for, and what a connection lost', async () => {
    await faked()
    const proxy = await faultProxy({
      target: fake.endpoint,
      rules: [
        { fault: 'before', answer: 'busy', nth: 3, times: 2 },
        { fault: 'after', operation: 'put', nth: 20, times: 2 },
      ],
    })
    const log = await opened({ graceMs: 0, storage: { endpoint: proxy.endpoint } })
    await send(log, 'rides', [1, 2])
    await (await log.topic('rides')).tier()
    expect(await (await log.topic('rides')).audit()).toMatchObject({ clean: true })
    await open.pop()!.close()
    expect(proxy.calls.filter(({ result }) => result === 'before' || result === 'after').length).toBe(4)
    await proxy.close()
  })

  it('asks for the Wal, and says what an ack survives then, before it asks the store for anything', async () => {
    await faked()
    const error = await failure(openLog(PLACE, { ...optionsOf(), wal: undefined as never }))
    expect(error).toSatisfy(of('invalid', 'WAL_NOT_NAMED', /fileWal.*An ack then survives.*not the loss of its disk/))
    expect(fake.requests).toEqual([])
  })

  it('refuses a store that was put under the write-ahead data of another log', async () => {
    await faked({ buckets: ['moulin', 'other'] })
    await send(await opened(), 'rides', [1])
    await open.pop()!.close()
    await send(await opened({ wal: fileWal({ dir: join(dir, 'other') }) }, 's3://other/lake'), 'rides', [2])
    await open.pop()!.close()
    for (const access of ['read-write', 'read-only'] as const) {
      const error = await failure(opened({ access }, 's3://other/lake'))
      expect(error).toSatisfy(of('corrupt', 'OTHER_LOG', /holds the write-ahead data of log .*, not of/))
    }
    expect(await idsOf(await opened(), 'rides')).toEqual([1])
  })

  it('refuses another store put where the log was, that is empty', async () => {
    await faked()
    await send(await opened(), 'rides', [1])
    await open.pop()!.close()
    fake.deleteBucket('moulin')
    fake.createBucket('moulin')
    fake.forgetRequests()
    const error = await failure(opened())
    const sentence =
      /s3\(moulin\/lakes\/one\/\) is empty, and fileWal\(.*\) holds the write-ahead data of log .*: open the place .*a new write-ahead folder/
    expect(error).toSatisfy(of('corrupt', 'OTHER_LOG', sentence))
    // Not even the probe: that log would be begun.
    expect(fake.requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([])
  })

  it('refuses a bucket that lies about conditions', async () => {
    await faked({ ignoreConditions: true })
    expect(await failure(opened())).toSatisfy(of('unsupported', 'CREATE_OVERWRITES', /is not safe to write to/))
    expect(fake.objects('moulin')).toEqual([])
  })

  it('tells what is wrong with bucket, region, credentials or options, and no secret', async () => {
    await faked()
    const canary = 'CANARY-OF-A-SECRET'
    const pair = { accessKeyId: fake.credentials.accessKeyId, secretAccessKey: canary }
    const cases = [
      [{ credentials: pair }, PLACE, 'unavailable', 'CREDENTIALS'],
      [{ region: 'eu-west-1' }, PLACE, 'invalid', 'REGION'],
      [{}, 's3://nobodys/lake', 'unavailable', 'BUCKET_MISSING'],
      [{ bucket: 'other' }, PLACE, 'invalid', 'OPTION'],
      [{ credentails: pair }, PLACE, 'invalid', 'OPTION'],
      [{ credentials: canary }, PLACE, 'invalid', 'OPTION'],
    ] as const
    for (const [storage, place, kind, code] of cases) {
      const error = await failure(opened({ storage }, place))
      expect(error, JSON.stringify(storage)).toSatisfy(of(kind, code, /./))
      expect(String(error) + JSON.stringify(error)).not.toContain(canary)
    }
  })

  it('takes wal and storage for buckets alone, and networkMount for folders', async () => {
    await faked()
    const wal = fileWal({ dir: join(dir, 'wal') })
    expect(await failure(openLog(join(dir, 'lake'), { wal }))).toSatisfy(of('invalid', 'OPTION', /wal belongs/))
    expect(await failure(openLog(join(dir, 'lake'), { storage: {} }))).toSatisfy(of('invalid', 'OPTION', /storage/))
    const connection = 'AccountKey=CANARY'
    const error = await failure(openLog(PLACE, { wal, storage: connection as never }))
    expect(error).toSatisfy(of('invalid', 'OPTION', /storage is none; it must be an object, the adapter's own options/))
    expect(await failure(opened({ networkMount: 'allow' }))).toSatisfy(of('invalid', 'OPTION', /networkMount/))
  })
})
