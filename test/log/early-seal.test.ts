/** A segment that is sealed before it is full gives back what was taken ahead: what it is counted with is what it takes of the disk. */
import type { Log } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { machine, openIn, SEGMENT_BYTES, valuesOf, WAL, type Machine } from './machine.ts'

const RECORDS = 7

/** One record a segment, which leaves a quarter of it. */
async function fill(on: Machine, count = RECORDS): Promise<Log> {
  const log = await openIn(on.runtime(), { takeover: 'newest' })
  const producer = (await log.ensureTopic('orders')).producer({ lingerMs: 0 })
  for (let n = 0; n < count; n++) {
    await producer.send({ value: new Uint8Array(8_000) })
    await on.clock.advance(0)
  }
  return log
}

async function sizesIn({ disk }: Machine, epoch: number): Promise<number[]> {
  const folder = `${WAL}/epoch-${epoch}`
  const names = (await disk.files.readdir(folder)).map(({ name }) => name).filter((name) => name.endsWith('.wal'))
  return Promise.all(names.map(async (name) => (await disk.files.stat(`${folder}/${name}`))!.size))
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

describe('a segment that is sealed early', () => {
  it('takes what it is counted with, is read to its seal beside the writer, and is no damage at the next opening', async () => {
    const on = machine()
    const reader = fill(on, 1).then(async (log) => {
      const beside = await openIn(on.runtime(on.disk.process().files), { access: 'read-only' })
      await log.close()
      return beside
    })
    const beside = await reader
    const log = await fill(on)
    const { heldBytes, liveBytes } = log.stats().wal
    const active = liveBytes / (RECORDS + 1)
    // What was copied from the first writer stands in a segment of its own.
    const sealed = (await sizesIn(on, 2)).slice(0, RECORDS)
    for (const size of sealed) expect(size).toBeLessThan(0.8 * SEGMENT_BYTES)
    expect(heldBytes).toBe(sum(sealed) + active)
    await on.clock.advance(2_000)
    expect(beside.stats().wal.liveBytes).toBe(liveBytes)
    expect(await valuesOf(await beside.topic('orders'))).toHaveLength(RECORDS + 1)
    await beside.close()
    await log.close()
    const next = await fill(on, 0)
    expect(next.recovery.torn).toEqual([])
    expect(next.stats().wal.heldBytes).toBe(sum(await sizesIn(on, 2)) + active)
    expect(await valuesOf(await next.topic('orders'))).toHaveLength(RECORDS + 1)
    await next.close()
  })

  it('is counted whole where it cannot be cut', async () => {
    const on = machine()
    const rule = on.disk.fail({ fault: 'EIO', call: 'truncate', path: /\.wal$/, times: Infinity })
    const log = await fill(on)
    const { heldBytes, liveBytes } = log.stats().wal
    expect(heldBytes).toBe((RECORDS - 1) * SEGMENT_BYTES + liveBytes / RECORDS)
    rule.remove()
    await log.close()
  })

  it.each(['before', 'after'] as const)(
    'is counted and read as it is, where its writer died %s the cut',
    async (when) => {
      for (const end of ['kill', 'power'] as const) {
        const whole = machine()
        await (await fill(whole)).close()
        const effect = 1 + whole.disk.effects.findIndex(({ kind }) => kind === 'truncate')
        const on = machine()
        on.disk.stopAt({ effect, when })
        await Promise.race([fill(on), on.disk.halted()])
        if (end === 'kill') on.disk.kill()
        else on.disk.crash({ tear: true })
        on.processes.reboot()
        const log = await fill(on, 0)
        const values = await valuesOf(await log.topic('orders'))
        expect(values.length).toBeGreaterThan(0)
        expect(log.recovery.torn).toEqual([])
        expect(log.stats().wal.heldBytes).toBe(sum(await sizesIn(on, 1)))
        await log.close()
      }
    },
  )
})
