/** A log that is closed while something still reads its write-ahead tier: that ends with `closed`, whatever its file says. */
import type { FileHandle, Files } from '@moulin/core'
import { expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, collect, machine, openIn } from './machine.ts'

it('ends a commit and reads, of own and of older segments, that run and that wait, with `closed`', async () => {
  const on = machine()
  const { files } = on.disk
  const tier = fakeColdTier(fakeTables())
  const before = await openIn(on.runtime(), { tier })
  const old = await before.createTopic('old')
  for (let n = 0; n < 4; n++) await old.producer({ lingerMs: 0 }).send({ value: bytesOf(`${n}`) })
  await before.close()

  let isHeld = false
  let open = 0
  const held = Promise.withResolvers<void>()
  const wrapped: Files = {
    ...files,
    open: async (path, ...how): Promise<FileHandle> => {
      const handle = await files.open(path, ...how)
      open++
      return {
        ...handle,
        read: async (position, length) => {
          if (isHeld && path.endsWith('.wal')) await held.promise
          return handle.read(position, length)
        },
        close: async () => {
          open--
          await handle.close()
        },
      }
    },
  }
  const log = await openIn(on.runtime(wrapped), { tier, limits: { tailRingBytes: 1 } })
  const fresh = await log.createTopic('fresh')
  const producer = fresh.producer({ lingerMs: 0 })
  for (let n = 0; n < 6; n++) await producer.send({ value: bytesOf(`${n}`) })
  isHeld = true
  const older = await log.topic('old')
  const work = [fresh.tier(), older.tier(), collect(fresh.read({ to: 'end' })), collect(older.read({ to: 'end' }))]
  const ends = work.map((each) => expect(each).rejects.toMatchObject({ kind: 'closed' }))
  await on.clock.advance(0)
  const closing = log.close({ drainMs: 0 })
  await on.clock.advance(0)
  await closing
  held.resolve()
  await Promise.all(ends)
  await on.clock.advance(0)
  expect(open).toBe(0)
})
