import type { DiskSize } from '@moulin/core'
import { simulatedDisk } from '@moulin/testing'
import { expect, it } from 'vitest'
import { SegmentFile } from './segment-file.ts'

it('is not grown again behind a cut by what was allocating ahead, but for its next use', async () => {
  const { files } = simulatedDisk({ seed: 1 })
  await files.mkdir('/wal/epoch-1', { recursive: true })
  const asked: PromiseWithResolvers<void>[] = []
  const spaceOf = async (): Promise<DiskSize> => {
    const answer = Promise.withResolvers<void>()
    asked.push(answer)
    await answer.promise
    return { totalBytes: 1e12, freeBytes: 1e12 }
  }
  const place = { files: { ...files, spaceOf }, dir: '/wal', logId: new Uint8Array(16), epoch: 1n }
  const segment = await SegmentFile.create(place, { slot: 1, generation: 1n, sizeBytes: 20_000 })
  await segment.file.writev([new Uint8Array(100)], 4096)
  segment.position = 4196
  const ahead = segment.allocateAhead()
  expect(await segment.trim()).toBe(4196)
  asked[0]!.resolve()
  await ahead
  expect(await segment.file.size()).toBe(4196)
  await segment.use(2n)
  const again = segment.allocateAhead()
  asked[1]!.resolve()
  await again
  expect(await segment.file.size()).toBe(20_000)
  expect(await segment.trim()).toBe(4096)
  await segment.close()
})
