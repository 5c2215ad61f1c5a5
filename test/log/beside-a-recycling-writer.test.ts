import type { Files } from '@moulin/core'
import { expect, it } from 'vitest'
import { bytesOf, machine, openIn, WAL } from './machine.ts'

/** `before` runs ahead of the nth look at the length of the file. */
function lookingAt(files: Files, path: string, before: (nth: number) => Promise<void>): Files {
  let looks = 0
  return {
    ...files,
    async open(opened, mode) {
      const handle = await files.open(opened, mode)
      if (opened !== path) return handle
      const size = async (): Promise<number> => {
        await before(++looks)
        return handle.size()
      }
      return { ...handle, size }
    },
  }
}

it('takes no file for damaged that was written to and then used anew while a reader looked at it', async () => {
  const on = machine()
  const log = await openIn(on.runtime())
  const producer = (await log.ensureTopic('orders')).producer({ lingerMs: 0, batchBytes: 1 })
  for (const text of ['a', 'b']) await producer.send({ value: bytesOf(text.padEnd(700, '.')) })
  const path = `${WAL}/epoch-1/0000000001.wal`
  const file = await on.disk.files.open(path, 'write')
  const bytes = Buffer.from(await file.read(0, await file.size()))
  const last = bytes.lastIndexOf('MWLF')

  const seen: number[] = []
  const files = lookingAt(on.disk.files, path, async (nth) => {
    seen.push(nth)
    // In the middle of the last write; then behind it; then the file's next use begins.
    if (nth === 1) await file.writev([new Uint8Array(bytes.length - last - 300)], last + 300)
    if (nth === 2) await file.writev([bytes], 0)
    if (nth === 4) await file.writev([new Uint8Array(bytes.length)], 0)
  })
  const reader = await openIn(on.runtime(files), { access: 'read-only' })
  expect(seen).toEqual([1, 2, 3, 4])
  await reader.close()
})
