import { describe, expect, it } from 'vitest'
import type { LeafEncoding } from '../file-writer.ts'
import { batchFrom, decimalBytes, field, listType, utf8 } from '../parquet.test-columns.ts'
import { encodingsOf, lcg, pagesOf, readBack, write, writer } from './encode.test-support.ts'

describe('Encodings of parquetWriter', () => {
  const next = lcg(7)
  const grid: readonly (readonly [string, LeafEncoding, string, () => unknown])[] = [
    ['boolean', 'rle', 'RLE', () => next(5) > 0],
    ['int', 'plain', 'PLAIN', () => next(2 ** 31)],
    ['int', 'dictionary', 'RLE_DICTIONARY', () => next(300) - 150],
    ['int', 'delta-binary-packed', 'DELTA_BINARY_PACKED', () => next(2 ** 31) - 2 ** 30],
    ['int', 'byte-stream-split', 'BYTE_STREAM_SPLIT', () => next(2 ** 31)],
    ['long', 'dictionary', 'RLE_DICTIONARY', () => BigInt(next(30)) * 2n ** 40n - 1n],
    ['long', 'delta-binary-packed', 'DELTA_BINARY_PACKED', () => BigInt(next(2 ** 31)) * 2n ** 32n - 2n ** 62n],
    ['long', 'byte-stream-split', 'BYTE_STREAM_SPLIT', () => BigInt(next(2 ** 31)) ** 2n],
    ['float', 'dictionary', 'RLE_DICTIONARY', () => Math.fround(next(40) / 3)],
    ['float', 'byte-stream-split', 'BYTE_STREAM_SPLIT', () => Math.fround(next(2 ** 20) / 3)],
    ['double', 'dictionary', 'RLE_DICTIONARY', () => [NaN, -0, 0, 1.5][next(4)]],
    ['double', 'byte-stream-split', 'BYTE_STREAM_SPLIT', () => next(2 ** 30) / 7],
    ['string', 'dictionary', 'RLE_DICTIONARY', () => utf8('longer than eight '.slice(next(12)) + String(next(9)))],
    ['string', 'delta-length-byte-array', 'DELTA_LENGTH_BYTE_ARRAY', () => utf8('x'.repeat(next(30)))],
    ['string', 'delta-byte-array', 'DELTA_BYTE_ARRAY', () => utf8(`prefix ${next(1000)}`)],
    ['uuid', 'dictionary', 'RLE_DICTIONARY', () => new Uint8Array(16).fill(next(20))],
    ['uuid', 'byte-stream-split', 'BYTE_STREAM_SPLIT', () => new Uint8Array(16).fill(next(256))],
    ['fixed[3]', 'delta-byte-array', 'DELTA_BYTE_ARRAY', () => Uint8Array.of(1, next(3), next(256))],
    ['decimal(9,2)', 'delta-binary-packed', 'DELTA_BINARY_PACKED', () => BigInt(next(2 ** 29)) - 7n],
    ['decimal(30,2)', 'dictionary', 'RLE_DICTIONARY', () => decimalBytes(-BigInt(next(50)) * 10n ** 20n, 30)],
  ]
  for (const [type, encoding, stored, value] of grid) {
    it(`writes ${type} as ${encoding}, alone, with nulls and in lists`, async () => {
      const fields = [field(1, 'whole', type, true), field(2, 'holes', type), field(3, 'list', listType(4, type))]
      const maybe = () => (next(4) === 0 ? null : value())
      const rows = Array.from({ length: 3000 }, () => [
        value(),
        maybe(),
        next(5) === 0 ? null : Array.from({ length: next(4) }, maybe),
      ])
      const encodings = { whole: encoding, holes: encoding, 'list.list.element': encoding }
      const written = write(fields, [rows.slice(0, 2000), rows.slice(2000)], { encodings, pageBytes: 512 })
      expect(await readBack(fields, written)).toEqual(rows)
      for (const column of [0, 1, 2]) {
        const data = pagesOf(written, column).filter(({ kind }) => kind === 'data')
        expect(data.length).toBeGreaterThan(0)
        expect(encodingsOf(data)).toEqual([stored])
      }
    })
  }

  it('goes on without a dictionary that is full, within the chunk, at a row', async () => {
    const fields = [field(1, 'text', listType(2, 'string', true), true), field(3, 'n', 'long', true)]
    const rows = Array.from({ length: 9000 }, (_, i) => [
      [utf8(`${i} ${'y'.repeat(120)}`), utf8('again and again')],
      BigInt(Math.imul(i, 0x9e3779b1)) * 2n ** 20n,
    ])
    const encodings = { 'text.list.element': 'dictionary', n: 'dictionary' } as const
    for (const stream of [false, true]) {
      const file = writer(fields, { encodings, columnIndexes: 'all' })
      if (stream) for (let i = 0; i < rows.length; i += 1000) file.write(batchFrom(fields, rows.slice(i, i + 1000)))
      else file.writeRowGroup(batchFrom(fields, rows))
      const written = file.finish()
      expect(await readBack(fields, written)).toEqual(rows)
      const pages = pagesOf(written, 0)
      expect(pages[0]).toMatchObject({ kind: 'dictionary', encoding: 'PLAIN' })
      expect(encodingsOf(pages.slice(1))).toEqual(['RLE_DICTIONARY', 'PLAIN'])
      expect(encodingsOf(pagesOf(written, 1).slice(1))).toEqual(['RLE_DICTIONARY'])
      expect(written.metrics.get(3)!.lower).toBe(rows.map(([, n]) => n as bigint).reduce((a, b) => (a < b ? a : b)))
    }
  })

  it('chooses by content: a dictionary for what repeats, deltas for other integers where they may be, else PLAIN', () => {
    const fields = [
      field(1, 'offset', 'long', true),
      field(2, 'constant', 'int', true),
      field(3, 'few', 'string', true),
      field(4, 'unique', 'string', true),
      field(5, 'price', 'double', true),
      field(6, 'random', 'long', true),
      field(7, 'status', 'int', true),
    ]
    const rows = Array.from({ length: 20_000 }, (_, i) => [
      5_000_000_000n + BigInt(i),
      7,
      utf8(['page_view', 'click', 'scroll'][next(3)]!),
      utf8(`${next(2 ** 31)}-${i}`),
      next(2 ** 30) / 1000,
      BigInt(next(2 ** 31)) * BigInt(next(2 ** 31)),
      [200, 404, 500_000, 1_000_000][next(4)],
    ])
    const chosen = (stream: boolean, deltas: boolean): string[] => {
      const file = writer(fields, { deltas })
      if (stream) for (let i = 0; i < rows.length; i += 1000) file.write(batchFrom(fields, rows.slice(i, i + 1000)))
      else file.writeRowGroup(batchFrom(fields, rows))
      const written = file.finish()
      return fields.map((_, column) =>
        encodingsOf(pagesOf(written, column).filter(({ kind }) => kind === 'data')).join(),
      )
    }
    const expected = [
      'DELTA_BINARY_PACKED',
      'RLE_DICTIONARY',
      'RLE_DICTIONARY',
      'PLAIN',
      'PLAIN',
      'DELTA_BINARY_PACKED',
      'RLE_DICTIONARY',
    ]
    const plain = expected.map((encoding) => (encoding === 'DELTA_BINARY_PACKED' ? 'PLAIN' : encoding))
    for (const stream of [false, true]) {
      expect(chosen(stream, true)).toEqual(expected)
      expect(chosen(stream, false)).toEqual(plain)
    }
  })
})
