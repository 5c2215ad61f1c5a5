import { defaultLimits, schema, t } from '@moulin/core'
import type { BatchRun, Codec, CodecFormat } from '@moulin/core'
import { avro, encodeBatch, hyparquetWriter } from '@moulin/format'
import { afterEach, describe, expect, it } from 'vitest'
import { checkTable, testLog, utf8 } from './lake.test-support.ts'
import type { TestLog, TestLogOptions } from './lake.test-support.ts'
import { tierWorkers } from './tier-workers.ts'
import type { TierWorkers } from './tier-workers.ts'
import { builtInParts } from './tier-task.ts'
import type { TierSetup } from './tier-task.ts'
import { systemFields } from './system-columns.ts'

const Order = schema({ id: t.int53, city: t.string })
const codec = avro(Order) as Codec
const open: TierWorkers[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((workers) => workers.close()))
})

function pool(threads: number): TierWorkers {
  const workers = tierWorkers(threads)
  open.push(workers)
  return workers
}

const setup: TierSetup = {
  schema: { type: 'struct', fields: systemFields },
  spec: { 'spec-id': 0, fields: [{ 'source-id': 4, name: 'day', transform: 'day' }] },
  columns: systemFields.map(({ name }) => [name, name] as const),
  incarnation: 1,
  rowCrc: true,
  keepRaw: false,
  values: undefined,
  compression: 'zstd',
  fileBytes: 1 << 20,
  keyValue: { who: 'test' },
  limits: defaultLimits,
}

function runOf(baseOffset: bigint, count: number): BatchRun {
  const records = Array.from({ length: count }, (_, at) => ({
    offset: baseOffset + BigInt(at),
    timestamp: BigInt(at) * 3_600_000n,
    key: utf8(`key ${at}`),
    value: utf8(`value ${at % 7}`),
    headers: [],
  }))
  const batches = encodeBatch({ baseOffset, records, timestampType: 'create' })
  return { partition: 0, baseOffset, nextOffset: baseOffset + BigInt(count), batches, valueSchemaIds: 0 }
}

async function encode(workers: TierWorkers): Promise<Uint8Array[]> {
  const session = await workers.begin(setup, builtInParts)
  const files = [...(await session.add(runOf(0n, 500), { from: 3n, to: 500n }))]
  files.push(...(await session.add(runOf(500n, 500), { from: 500n, to: 1000n })))
  const finished = await session.finish()
  session.release()
  expect(finished.tallies.get(0)).toMatchObject({ rows: 997, lastRow: 999n, control: 0 })
  return [...files, ...finished.files].map(({ bytes }) => new Uint8Array(bytes))
}

describe('tierWorkers', () => {
  it('gives the same bytes in a thread and in the calling one', async () => {
    const here = await encode(pool(0))
    const there = await encode(pool(1))
    expect(here.length).toBeGreaterThan(10)
    expect(there).toEqual(here)
  })

  it('leaves the bytes of the log alone', async () => {
    const workers = pool(1)
    const session = await workers.begin(setup, builtInParts)
    const shared = new Uint8Array(100_000)
    const run = runOf(0n, 10)
    shared.set(run.batches, 50)
    const batches = Buffer.from(shared.buffer, 50, run.batches.length)
    await session.add({ ...run, batches }, { from: 0n, to: 10n })
    expect(shared.length).toBe(100_000)
    session.release()
  })

  it('fails the task of a thread that dies, and no other', async () => {
    const real = new URL('./worker.ts', import.meta.url)
    const source = `import { parentPort } from 'node:worker_threads'
      parentPort.on('message', ({ kind, setup, range }) => {
        if (setup?.keyValue.who === 'dies at once' || (kind === 'add' && range.to === 666n)) process.exit(3)
      })
      await import(${JSON.stringify(real.href)})`
    const workers = tierWorkers(2, new URL(`data:text/javascript,${encodeURIComponent(source)}`))
    open.push(workers)
    const died = { kind: 'unavailable', code: 'WORKER_DIED', outcome: 'rejected', retryable: true }
    const healthy = await workers.begin(setup, builtInParts)
    await expect(workers.begin({ ...setup, keyValue: { who: 'dies at once' } }, builtInParts)).rejects.toMatchObject(
      died,
    )
    const session = await workers.begin(setup, builtInParts)
    await expect(session.add(runOf(0n, 1), { from: 0n, to: 666n })).rejects.toMatchObject(died)
    await expect(session.finish()).rejects.toMatchObject(died)
    session.release()
    await healthy.add(runOf(0n, 5), { from: 0n, to: 5n })
    expect((await healthy.finish()).tallies.get(0)).toMatchObject({ rows: 5 })
    healthy.release()
    expect(await encode(workers)).toEqual(await encode(pool(0)))
  })

  it('fails the task of bytes that are no batch, and keeps its thread', async () => {
    const workers = pool(1)
    const session = await workers.begin(setup, builtInParts)
    const bad = { ...runOf(0n, 1), batches: utf8('no batch at all, whatever its length is') }
    await expect(session.add(bad, { from: 0n, to: 1n })).rejects.toMatchObject({ kind: 'corrupt' })
    session.release()
    expect(await encode(workers)).toEqual(await encode(pool(0)))
  })

  it('hands a thread to one task at a time, in the order of their calls', async () => {
    const workers = pool(1)
    const first = await workers.begin(setup, builtInParts)
    let isBegun = false
    const second = workers.begin(setup, builtInParts).then((session) => {
      isBegun = true
      return session
    })
    await first.add(runOf(0n, 1), { from: 0n, to: 1n })
    expect(isBegun).toBe(false)
    first.release()
    first.release()
    const session = await second
    expect((await session.finish()).files).toEqual([])
    session.release()
  })

  it('rejects what waits when it is closed', async () => {
    const workers = pool(1)
    const session = await workers.begin(setup, builtInParts)
    const waiting = workers.begin(setup, builtInParts)
    const adding = session.add(runOf(0n, 100_000), { from: 0n, to: 100_000n })
    await Promise.all([
      expect(waiting).rejects.toMatchObject({ kind: 'closed' }),
      expect(adding).rejects.toMatchObject({ kind: 'closed' }),
      workers.close(),
    ])
    await workers.close()
  })
})

describe('tiering in a thread', () => {
  const logs: TestLog[] = []
  afterEach(async () => {
    await Promise.all(logs.splice(0).map((log) => log.tier.close()))
  })
  const threaded = (options: TestLogOptions): TestLog => {
    const log = testLog({ ...options, tier: { threads: 1, ...options.tier } })
    logs.push(log)
    return log
  }

  it('encodes and decodes there', async () => {
    const log = threaded({ codec })
    for (let id = 0; id < 50; id++)
      log.hot.send(id % 2, [{ value: codec.encode({ id, city: 'ams' }) }, { value: null }])
    const topic = await log.attach()
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
  })

  it('encodes with codecs and writers of the caller in the calling thread', async () => {
    const own: Codec = { ...codec, format: 'own/1' }
    const format: CodecFormat = { format: 'own/1', restore: () => own }
    let created = 0
    const fileWriter = {
      name: 'counting',
      create: (options: Parameters<typeof hyparquetWriter.create>[0]) => {
        created++
        return hyparquetWriter.create(options)
      },
    }
    const log = threaded({ codec: own, tier: { codecs: [format], fileWriter } })
    log.hot.send(0, [{ value: own.encode({ id: 1, city: 'ams' }) }])
    const topic = await log.attach()
    await topic.tier({ upTo: log.hot.committedOffsets() })
    expect(created).toBe(1)
    await checkTable(topic, log)
  })

  it('names a codec format that nobody gave', async () => {
    const log = threaded({ codec: { ...codec, format: 'own/1' } })
    log.hot.send(0, [{ value: codec.encode({ id: 1, city: 'ams' }) }])
    const topic = await log.attach()
    await expect(topic.tier({ upTo: [1n, 0n] })).rejects.toMatchObject({ kind: 'invalid', code: 'CODEC_FORMAT' })
  })
})
