import { zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { puffinFile } from './puffin.test-support.ts'
import { bytesRangeReader } from '../parquet/range-reader.ts'
import { puffinBlobContent } from './puffin-blob.ts'
import { readPuffinFooter } from './puffin-footer.ts'
import type { PuffinBlob } from './puffin-footer.ts'

const read = (bytes: Uint8Array): Promise<readonly PuffinBlob[]> =>
  readPuffinFooter(bytesRangeReader(bytes, 'x.puffin'))
const blobs = [
  { bytes: Buffer.from('one'), properties: { 'referenced-data-file': 'file:///a', cardinality: '3' } },
  { bytes: Buffer.from('two two'), type: 'apache-datasketches-theta-v1', codec: 'zstd' },
]
const { bytes } = puffinFile(blobs)

/** A frame of one block without any match. */
function lz4Of(plain: Uint8Array): Uint8Array {
  const head = Buffer.alloc(19)
  head.writeUInt32LE(0x184d2204)
  head[4] = 0x68
  head[5] = 0x70
  head.writeBigUInt64LE(BigInt(plain.length), 6)
  head.writeUInt32LE((plain.length | 0x80000000) >>> 0, 15)
  return Buffer.concat([head, plain, Buffer.alloc(4)])
}

describe('readPuffinFooter', () => {
  it('gives the blobs as the footer describes them', async () => {
    expect(await read(bytes)).toEqual([
      {
        type: 'deletion-vector-v1',
        fields: [],
        snapshotId: -1n,
        sequenceNumber: -1n,
        offset: 4,
        sizeBytes: 3,
        compression: undefined,
        properties: new Map(Object.entries(blobs[0]!.properties!)),
      },
      expect.objectContaining({
        type: blobs[1]!.type,
        offset: 7,
        sizeBytes: 7,
        compression: 'zstd',
        properties: new Map(),
      }),
    ])
    expect(await read(puffinFile([]).bytes)).toEqual([])
  })

  it('reads one that is compressed, or longer than what is fetched at first', async () => {
    expect(await read(puffinFile(blobs, lz4Of, 1).bytes)).toEqual(await read(bytes))
    const many = Array.from({ length: 500 }, (_, at) => ({ bytes: Buffer.from(`${at}`) }))
    expect(await read(puffinFile(many).bytes)).toHaveLength(500)
  })

  const put = (at: number, ...changed: readonly number[]): Uint8Array => {
    const copy = bytes.slice()
    copy.set(changed, at < 0 ? copy.length + at : at)
    return copy
  }
  const withFooter = (json: string): Uint8Array => puffinFile([], () => Buffer.from(json)).bytes
  const oneBlob = (more: object): string =>
    JSON.stringify({
      blobs: [{ type: 'x', fields: [], 'snapshot-id': 1, 'sequence-number': 1, offset: 4, length: 0, ...more }],
    })

  it.each<[string, Uint8Array, string, string]>([
    ['an empty file', new Uint8Array(0), 'corrupt', 'PUFFIN'],
    ['Parquet', put(-4, 80, 65, 82, 49), 'corrupt', 'PUFFIN'],
    ['a footer of negative length', put(-12, 0, 0, 0, 128), 'corrupt', 'PUFFIN'],
    ['a footer longer than the file', put(-12, 0xff, 0xff, 0, 0), 'corrupt', 'PUFFIN'],
    ['a footer that begins elsewhere', put(-12, 10), 'corrupt', 'PUFFIN'],
    ['unknown flags', put(-8, 2), 'unsupported', 'PUFFIN_FLAGS'],
    ['a footer that is no frame', put(-8, 1), 'corrupt', 'DECOMPRESS'],
    ['no JSON', withFooter('{'), 'corrupt', 'JSON_MALFORMED'],
    ['no blobs', withFooter('{}'), 'corrupt', 'PUFFIN'],
    ['a blob behind the file', withFooter(oneBlob({ offset: 4, length: 1 })), 'corrupt', 'PUFFIN'],
    ['a blob before the file', withFooter(oneBlob({ offset: -1 })), 'corrupt', 'PUFFIN'],
    ['a blob of no type', withFooter(oneBlob({ type: 7 })), 'corrupt', 'PUFFIN'],
    ['properties that are no text', withFooter(oneBlob({ properties: { a: 1 } })), 'corrupt', 'PUFFIN'],
  ])('refuses %s', async (_, file, kind, code) => {
    await expect(read(file)).rejects.toMatchObject({ kind, code })
  })

  it('reads no footer beyond what many blobs need', async () => {
    const file = puffinFile([], () => Buffer.alloc(3 * 1024 * 1024, ' ')).bytes
    await expect(read(file)).rejects.toMatchObject({ kind: 'exhausted', code: 'PUFFIN_FOOTER' })
  })
})

describe('puffinBlobContent', () => {
  const content = Buffer.from('sketch')
  const of = (stored: Uint8Array, compression: string | undefined): string =>
    Buffer.from(puffinBlobContent(stored, { type: 'x', compression }, 100)).toString()

  it('knows the codecs of the format', () => {
    expect(of(content, undefined)).toBe('sketch')
    expect(of(lz4Of(content), 'lz4')).toBe('sketch')
    expect(of(zstdCompressSync(content), 'zstd')).toBe('sketch')
    expect(() => of(content, 'brotli')).toThrow(expect.objectContaining({ kind: 'unsupported', code: 'PUFFIN_CODEC' }))
  })

  it('gives no more than it may', () => {
    const large = zstdCompressSync(Buffer.alloc(101))
    expect(() => of(large, 'zstd')).toThrow(
      expect.objectContaining({ kind: 'exhausted', code: 'DECOMPRESSED_TOO_LARGE' }),
    )
  })
})
