import { isMoulinError, schema, t } from '@moulin/core'
import type { Codec, ColdTopic } from '@moulin/core'
import { avro, parquetWriter } from '@moulin/format'
import type { FileWriterFactory } from '@moulin/format'
import { currentSnapshot } from '@moulin/iceberg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tableOf } from './foreign.test-support.ts'
import { readAll, testLog, utf8 } from './lake.test-support.ts'
import type { TestLog, TestLogOptions } from './lake.test-support.ts'

const Order = schema({ id: t.int53, city: t.string })
const codec = avro(Order) as Codec

async function tieredLog(tier: TestLogOptions['tier'] = {}): Promise<{ log: TestLog; keys: string[] }> {
  const log = testLog({ codec, info: { partitions: 1, partitionBy: [] }, tier: { compression: 'none', ...tier } })
  const topic = await log.attach()
  for (let at = 0; at < 2; at++) {
    log.hot.send(
      0,
      [0, 1, 2].map((id) => ({ key: utf8(`key-${id}`), value: codec.encode({ id, city: `city-${at}` }) })),
    )
    await topic.tier({ upTo: log.hot.committedOffsets() })
  }
  const keys: string[] = []
  for await (const { key } of log.store.list({ prefix: 'tables/' })) keys.push(key)
  // The list of the current snapshot last: of the others nobody asks.
  const list = currentSnapshot((await tableOf(log)).metadata)!['manifest-list'].slice(log.store.root.length)
  return { log, keys: [...keys.filter((key) => key !== list), list] }
}

/** Every way to look at a topic, in a process that has cached nothing. */
async function useAll(log: TestLog): Promise<void> {
  const next = log.reopen({ access: 'read-only' })
  const topic: ColdTopic = await next.attach()
  // Row checksums cover all that a record is. Bounds that a flipped bit moved may hide rows: those are gaps.
  const sent = new Map(log.hot.records(0).map((record) => [record.offset, record]))
  for (const { offset, timestamp, key, bytes, headers, fidelity } of await readAll(topic, 0)) {
    // A flipped field id in the metadata looks like a dropped column: such a record says that it is not what was sent.
    expect(sent.get(offset)).toMatchObject({ timestamp, key, headers, ...(fidelity === 'degraded' ? {} : { bytes }) })
  }
  await topic.scan({}).toArray()
  await topic.audit()
}

async function replaced<T>(
  log: TestLog,
  key: string,
  change: (bytes: Uint8Array) => Uint8Array,
  use: () => Promise<T>,
): Promise<T> {
  const { bytes } = await log.store.get(key)
  const kept = new Uint8Array(bytes)
  await log.store.put(key, change(new Uint8Array(bytes)))
  try {
    return await use()
  } finally {
    await log.store.put(key, kept)
  }
}

const failureOf = (use: () => Promise<unknown>): Promise<unknown> =>
  use().then(
    () => undefined,
    (error: unknown) => error,
  )

describe('a damaged object of a table', () => {
  const kinds = ['v3.metadata.json', '-m0.avro', 'snap-', '.parquet']

  it.each(kinds)('is corrupt and named when it is cut short (%s)', async (kind) => {
    const { log, keys } = await tieredLog()
    const key = keys.filter((name) => name.includes(kind)).at(-1)!
    for (const length of [0, 1, 10, 100]) {
      const error = await failureOf(() =>
        replaced(
          log,
          key,
          (bytes) => bytes.subarray(0, length),
          () => useAll(log),
        ),
      )
      expect(isMoulinError(error) && error.kind, String(error)).toBe('corrupt')
      expect((error as Error).message).toContain(key.split('/').at(-1))
    }
  })

  it.each(kinds)('never gives wrong records for a flipped byte (%s)', async (kind) => {
    const { log, keys } = await tieredLog()
    const key = keys.filter((name) => name.includes(kind)).at(-1)!
    const { size } = await log.store.get(key)
    await fc.assert(
      fc.asyncProperty(fc.nat(size - 1), fc.integer({ min: 1, max: 255 }), async (position, mask) => {
        const flip = (bytes: Uint8Array): Uint8Array => {
          bytes[position]! ^= mask
          return bytes
        }
        const error = await failureOf(() => replaced(log, key, flip, () => useAll(log)))
        // Bytes that nobody reads may change; what is read is right, or refused by one of our errors.
        if (error !== undefined && !isMoulinError(error)) throw error as Error
      }),
      { numRuns: 100 },
    )
  })

  it('names file and row where a value of our own file is not what was put there', async () => {
    // Page checksums would see it first.
    const fileWriter: FileWriterFactory = {
      name: 'unchecked',
      create: (options) => parquetWriter.create({ ...options, pageChecksums: false }),
    }
    const { log, keys } = await tieredLog({ fileWriter })
    const key = keys.find((name) => name.endsWith('.parquet'))!
    const { bytes } = await log.store.get(key)
    const position = Buffer.from(bytes).indexOf('city-0')
    expect(position).toBeGreaterThan(0)
    const change = (copy: Uint8Array): Uint8Array => copy.fill(0x58, position, position + 1)
    const error = await failureOf(() => replaced(log, key, change, async () => readAll(await log.reopen().attach(), 0)))
    expect(error).toMatchObject({ kind: 'corrupt', code: 'ROW_CHECKSUM', context: { offset: 0n } })
    expect((error as Error).message).toContain(key)
  })

  it('is corrupt when the manifest tells another number of rows than the file', async () => {
    const { log, keys } = await tieredLog()
    const [first, second] = keys.filter((name) => name.endsWith('.parquet'))
    const other = (await log.store.get(second!)).bytes
    const error = await failureOf(() =>
      replaced(
        log,
        first!,
        () => other.subarray(0, other.length - 1),
        () => useAll(log),
      ),
    )
    expect(error).toMatchObject({ kind: 'corrupt' })
  })
})
