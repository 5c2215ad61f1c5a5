import { expect, it } from 'vitest'
import { RecordBatchBuilder } from './write-batch.ts'

it('a batch of records leaves nothing behind that it was compressed in', () => {
  const builder = new RecordBatchBuilder({ compression: 'zstd' })
  const batch = (): Uint8Array => {
    builder.append({ timestamp: 0n, key: null, value: new Uint8Array(5_000).fill(7), headers: [] })
    return builder.finish()
  }
  const own = batch().length
  const before = process.memoryUsage().arrayBuffers
  const kept = Array.from({ length: 300 }, batch)
  const more = process.memoryUsage().arrayBuffers - before
  expect(more - kept.length * own).toBeLessThan(3_000_000)
})
