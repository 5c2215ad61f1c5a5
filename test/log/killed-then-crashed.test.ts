import type { Log } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { bytesOf, machine, openIn, valuesOf, type Machine } from './machine.ts'

/** Sends records one by one, each acked before the next. */
async function send(log: Log, acked: string[], count: number): Promise<void> {
  const producer = (await log.ensureTopic('orders')).producer({ lingerMs: 0, batchBytes: 1 })
  for (let i = 0; i < count; i++) {
    const name = `r${acked.length}`
    await producer.send({ value: bytesOf(name.padEnd(900, '.')) })
    acked.push(name)
  }
  await producer.close()
}

/** Enough to fill and seal two segments. */
async function life(on: Machine, acked: string[]): Promise<void> {
  const log = await openIn(on.runtime())
  await send(log, acked, 40)
}

describe('a writer that is killed, and a machine that loses its power after the next one took over', () => {
  it.each([true, false])(
    'lose nothing acked, wherever the kill was (O_DSYNC %s)',
    { timeout: 120_000 },
    async (syncedWrites) => {
      const whole = machine(1, { syncedWrites })
      await life(whole, [])
      const effects = whole.disk.effects
      expect(effects.length).toBeGreaterThan(80)
      for (const [index, { kind, path }] of effects.entries()) {
        if (!path.endsWith('.wal')) continue
        for (const tear of [false, true]) {
          const on = machine(index + 1, { syncedWrites })
          const acked: string[] = []
          on.disk.stopAt({ effect: index + 1, when: 'after' })
          await Promise.race([life(on, acked), on.disk.halted()])
          on.disk.kill()
          const where = `${tear ? 'torn ' : ''}after ${kind} ${path}, effect ${index + 1}`
          // On the same boot: what the dead writer had not synced is there, and nowhere but in memory.
          const heir = await openIn(on.runtime(), { takeover: 'newest' })
          await send(heir, acked, 1)
          on.disk.crash({ tear })
          on.processes.reboot()
          const log = await openIn(on.runtime()).catch((error: unknown) => {
            throw new Error(where, { cause: error })
          })
          const found = (await valuesOf(await log.ensureTopic('orders'))).map((value) => value.replaceAll('.', ''))
          // The one that the kill cut off may be there, too.
          expect(
            found.filter((value, at) => value !== found[at - 1]),
            where,
          ).toEqual(acked)
          await log.close()
        }
      }
    },
  )
})
