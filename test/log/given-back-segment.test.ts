/** The segment that was made ahead of need is given back on a full disk, while the writer goes on. */
import type { DiskSize, FileHandle, Files, Log } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { bytesOf, machine, openIn, valuesOf, type Machine } from './machine.ts'

interface Trial {
  readonly on: Machine
  readonly log: Log
  readonly acked: string[]
  /** How many effects the disk had seen when closing the prepared segment began. */
  readonly heldAt: number
  /** Sends until `count` records are acked, or the process ends. */
  readonly send: (count: number) => Promise<void>
  /** Lets the close go on. */
  readonly let: () => void
}

/** A writer that is just closing its prepared segment to give it back; that close is held. */
async function trial(): Promise<Trial> {
  const on = machine()
  const { disk, clock } = on
  const { files } = disk
  const held = Promise.withResolvers<void>()
  let isLow = false
  let heldAt = 0
  const wrapped: Files = {
    ...files,
    spaceOf: async (): Promise<DiskSize> => ({ totalBytes: 160_000, freeBytes: isLow ? 9_000 : 150_000 }),
    open: async (path, ...how): Promise<FileHandle> => {
      const handle = await files.open(path, ...how)
      const close = async (): Promise<void> => {
        if (isLow) {
          heldAt = disk.effectCount
          isLow = false
          await held.promise
        }
        await handle.close()
      }
      return path.includes('.wal') ? { ...handle, close } : handle
    },
  }
  const log = await openIn(on.runtime(wrapped), {})
  const topic = await log.createTopic('orders')
  const producer = topic.producer({ lingerMs: 0 })
  const acked: string[] = []
  const send = async (count: number): Promise<void> => {
    const ended = disk.halted()
    while (acked.length < count && disk.state === 'running') {
      const text = `${acked.length} `.padEnd(1_300, '.')
      const ack = producer.send({ value: bytesOf(text) }).then(() => acked.push(text))
      await Promise.race([ack, ended])
    }
  }
  await send(6)
  await clock.advance(0)
  isLow = true
  await send(7)
  await clock.advance(0)
  expect(heldAt).toBeGreaterThan(0)
  return { on, log, acked, heldAt, send, let: () => held.resolve() }
}

/** All that was acked is there after a loss of power. */
async function check({ on, acked }: Trial, tear: boolean): Promise<void> {
  on.disk.crash({ tear })
  on.processes.reboot()
  const log = await openIn(on.runtime())
  expect((await valuesOf(await log.topic('orders'))).slice(0, acked.length)).toEqual(acked)
  await log.close()
}

describe('a prepared segment that is given back while the writer rolls', () => {
  it('is out of the way of the next generation while its close still runs', async () => {
    const writer = await trial()
    await writer.send(40)
    expect(writer.acked).toHaveLength(40)
    await check(writer, false)
  })

  it('leaves a log that opens, wherever the power goes', async () => {
    let points = 0
    for (let effect = 1, isOver = false; !isOver; effect++) {
      for (const tear of [false, true]) {
        const writer = await trial()
        const { disk, clock } = writer.on
        disk.stopAt({ effect: writer.heldAt + effect, when: tear ? 'during' : 'after' })
        await writer.send(14)
        writer.let()
        await writer.send(17)
        await clock.advance(0)
        isOver = disk.state === 'running'
        if (isOver) expect(disk.effects.map(({ kind }) => kind)).toContain('unlink')
        else points++
        await check(writer, tear)
      }
    }
    expect(points).toBeGreaterThan(40)
  })
})
