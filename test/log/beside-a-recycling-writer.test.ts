import type { FileHandle, Files } from '@moulin/core'
import { expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, machine, openIn, valuesOf, WAL } from './machine.ts'

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

/** `around` runs in place of each read or write at the start of a segment file: of its header. */
function aroundHeaders(
  files: Files,
  call: 'read' | 'writev',
  around: (path: string, work: () => Promise<unknown>) => Promise<unknown>,
): Files {
  return {
    ...files,
    async open(path, ...how) {
      const handle = await files.open(path, ...how)
      if (!path.endsWith('.wal')) return handle
      const { read, writev } = handle
      const wrapped: Partial<FileHandle> =
        call === 'read'
          ? { read: async (at, n) => (at === 0 ? around(path, () => read(at, n)) : read(at, n)) as Promise<Uint8Array> }
          : {
              writev: async (parts, at) =>
                at === 0 ? void (await around(path, () => writev(parts, at))) : writev(parts, at),
            }
      return { ...handle, ...wrapped }
    },
  }
}

it.each(['begins', 'follows'])(
  'passes over no segment that was used anew between two looks of a reader that %s',
  async (how) => {
    const on = machine()
    const tier = fakeColdTier(fakeTables())
    let gate: Promise<void> | undefined
    const gated = aroundHeaders(on.disk.files, 'writev', async (_, work) => {
      await gate
      return work()
    })
    // A quarter of it is full only after some records: until then no segment is prepared.
    const segmentBytes = 64 * 1024
    const log = await openIn(on.runtime(gated), { tier, graceMs: 0, segmentBytes })
    const topic = await log.ensureTopic('orders')
    const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
    const all: string[] = []
    const send = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) {
        all.push(`r${all.length}`.padEnd(3900, '.'))
        await producer.send({ value: bytesOf(all.at(-1)!) })
      }
    }
    // Two segments of 14 for a later use, and the first record of a third.
    await send(29)
    await topic.tier()
    await log.releaseNow()

    let goOn: (() => Promise<void>) | undefined
    const slow = aroundHeaders(on.disk.files, 'read', async (path, work) => {
      const seen = await work()
      if (goOn === undefined || !path.endsWith('0000000001.wal')) return seen
      const writes = goOn
      goOn = undefined
      await writes()
      return seen
    })
    const openReader = () => openIn(on.runtime(slow), { access: 'read-only', tier })
    let reader
    if (how === 'begins') {
      goOn = () => send(33)
      reader = await openReader()
    } else {
      reader = await openReader()
      await valuesOf(await reader.topic('orders'))
      const open = Promise.withResolvers<void>()
      gate = open.promise
      await send(13)
      // Seals the third segment, and waits for the header of the next one.
      const waiting = send(1)
      const before = all.length
      goOn = async () => {
        open.resolve()
        await waiting
        await send(20)
      }
      while (goOn !== undefined) await valuesOf(await reader.topic('orders'))
      expect(all.length).toBe(before + 20)
    }
    expect(goOn).toBeUndefined()
    expect(await valuesOf(await reader.topic('orders'))).toEqual(all)
    await reader.close()
    await log.close()
  },
)
