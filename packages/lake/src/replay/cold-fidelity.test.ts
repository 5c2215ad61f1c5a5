import { schema, t } from '@moulin/core'
import type { BatchRun, Codec } from '@moulin/core'
import { avro, crc32c, encodeBatch, json } from '@moulin/format'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readAll, recordsOf, testLog } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'

const Value = schema({
  name: t.string.optional(),
  code: t.int.optional(),
  at: t.timestamptz.micros,
  tags: t.list(t.struct({ key: t.string, weight: t.double.optional() })).optional(),
})
const text = fc.string({ unit: 'grapheme', maxLength: 12 })
const valueOf = (weight: fc.Arbitrary<number>) =>
  fc.record({
    name: fc.option(text),
    code: fc.option(fc.integer()),
    at: fc.bigInt({ min: -(2n ** 50n), max: 2n ** 50n }),
    tags: fc.option(fc.array(fc.record({ key: text, weight: fc.option(weight) }), { maxLength: 2 })),
  })
const bytes = fc.option(fc.uint8Array({ maxLength: 40 }))
const recordOf = (value: ReturnType<typeof valueOf>) =>
  fc.record({
    key: bytes,
    value: fc.oneof(
      { weight: 6, arbitrary: value.map((content) => ({ content })) },
      { weight: 1, arbitrary: bytes.map((raw) => ({ raw })) },
    ),
    timestamp: fc.oneof(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -(2 ** 43), max: 2 ** 43 })).map(BigInt),
    headers: fc.array(fc.tuple(text, bytes), { maxLength: 2 }),
    gap: fc.constantFrom(0n, 0n, 0n, 2n),
  })
const batchOf = (weight: fc.Arbitrary<number>) =>
  fc.record({
    records: fc.array(recordOf(valueOf(weight)), { minLength: 1, maxLength: 20 }),
    compression: fc.constantFrom('none' as const, 'gzip' as const, 'zstd' as const),
    timestampType: fc.constantFrom('create' as const, 'create' as const, 'append' as const),
    valueSchemaId: fc.constantFrom(1, 1, 1, 0, 7),
    isControl: fc.constantFrom(false, false, false, false, true),
  })
type SentBatch = ReturnType<typeof batchOf> extends fc.Arbitrary<infer T> ? T : never

const sentWith = (codec: unknown, weight: fc.Arbitrary<number>) =>
  fc.record({
    codec: fc.constant(codec as Codec),
    batches: fc.array(batchOf(weight), { minLength: 1, maxLength: 5 }),
  })
// JSON has finite numbers only.
const sentByCodec = fc.oneof(
  sentWith(avro(Value), fc.double()),
  sentWith(json(Value), fc.double({ noNaN: true, noDefaultInfinity: true })),
)

const CONTROL = 32

function send(log: TestLog, codec: Codec, base: bigint, sent: SentBatch): bigint {
  const { compression, timestampType, valueSchemaId, isControl } = sent
  let offset = base
  const records = sent.records.map(({ value: content, gap, timestamp, key, headers }) => {
    const at = (offset += gap)
    offset++
    const encoded = 'content' in content ? codec.encode(content.content) : content.raw
    const time = timestampType === 'append' ? sent.records[0]!.timestamp : timestamp
    return { offset: at, timestamp: time, key, headers, value: encoded }
  })
  const made = encodeBatch({ baseOffset: base, records, compression, timestampType })
  if (isControl) {
    made[22]! |= CONTROL
    new DataView(made.buffer, made.byteOffset).setUint32(17, crc32c(made.subarray(21)))
  }
  log.hot.append(0, made, { valueSchemaId })
  return offset
}

// Every kind of row in one file and out again, whatever the writer's and the reader's shortcuts.
describe('records that went through the table', () => {
  it('are what was sent, to the byte: read in order, from anywhere, and one at a time', async () => {
    await fc.assert(
      fc.asyncProperty(
        sentByCodec,
        fc.constantFrom('columns' as const, 'columns+raw' as const),
        fc.array(fc.nat(120), { maxLength: 6 }),
        fc.constantFrom(1 << 23, 400),
        async ({ codec, batches }, valueMode, places, coldReadBytes) => {
          const tier = { coldReadBytes }
          const log = testLog({ codec, info: { partitions: 1, partitionBy: [], valueMode }, tier })
          let end = 0n
          for (const sent of batches) end = send(log, codec, end, sent)
          const topic = await log.attach()
          await topic.tier({ upTo: [end] })
          const sent = log.hot.records(0)
          expect(await readAll(topic, 0)).toEqual(sent)
          const offsets = places.map((place) => BigInt(place) % end)
          for (const from of offsets) {
            expect(await readAll(topic, 0, from)).toEqual(sent.filter(({ offset }) => offset >= from))
          }
          const runs: BatchRun[] = []
          for await (const run of topic.readAt(offsets.map((offset) => ({ partition: 0, offset })))) runs.push(run)
          expect(runs.map(({ baseOffset }) => baseOffset)).toEqual(offsets)
          expect(runs.map((run) => recordsOf(run))).toEqual(
            offsets.map((wanted) => sent.filter(({ offset }) => offset === wanted)),
          )
        },
      ),
      { numRuns: 30 },
    )
  })
})
