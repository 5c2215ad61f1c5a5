import { crc32, deflateRawSync } from 'node:zlib'
import type { JsonValue } from '@moulin/core'
import { INT64_MAX, INT64_MIN, isKind, isMoulinError } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compress } from '../bytes/compression.ts'
import { readAvroFile, writeAvroFile } from './avro-file.ts'
import { ByteSink } from '../bytes/byte-sink.ts'

const schema: JsonValue = {
  type: 'record',
  name: 'manifest_entry',
  fields: [
    { name: 'status', type: 'int', 'field-id': 0 },
    { name: 'snapshot_id', type: ['null', 'long'], default: null, 'field-id': 1 },
    {
      name: 'data_file',
      'field-id': 2,
      type: {
        type: 'record',
        name: 'r2',
        fields: [
          { name: 'file_path', type: 'string', 'field-id': 100 },
          { name: 'ratio', type: 'double' },
          { name: 'half', type: ['float', 'null'] },
          { name: 'partition', type: { type: 'fixed', name: 'f4', size: 4 } },
          {
            name: 'lower_bounds',
            'field-id': 125,
            type: [
              'null',
              {
                type: 'array',
                logicalType: 'map',
                items: {
                  type: 'record',
                  name: 'k126_v127',
                  fields: [
                    { name: 'key', type: 'int', 'field-id': 126 },
                    { name: 'value', type: 'bytes', 'field-id': 127 },
                  ],
                },
              },
            ],
          },
          { name: 'tags', type: { type: 'map', values: ['null', 'string', 'long'] } },
          { name: '__proto__', type: { type: 'enum', name: 'e', symbols: ['A', 'B'] } },
        ],
      },
    },
  ],
}

const record = fc.record({
  status: fc.integer(),
  snapshot_id: fc.option(fc.bigInt({ min: INT64_MIN, max: INT64_MAX })),
  data_file: fc
    .record({
      file_path: fc.string({ unit: 'binary' }),
      ratio: fc.double(),
      half: fc.option(fc.float()),
      partition: fc.uint8Array({ minLength: 4, maxLength: 4 }),
      lower_bounds: fc.option(fc.array(fc.record({ key: fc.integer(), value: fc.uint8Array() }), { maxLength: 4 })),
      tags: fc
        .array(
          fc.tuple(
            fc.string(),
            fc.oneof(
              fc.constant(null),
              fc.record({ string: fc.string() }, { noNullPrototype: false }),
              fc.record({ long: fc.bigInt({ min: INT64_MIN, max: INT64_MAX }) }),
            ),
          ),
          { maxLength: 3 },
        )
        .map((entries) => new Map(entries)),
    })
    .map((file) => Object.defineProperty(file, '__proto__', { value: 'B', enumerable: true })),
})

const plain = (value: unknown): unknown => {
  if (value instanceof Map) return [...value].map(([key, each]) => [key, plain(each)])
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null) return Object.entries(value).map(([key, each]) => [key, plain(each)])
  return value
}

describe('Avro container files', () => {
  it('give back every value, 64-bit exact, with both codecs and any block size', () => {
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 20 }),
        fc.constantFrom('null' as const, 'deflate' as const),
        fc.integer({ min: 1, max: 500 }),
        (records, codec, blockBytes) => {
          const bytes = writeAvroFile({ schema, records, codec, blockBytes, metadata: { 'format-version': '2' } })
          const file = readAvroFile(bytes)
          expect(plain(file.records)).toEqual(plain(records))
          expect(file.schema).toEqual(schema)
          expect(file.metadata.get('format-version')).toBe('2')
          expect(writeAvroFile({ schema, records, codec, blockBytes, metadata: { 'format-version': '2' } })).toEqual(
            bytes,
          )
        },
      ),
      { numRuns: 50 },
    )
  })

  it('give rows that have no prototype', () => {
    const file = readAvroFile(writeAvroFile({ schema: flat, records: [{ n: 1 }] }))
    expect(Object.getPrototypeOf(file.records[0])).toBeNull()
  })

  it('name the damage, or read on, whatever byte flips and wherever it is cut', () => {
    const records = [
      { status: 1, snapshot_id: INT64_MIN, data_file: fc.sample(record, { seed: 1, numRuns: 1 })[0]!.data_file },
    ]
    const good = writeAvroFile({ schema, records, codec: 'null' })
    const attempt = (bytes: Uint8Array): void => {
      try {
        readAvroFile(bytes)
      } catch (error) {
        if (!isMoulinError(error) || error.kind === 'internal') throw error
      }
    }
    for (let at = 0; at < good.length; at++) {
      attempt(good.subarray(0, at))
      for (const flip of [1, 0x80, 0xff]) attempt(good.map((byte, index) => (index === at ? byte ^ flip : byte)))
    }
  })

  it('read snappy and zstandard blocks and check the snappy checksum', () => {
    const content = Uint8Array.of(2, 3, 4)
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(crc32(content))
    const snappy = Buffer.concat([compress('snappy', content), sum])
    expect(readAvroFile(fileOf('snappy', 3, snappy)).records).toMatchObject([{ n: 1 }, { n: -2 }, { n: 2 }])
    expect(readAvroFile(fileOf('zstandard', 3, compress('zstd', content))).records).toHaveLength(3)
    snappy[snappy.length - 1]! ^= 1
    expect(errorOf(() => readAvroFile(fileOf('snappy', 3, snappy)))).toMatchObject({
      kind: 'corrupt',
      code: 'AVRO_CRC',
    })
  })

  it('refuse an unknown codec by name', () => {
    const error = errorOf(() => readAvroFile(fileOf('bzip2', 1, Uint8Array.of(2))))
    expect(error).toMatchObject({ kind: 'unsupported', message: expect.stringContaining('bzip2') })
  })

  it('stop at their limits: file, block, and items of no bytes', () => {
    const bytes = writeAvroFile({ schema: flat, records: Array.from({ length: 1000 }, () => ({ n: 0 })) })
    const read = (caps: object): unknown => errorOf(() => readAvroFile(bytes, { caps }))
    expect(read({ maxAvroFileBytes: 10 })).toMatchObject({ kind: 'exhausted' })
    expect(read({ maxAvroBlockBytes: 999 })).toMatchObject({ kind: 'exhausted' })
    expect(read({ maxAvroBlockBytes: 1000 })).toBeUndefined()
    const nothing: JsonValue = { type: 'record', name: 'r', fields: [{ name: 'n', type: 'null' }] }
    expect(errorOf(() => readAvroFile(fileOf('null', 2 ** 40, new Uint8Array(0), nothing)))).toMatchObject({
      kind: 'exhausted',
    })
    expect(errorOf(() => readAvroFile(fileOf('deflate', 1, deflateRawSync(new Uint8Array(9)))))).toMatchObject({
      kind: 'corrupt',
    })
  })

  it('stop a schema whose value of no bytes would take endless work', () => {
    let type: JsonValue = { type: 'record', name: 'r0', fields: [{ name: 'n', type: 'null' }] }
    for (let level = 1; level < 30; level++) {
      const fields: JsonValue[] = [
        { name: 'a', type },
        { name: 'b', type: `r${level - 1}` },
      ]
      type = { type: 'record', name: `r${level}`, fields }
    }
    expect(errorOf(() => readAvroFile(fileOf('null', 1, new Uint8Array(0), type)))).toMatchObject({ kind: 'exhausted' })
  })

  it('name the field of a value that does not fit', () => {
    const error = errorOf(() => writeAvroFile({ schema, records: [{ status: 2 ** 31 }] }))
    expect(error).toMatchObject({ kind: 'invalid', context: { field: 'value.status' } })
    expect(
      isKind(
        errorOf(() => writeAvroFile({ schema: flat, records: [{}] })),
        'invalid',
      ),
    ).toBe(true)
  })
})

const flat: JsonValue = { type: 'record', name: 'r', fields: [{ name: 'n', type: 'int' }] }

function fileOf(codec: string, count: number, block: Uint8Array, of: JsonValue = flat): Uint8Array {
  const sink = new ByteSink()
  sink.raw(Uint8Array.of(0x4f, 0x62, 0x6a, 1))
  sink.varint(2)
  for (const text of ['avro.codec', codec, 'avro.schema', JSON.stringify(of)]) sink.string(text)
  sink.byte(0)
  sink.raw(new Uint8Array(16))
  sink.varint(count)
  sink.bytes(block)
  sink.raw(new Uint8Array(16))
  return sink.finish()
}

function errorOf(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}
