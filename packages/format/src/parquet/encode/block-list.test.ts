import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { batchFrom, field } from '../parquet.test-columns.ts'
import { BlockList } from './block-list.ts'
import { PageBuffer } from './page-buffer.ts'
import { parquetWriter } from './parquet-writer.ts'

describe('a list of blocks', () => {
  it('takes little for a column of few bytes: a file may have hundreds of them, and many files be open', () => {
    const fields = Array.from({ length: 300 }, (_, i) => field(i + 1, `f${i}`, 'int'))
    const batch = batchFrom(fields, [fields.map((_, i) => i)])
    const make = (): unknown => {
      const writer = parquetWriter.create({ schema: { type: 'struct', fields } })
      writer.write(batch)
      return writer
    }
    make()
    const before = process.memoryUsage().arrayBuffers
    const open = [make(), make()]
    expect((process.memoryUsage().arrayBuffers - before) / (open.length * fields.length)).toBeLessThan(30_000)
  })

  it('holds what was appended, whatever other lists take and give back meanwhile', () => {
    const append = fc.record({
      list: fc.nat(2),
      size: fc.oneof(fc.nat(40), fc.nat(20_000), fc.constantFrom(8191, 8192, 8193, 16_384)),
      isLast: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(append, { maxLength: 20 }), (appends) => {
        const lists = Array.from({ length: 3 }, () => ({ blocks: new BlockList(), bytes: new PageBuffer() }))
        for (const [at, { list, size, isLast }] of appends.entries()) {
          const { blocks, bytes } = lists[list]!
          const part = new Uint8Array(size).map((_, i) => at * 31 + i)
          blocks.append(part)
          bytes.append(part)
          if (!isLast) continue
          const copy = new PageBuffer()
          blocks.copyTo(copy)
          expect(Buffer.compare(copy.written(), bytes.written())).toBe(0)
          blocks.clear()
          bytes.clear()
        }
      }),
      { numRuns: 200 },
    )
  })

  it('gives its blocks away once', () => {
    const filled = (value: number): BlockList => {
      const list = new BlockList()
      list.append(new Uint8Array(20_000).fill(value))
      return list
    }
    const one = filled(1)
    one.clear()
    one.clear()
    const [second, third] = [filled(2), filled(3)]
    const copy = new PageBuffer()
    second.copyTo(copy)
    expect(copy.written().every((byte) => byte === 2)).toBe(true)
    third.clear()
  })
})
