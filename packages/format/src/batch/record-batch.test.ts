import { gzipSync, zstdCompressSync } from 'node:zlib'
import { crc32c as native } from '@node-rs/crc32'
import { Arena, INT64_MAX, INT64_MIN, isMoulinError, TIMESTAMP_MS_MAX } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32c } from '../bytes/crc32c.ts'
import { batchesIn, crcOfBatch, patchBatch, readBatchHeader } from './batch-header.ts'
import { appendRecordsSection, checkBatch, readRecords, type BatchRecord } from './read-batch.ts'
import { recordCrc, recordCrcOf } from './record-body.ts'
import { RecordCursor, type BatchLimits } from './record-cursor.ts'
import { encodeBatch, recordBatchBuilder, type EncodeBatchOptions } from './write-batch.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/[^0-9a-f]/g, ''), 'hex'))

// By hand from the specification: one field a line.
const golden = bytesOf(`
  0000000000000007 00000044 00000000 02 ${'cccccccc'}
  0000 00000001 00000000000003e8 00000000000003eb ffffffffffffffff ffff ffffffff 00000002
  16 00 00 00 02 6b 02 76 02 02 68 01
  0c 00 06 02 01 00 00
`)
new DataView(golden.buffer).setUint32(17, native(golden.subarray(21)))

const goldenRecords: BatchRecord[] = [
  { offset: 7n, timestamp: 1000n, timestampType: 'create', key: utf8('k'), value: utf8('v'), headers: [['h', null]] },
  { offset: 8n, timestamp: 1003n, timestampType: 'create', key: null, value: utf8(''), headers: [] },
]

const nullableBytes = fc.option(fc.uint8Array({ maxLength: 80 }))
const body = fc.record({
  key: nullableBytes,
  value: nullableBytes,
  headers: fc.array(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 70 }), nullableBytes), { maxLength: 4 }),
})
const int64 = fc.oneof(
  fc.bigInt({ min: INT64_MIN, max: INT64_MAX }),
  fc.constantFrom(INT64_MIN, INT64_MAX, -1n, 0n, 2n ** 53n, -(2n ** 53n), TIMESTAMP_MS_MAX),
  fc.integer({ min: 1_700_000_000_000, max: 1_800_000_000_000 }).map(BigInt),
)
const compression = fc.constantFrom('none' as const, 'gzip' as const, 'zstd' as const)

const errorOf = (run: () => unknown): { kind?: string; code?: string } | undefined => {
  try {
    run()
  } catch (error) {
    if (!isMoulinError(error)) throw error
    return error
  }
  return undefined
}

/** A batch with this records section and changed header fields, its CRC right. */
const batchOf = (section: Uint8Array, change: (view: DataView) => void = () => {}): Uint8Array => {
  const batch = new Uint8Array(61 + section.length)
  batch.set(golden.subarray(0, 61))
  batch.set(section, 61)
  const view = new DataView(batch.buffer)
  view.setInt32(8, batch.length - 12)
  change(view)
  view.setUint32(17, native(batch.subarray(21)))
  return batch
}
const attributes = (value: number) => (view: DataView) => view.setInt16(21, value)
const section = golden.subarray(61)
const check = (batch: Uint8Array, limits?: BatchLimits): unknown => errorOf(() => checkBatch(batch, 0, limits))

describe('record batch v2', () => {
  it('reads a batch built by hand from the specification, and writes the same bytes', () => {
    expect(readRecords(golden, 0)).toEqual(goldenRecords)
    expect(
      encodeBatch({ baseOffset: 7n, records: goldenRecords, timestampType: 'create', partitionLeaderEpoch: 0 }),
    ).toEqual(golden)
    expect(new DataView(golden.buffer).getUint32(17)).toBe(3005079448)
    expect(checkBatch(golden, 0)).toMatchObject({
      baseOffset: 7n,
      sizeBytes: 80,
      compression: 'none',
      timestampType: 'create',
      lastOffsetDelta: 1,
      baseTimestamp: 1000n,
      maxTimestamp: 1003n,
      producerId: -1n,
      recordCount: 2,
    })
  })

  it('gives back every record: nulls, empties, repeated headers in order, any int64 offset and timestamp, gaps', () => {
    const gaps = fc.array(fc.tuple(body, int64, fc.integer({ min: 1, max: 5 })), { maxLength: 12 })
    const base = fc.oneof(
      fc.bigInt({ min: 0n, max: INT64_MAX - 1000n }),
      fc.constantFrom(0n, 2n ** 32n - 3n, 2n ** 53n),
    )
    fc.assert(
      fc.property(gaps, base, compression, (rows, baseOffset, codec) => {
        let offset = baseOffset - 1n
        const records = rows.map(([row, timestamp, step]): BatchRecord => {
          offset += BigInt(step)
          return { ...row, offset, timestamp, timestampType: 'create' }
        })
        const lastOffset = (offset < baseOffset ? baseOffset : offset) + 3n
        const batch = encodeBatch({ baseOffset, records, compression: codec, lastOffset, timestampType: 'create' })
        expect(plain(readRecords(batch, 0))).toEqual(plain(records))
        const header = readBatchHeader(batch, 0)
        expect(header.baseOffset + BigInt(header.lastOffsetDelta)).toBe(lastOffset)
        const times = records.map((record) => record.timestamp)
        expect(header.maxTimestamp).toBe(times.reduce((max, time) => (time > max ? time : max), times[0] ?? -1n))
      }),
    )
  })

  it('builds batches one after another, and leaves one as it was when a record is refused', () => {
    const builder = recordBatchBuilder({ compression: 'zstd' })
    const append = (timestamp: number | bigint): void =>
      builder.append({ key: utf8('a'), value: null, headers: [], timestamp })
    append(5)
    const { sizeBytes } = builder
    expect(errorOf(() => append(0.5))?.kind).toBe('invalid')
    expect(errorOf(() => append(2n ** 63n))?.kind).toBe('invalid')
    expect(
      errorOf(() => builder.append({ key: null, value: null, headers: [['\ud800', null]], timestamp: 1 }))?.kind,
    ).toBe('invalid')
    expect([builder.sizeBytes, builder.recordCount]).toEqual([sizeBytes, 1])
    append(-1n)
    const first = builder.finish()
    append(9)
    const second = builder.finish()
    patchBatch(second, 0, { baseOffset: 2n ** 40n, partitionLeaderEpoch: 4 })
    // With its head, which its own checksum leaves out.
    for (const batch of [first, second]) expect(crcOfBatch(batch, 0, batch.length)).toBe(crc32c(batch))
    const both = Uint8Array.from([...first, ...second])
    const found = [...batchesIn(both)].map(({ header, position }) => [
      header.baseOffset,
      header.partitionLeaderEpoch,
      position,
    ])
    expect(found).toEqual([
      [0n, -1, 0],
      [2n ** 40n, 4, first.length],
    ])
    expect(readRecords(both, 0).map((record) => record.timestamp)).toEqual([5n, -1n])
    expect(checkBatch(both, first.length).maxTimestamp).toBe(9n)
  })

  it('gives every record of an append-time batch the batch’s time', () => {
    const records = [1n, 1n].map((timestamp, index) => ({ ...goldenRecords[0]!, timestamp, offset: BigInt(index) }))
    const batch = encodeBatch({ baseOffset: 0n, records, timestampType: 'append' })
    expect(readRecords(batch, 0).map((record) => [record.timestamp, record.timestampType])).toEqual([
      [1n, 'append'],
      [1n, 'append'],
    ])
    const mixed = batchOf(section, attributes(8))
    expect(readRecords(mixed, 0).map((record) => record.timestamp)).toEqual([1003n, 1003n])
    records[1]!.timestamp = 2n
    expect(errorOf(() => encodeBatch({ baseOffset: 0n, records, timestampType: 'append' }))?.kind).toBe('invalid')
  })

  it('spans a gap with a batch of no records', () => {
    for (const codec of ['none', 'gzip', 'zstd'] as const) {
      const options: EncodeBatchOptions = {
        baseOffset: 5n,
        records: [],
        lastOffset: 9n,
        compression: codec,
        timestampType: 'create',
      }
      const batch = encodeBatch(options)
      expect(batch.length).toBe(61)
      expect(checkBatch(batch, 0)).toMatchObject({ lastOffsetDelta: 4, recordCount: 0, maxTimestamp: -1n })
      expect(readRecords(batch, 0)).toEqual([])
    }
  })

  it('refuses offsets that do not rise or are too far apart', () => {
    const of = (offsets: bigint[], lastOffset?: bigint): unknown =>
      errorOf(() =>
        encodeBatch({
          baseOffset: 5n,
          records: offsets.map((offset) => ({ ...goldenRecords[0]!, offset })),
          ...(lastOffset === undefined ? {} : { lastOffset }),
          timestampType: 'create',
        }),
      )
    for (const bad of [[4n], [5n, 5n], [6n, 5n], [5n, 5n + 2n ** 31n]])
      expect(of(bad)).toMatchObject({ kind: 'invalid' })
    expect(of([6n], 5n)).toMatchObject({ kind: 'invalid' })
    expect(of([5n, 4n + 2n ** 31n])).toBeUndefined()
  })
})

describe('checkBatch', () => {
  it('names what is not supported', () => {
    for (const magic of [0, 1]) {
      expect(check(batchOf(section, (view) => view.setInt8(16, magic)))).toMatchObject({
        kind: 'unsupported',
        code: 'BATCH_MAGIC',
      })
    }
    const codes = [
      [2, 'BATCH_COMPRESSION'],
      [3, 'BATCH_COMPRESSION'],
      [5, 'BATCH_COMPRESSION'],
      [16, 'BATCH_TRANSACTIONAL'],
      [32, 'BATCH_CONTROL'],
    ] as const
    for (const [bits, code] of codes)
      expect(check(batchOf(section, attributes(bits)))).toMatchObject({ kind: 'unsupported', code })
  })

  it('finds any flipped bit from the attributes on, and survives one before', () => {
    for (let at = 0; at < golden.length; at++) {
      const bad = golden.map((byte, index) => (index === at ? byte ^ 4 : byte))
      const error = check(bad)
      if (at >= 17) expect(error, `byte ${at}`).toMatchObject({ kind: 'corrupt' })
    }
    for (let cut = 0; cut < golden.length; cut++)
      expect(check(golden.subarray(0, cut))).toMatchObject({ kind: 'corrupt' })
  })

  it('judges damage behind a right CRC without ever failing otherwise', () => {
    fc.assert(
      fc.property(fc.nat(section.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(3), (at, flip, extra) => {
        const bad = Uint8Array.from([...section, ...new Uint8Array(extra)])
        bad[at]! ^= flip
        check(batchOf(bad))
      }),
      { numRuns: 2000 },
    )
  })

  it('refuses wrong counts, trailing bytes and offsets out of order', () => {
    expect(check(batchOf(Uint8Array.from([...section, 0])))).toMatchObject({ kind: 'corrupt' })
    for (const count of [1, 3, -1, 2 ** 30]) {
      expect(check(batchOf(section, (view) => view.setInt32(57, count))), `${count}`).toMatchObject({ kind: 'corrupt' })
    }
    expect(check(batchOf(section, (view) => view.setInt32(23, 0)))).toMatchObject({ kind: 'corrupt' })
    const repeated = bytesOf('0c 00 00 00 01 01 00  0c 00 00 00 01 01 00')
    expect(check(batchOf(repeated))).toMatchObject({ kind: 'corrupt', code: 'BATCH_RECORD' })
    const negative = bytesOf('0c 00 00 01 01 01 00  0c 00 00 00 01 01 00')
    expect(check(batchOf(negative))).toMatchObject({ kind: 'corrupt', code: 'BATCH_RECORD' })
  })

  it('refuses a header key that is not UTF-8 and a null one', () => {
    const one = (view: DataView): void => {
      view.setInt32(23, 0)
      view.setInt32(57, 1)
    }
    expect(check(batchOf(bytesOf('12 00 00 00 01 01 02 02 c3 01'), one))).toMatchObject({
      kind: 'invalid',
      code: 'HEADER_KEY',
    })
    expect(check(batchOf(bytesOf('14 00 00 00 01 01 02 04 c3a9 01'), one))).toBeUndefined()
    expect(check(batchOf(bytesOf('10 00 00 00 01 01 02 01 01'), one))).toMatchObject({ kind: 'corrupt' })
  })

  it('refuses timestamps whose microseconds do not fit, and takes the extremes that do', () => {
    const of = (timestamp: bigint): unknown =>
      check(
        encodeBatch({
          baseOffset: 0n,
          records: [{ ...goldenRecords[0]!, offset: 0n, timestamp }],
          timestampType: 'create',
        }),
      )
    for (const good of [TIMESTAMP_MS_MAX, -TIMESTAMP_MS_MAX, -1n, 0n]) expect(of(good)).toBeUndefined()
    for (const bad of [TIMESTAMP_MS_MAX + 1n, -TIMESTAMP_MS_MAX - 1n, INT64_MIN, INT64_MAX]) {
      expect(of(bad)).toMatchObject({ kind: 'invalid', code: 'TIMESTAMP_RANGE' })
    }
    const late = (view: DataView): void => view.setBigInt64(35, INT64_MAX)
    expect(check(batchOf(section, late))).toMatchObject({ kind: 'invalid', code: 'TIMESTAMP_RANGE' })
  })

  it('stops at each limit', () => {
    expect(check(golden, { maxBatchBytes: 79 })).toMatchObject({ kind: 'exhausted' })
    expect(check(golden, { maxBatchBytes: 80 })).toBeUndefined()
    expect(check(golden, { maxRecordsPerBatch: 1 })).toMatchObject({ kind: 'exhausted' })
    expect(check(golden, { maxRecordBytes: 7 })).toMatchObject({ kind: 'exhausted' })
    expect(check(golden, { maxRecordBytes: 8 })).toBeUndefined()
    expect(check(golden, { maxHeadersPerRecord: 0 })).toMatchObject({ kind: 'exhausted' })
    const bombs = [
      [1, gzipSync(new Uint8Array(1 << 24))],
      [4, zstdCompressSync(new Uint8Array(1 << 24))],
    ] as const
    for (const [code, bomb] of bombs) {
      expect(check(batchOf(bomb, attributes(code)), { maxDecompressedBatchBytes: 1 << 16 })).toMatchObject({
        kind: 'exhausted',
      })
    }
    expect(check(batchOf(section, attributes(1)))).toMatchObject({ kind: 'corrupt', code: 'DECOMPRESS' })
  })
})

describe('RecordCursor', () => {
  it('gives offsets and timestamps as halves, and positions in the arena', () => {
    fc.assert(
      fc.property(body, int64, fc.bigInt({ min: 0n, max: INT64_MAX }), (row, timestamp, offset) => {
        const batch = encodeBatch({
          baseOffset: offset,
          records: [{ ...row, offset, timestamp }],
          timestampType: 'create',
        })
        const arena = new Arena(16)
        arena.append(utf8('before'))
        const header = readBatchHeader(batch, 0)
        const start = appendRecordsSection(arena, batch, 0, header)
        const cursor = new RecordCursor()
        cursor.open(arena.bytes, start, arena.length, header)
        expect(cursor.next()).toBe(true)
        expect([cursor.offset, cursor.timestamp]).toEqual([offset, timestamp])
        expect(BigInt.asIntN(64, (BigInt(cursor.timestampHigh) << 32n) | BigInt(cursor.timestampLow >>> 0))).toBe(
          timestamp,
        )
        expect(cursor.valueStart < 0 ? null : arena.bytes.slice(cursor.valueStart, cursor.valueEnd)).toEqual(row.value)
        expect(cursor.isMinimal).toBe(true)
        const body = arena.bytes.subarray(cursor.bodyStart, cursor.bodyEnd)
        for (const place of [0, 0x9abcdef0]) {
          expect(recordCrc(cursor, place)).toBe(recordCrcOf(row, place))
          expect(recordCrc(cursor, place)).toBe(native(body, place) | 0)
        }
        expect(cursor.next()).toBe(false)
      }),
    )
  })

  it('takes varints longer than needed, says so, and gives the checksum of the minimal framing', () => {
    // Key "k" with a two-byte length, a header count of three bytes, a header value length of five.
    const wide = bytesOf('2a 00 00 00 8200 6b 02 76 828000 02 68 8280808000 78')
    wide[0] = (wide.length - 1) * 2
    const batch = batchOf(wide, (view) => {
      view.setInt32(23, 0)
      view.setInt32(57, 1)
    })
    expect(checkBatch(batch, 0).recordCount).toBe(1)
    const [record] = readRecords(batch, 0)
    expect(record).toMatchObject({ key: utf8('k'), value: utf8('v'), headers: [['h', utf8('x')]] })
    const cursor = new RecordCursor()
    cursor.open(batch, 61, batch.length, readBatchHeader(batch, 0))
    cursor.next()
    expect(cursor.isMinimal).toBe(false)
    expect(recordCrc(cursor, 5)).toBe(recordCrcOf(record!, 5))
    expect(recordCrc(cursor, 0)).not.toBe(native(batch.subarray(cursor.bodyStart, cursor.bodyEnd)) | 0)
  })
})

describe('recordCrcOf', () => {
  it('tells null from empty, one header from another, and their order', () => {
    const none = { key: null, value: null, headers: [] }
    const sums = [
      none,
      { ...none, key: utf8('') },
      { ...none, value: utf8('') },
      { ...none, headers: [['a', null] as const] },
      { ...none, headers: [['a', utf8('')] as const] },
      { ...none, headers: [['a', null] as const, ['b', null] as const] },
      { ...none, headers: [['b', null] as const, ['a', null] as const] },
    ].map((body) => recordCrcOf(body, 0))
    expect(new Set(sums).size).toBe(sums.length)
    // Frozen: 01 01 00.
    expect(sums[0]).toBe(native(Uint8Array.of(1, 1, 0)) | 0)
  })
})

function plain(records: readonly BatchRecord[]): unknown {
  const list = (bytes: Uint8Array | null): unknown => (bytes === null ? null : [...bytes])
  return records.map(({ offset, timestamp, key, value, headers }) => [
    offset,
    timestamp,
    list(key),
    list(value),
    headers.map(([name, content]) => [name, list(content)]),
  ])
}
