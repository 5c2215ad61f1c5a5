import { type Arena, isValid, schema, t } from '@moulin/core'
import type { BatchRun, BytesColumn, Codec, Column, ColumnBatch, ListColumn, StructColumn } from '@moulin/core'
import { avro, crc32c, encodeBatch, json, recordCrcOf, RecordPlace } from '@moulin/format'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../lake.test-support.ts'
import { emptyTally, RowBuilder } from './row-builder.ts'

const record = (offset: bigint, value: string | null = 'v'): Parameters<typeof encodeBatch>[0]['records'][number] => ({
  offset,
  timestamp: offset,
  key: null,
  value: value === null ? null : utf8(value),
  headers: [],
})

function batch(offsets: readonly bigint[], lastOffset?: bigint): Uint8Array {
  const records = offsets.map((offset) => record(offset))
  return encodeBatch({ baseOffset: offsets[0]!, records, timestampType: 'create', ...(lastOffset && { lastOffset }) })
}

function runOf(batches: Uint8Array, valueSchemaIds: number | readonly number[] = 0): BatchRun {
  return { partition: 4, baseOffset: 0n, nextOffset: 100n, batches, valueSchemaIds }
}

// Bits of the attributes, after the base offset, length, epoch, magic and CRC of a batch.
function withAttributes(bytes: Uint8Array, bits: number): Uint8Array {
  const changed = new Uint8Array(bytes)
  changed[22]! |= bits
  new DataView(changed.buffer).setUint32(17, crc32c(changed.subarray(21)))
  return changed
}

const builder = (options: Partial<ConstructorParameters<typeof RowBuilder>[0]> = {}): RowBuilder =>
  new RowBuilder({ incarnation: 2, rowCrc: true, keepRaw: false, values: undefined, ...options })

function column(rows: ColumnBatch, name: string): unknown[] {
  const { column: found } = rows.columns.find((entry) => entry.name === name)!
  return Array.from((found as { values: ArrayLike<unknown> }).values)
}

const everything = { from: 0n, to: 1000n }

describe('RowBuilder', () => {
  it('takes the records of the range, whatever batches they lie in', () => {
    const batches = Buffer.concat([batch([0n, 1n, 2n]), batch([3n, 5n], 7n), batch([8n, 9n])])
    for (const [from, to, offsets] of [
      [0n, 10n, [0n, 1n, 2n, 3n, 5n, 8n, 9n]],
      [1n, 9n, [1n, 2n, 3n, 5n, 8n]],
      [4n, 5n, []],
      [5n, 6n, [5n]],
      [6n, 8n, []],
    ] as const) {
      const rows = builder()
      const tally = emptyTally()
      rows.add(runOf(batches), { from, to }, tally)
      const taken = rows.take()
      expect(column(taken, '_kafka_offset')).toEqual(offsets)
      expect(tally).toMatchObject({ rows: offsets.length, lastRow: offsets.at(-1) ?? null, control: 0 })
      expect(tally.checksum).toBe(
        column(taken, '_kafka_crc').reduce((sum: bigint, crc) => sum + BigInt(crc as number), 0n),
      )
      expect(column(taken, '_kafka_partition')).toEqual(offsets.map(() => 4))
      expect(column(taken, '_kafka_incarnation')).toEqual(offsets.map(() => 2))
    }
  })

  it('counts control records and gives them no row; refuses transactions by name', () => {
    const rows = builder()
    const tally = emptyTally()
    const control = withAttributes(batch([3n]), 32)
    rows.add(runOf(Buffer.concat([batch([2n]), control, batch([4n])])), everything, tally)
    expect(tally).toMatchObject({ rows: 2, control: 1, lastRow: 4n })
    rows.add(runOf(control), { from: 4n, to: 9n }, tally)
    expect(tally.control).toBe(1)
    const transactional = withAttributes(batch([5n]), 16)
    expect(() => rows.add(runOf(transactional), everything, tally)).toThrow(
      expect.objectContaining({ kind: 'unsupported' }),
    )
  })

  it('knows which schema each record is of, across batches and trimmed ends', () => {
    const rows = builder()
    const batches = Buffer.concat([batch([0n, 1n]), batch([2n, 3n])])
    rows.add({ ...runOf(batches, [7, 8, 9, 10]), keySchemaIds: [1, 1, 1, 2] }, { from: 1n, to: 4n }, emptyTally())
    const taken = rows.take()
    expect(column(taken, '_kafka_schema_id')).toEqual([8, 9, 10])
    expect(column(taken, '_kafka_key_schema_id')).toEqual([1, 1, 2])
  })

  it('hands rows over before they take more than the bytes it is given', () => {
    const rows = builder()
    const parts: number[] = []
    const batches = Buffer.concat(Array.from({ length: 20 }, (_, at) => batch([BigInt(at)])))
    rows.add(runOf(batches), everything, emptyTally(), {
      maxBytes: 40,
      maxRows: 1000,
      rows: (part) => void parts.push(part.length),
    })
    expect(parts.length).toBeGreaterThan(3)
    expect(parts.reduce((a, b) => a + b, rows.rows)).toBe(20)
  })

  it('keeps nothing of batches that give no row, however many there are, between rows as well', () => {
    const rows = builder()
    const tally = emptyTally()
    const filled = (offset: bigint): Uint8Array =>
      encodeBatch({ baseOffset: offset, records: [record(offset, 'x'.repeat(5000))], timestampType: 'create' })
    for (const at of [0n, 30n, 60n]) {
      const gone = Array.from({ length: 29 }, (_, index) => filled(at + 1n + BigInt(index)))
      rows.add(runOf(batch([at])), everything, tally)
      const before = rows.sizeBytes
      rows.add({ ...runOf(Buffer.concat(gone)), aborted: [{ from: at + 1n, to: at + 30n }] }, everything, tally)
      // Nor of a batch that reaches into the range with a gap only.
      rows.add(runOf(batch([at + 10n], at + 12n)), { from: at + 11n, to: at + 12n }, tally)
      expect(rows.sizeBytes).toBe(before)
    }
    expect(tally).toMatchObject({ rows: 3, aborted: 87, lastRow: 60n })
    const taken = rows.take()
    expect(column(taken, '_kafka_offset')).toEqual([0n, 30n, 60n])
    const plain = builder()
    for (const at of [0n, 30n, 60n]) plain.add(runOf(batch([at])), everything, emptyTally())
    expect(column(taken, '_kafka_crc')).toEqual(column(plain.take(), '_kafka_crc'))
  })

  it('begins anew after each take', () => {
    const rows = builder({
      values: {
        codecs: new Map([
          [
            0,
            {
              builders: (arena: Arena) => [arena].slice(1) as never[],
              decodeRow: () => 'canonical' as const,
              encodeRow: () => 0,
            },
          ],
        ]),
        names: [],
      },
    })
    rows.add(runOf(batch([0n])), everything, emptyTally())
    expect(rows.take().length).toBe(1)
    expect(rows.take().length).toBe(0)
    rows.add(runOf(batch([7n])), everything, emptyTally())
    expect(column(rows.take(), '_kafka_offset')).toEqual([7n])
  })

  it('is corrupt for a batch whose checksum is wrong', () => {
    const bytes = batch([0n, 1n])
    bytes[bytes.length - 2]! ^= 1
    expect(() => builder().add(runOf(bytes), everything, emptyTally())).toThrow(
      expect.objectContaining({ kind: 'corrupt', code: 'BATCH_CRC' }),
    )
  })

  it('is corrupt for bytes that are no batch', () => {
    expect(() => builder().add(runOf(utf8('nothing like a batch at all')), everything, emptyTally())).toThrow(
      expect.objectContaining({ kind: 'corrupt' }),
    )
  })
})

// One record at a time, with objects: what the columns must say.
describe('RowBuilder, held against records one by one', () => {
  const Value = schema({ name: t.string, code: t.int.optional(), at: t.timestamptz.micros })
  const codecs = [avro(Value), json(Value)] as unknown as Codec[]
  const value = fc.record({
    name: fc.string({ unit: 'grapheme', maxLength: 20 }),
    code: fc.option(fc.integer()),
    at: fc.bigInt({ min: -(2n ** 50n), max: 2n ** 50n }),
  })
  const bytes = fc.option(fc.uint8Array({ maxLength: 30 }))
  const sent = fc.record({
    key: bytes,
    value: fc.oneof(
      { weight: 6, arbitrary: value.map((content) => ({ content })) },
      { weight: 1, arbitrary: bytes.map((raw) => ({ raw })) },
    ),
    timestamp: fc.oneof(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -(2 ** 46), max: 2 ** 46 })).map(BigInt),
    headers: fc.array(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 5 }), bytes), { maxLength: 2 }),
    gap: fc.constantFrom(0n, 0n, 0n, 3n),
    schemaId: fc.constantFrom(1, 1, 1, 2),
  })
  const sentBatch = fc.record({
    records: fc.array(sent, { minLength: 1, maxLength: 12 }),
    compression: fc.constantFrom('none' as const, 'zstd' as const),
    timestampType: fc.constantFrom('create' as const, 'create' as const, 'append' as const),
  })

  it('gives the same keys, headers, times, checksums, states and raw bytes', () => {
    fc.assert(
      fc.property(
        fc.array(sentBatch, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(...codecs),
        fc.boolean(),
        fc.integer({ min: 1, max: 20 }),
        (all, codec, keepRaw, maxRows) => {
          let next = 0n
          const expected: Record<string, unknown>[] = []
          const ids: number[] = []
          const batches = all.map(({ records, compression, timestampType }) => {
            const baseOffset = next
            const framed = records.map((record) => {
              const content = 'content' in record.value ? codec.encode(record.value.content) : record.value.raw
              const offset = (next += record.gap)
              next++
              const timestamp = timestampType === 'append' ? records[0]!.timestamp : record.timestamp
              const { key, headers, schemaId } = record
              const place = new RecordPlace(2, 4).crc(Number(offset >> 32n), Number(offset), {
                timestampHigh: Number(BigInt.asIntN(32, timestamp >> 32n)),
                timestampLow: Number(BigInt.asIntN(32, timestamp)),
                timestampType,
              })
              ids.push(schemaId)
              const isTyped = content !== null && schemaId === 1 && codecReads(codec, content)
              const isKept = content !== null && (!isTyped || keepRaw || !isSame(codec, content))
              expected.push({
                offset,
                timestamp: timestamp === -1n ? null : timestamp * 1000n,
                type: timestampType === 'append' ? 1 : 0,
                key: key && [...key],
                headers: headers.map(([name, header]) => [name, header && [...header]]),
                crc: recordCrcOf({ key, value: content, headers }, place),
                state: content === null ? 'null' : !isTyped ? 'raw' : isKept ? 'typed+raw' : 'typed',
                raw: isKept ? [...content] : null,
                id: schemaId,
                name: isTyped ? (codec.decode(content) as { name: string }).name : null,
              })
              return { offset, timestamp, key, value: content, headers }
            })
            return encodeBatch({ baseOffset, records: framed, compression, timestampType })
          })
          const names = Value.fields.map(({ name }) => name)
          const rows = builder({ keepRaw, values: { codecs: new Map([[1, codec.columnar!]]), names } })
          const found: Record<string, unknown>[] = []
          const drain = { maxBytes: 1 << 20, maxRows, rows: (part: ColumnBatch) => void found.push(...rowsOf(part)) }
          rows.add(
            { ...runOf(Buffer.concat(batches), ids), nextOffset: next },
            { from: 0n, to: next },
            emptyTally(),
            drain,
          )
          if (rows.rows > 0) drain.rows(rows.take())
          expect(found).toEqual(expected)
        },
      ),
      { numRuns: 150 },
    )
  })
})

function codecReads(codec: Codec, bytes: Uint8Array): boolean {
  try {
    codec.decode(bytes)
    return true
  } catch {
    return false
  }
}

const isSame = (codec: Codec, bytes: Uint8Array): boolean =>
  Buffer.compare(codec.encode(codec.decode(bytes)), bytes) === 0

function rowsOf(batch: ColumnBatch): Record<string, unknown>[] {
  const of = (name: string): Column => batch.columns.find((entry) => entry.name === name)!.column
  const number = (name: string, row: number): unknown =>
    isValid(of(name), row) ? (of(name) as { values: ArrayLike<unknown> } & Column).values[row] : null
  const bytes = (column: Column, row: number): number[] | null => {
    const { data, starts, ends } = column as BytesColumn
    return isValid(column, row) ? [...data.subarray(starts[row], ends[row])] : null
  }
  const text = (column: Column, row: number): string | null => {
    const found = bytes(column, row)
    return found && Buffer.from(found).toString()
  }
  return Array.from({ length: batch.length }, (_, row) => {
    const headers = of('_kafka_headers') as ListColumn
    const [key, value] = (headers.element as StructColumn).fields
    return {
      offset: number('_kafka_offset', row),
      timestamp: number('_kafka_timestamp', row),
      type: number('_kafka_timestamp_type', row),
      key: bytes(of('_kafka_key'), row),
      headers: Array.from({ length: headers.offsets[row + 1]! - headers.offsets[row]! }, (_unused, at) => {
        const child = headers.offsets[row]! + at
        return [text(key!.column, child), bytes(value!.column, child)]
      }),
      crc: number('_kafka_crc', row),
      state: text(of('_kafka_value_state'), row),
      raw: bytes(of('_kafka_value'), row),
      id: number('_kafka_schema_id', row),
      name: text(of('name'), row),
    }
  })
}
