import { fileSystem } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { LAKE, machine } from './log/machine.ts'
import type { Machine } from './log/machine.ts'
import { checkLake, lakeLife, openLake } from './support/crashed-lake.ts'
import type { Acked, OpenLake } from './support/crashed-lake.ts'

const long = process.env['MOULIN_LONG'] === '1'

/** All of it on the machine's one disk. */
const onDisk =
  (on: Machine): OpenLake =>
  () =>
    openLake(on, ({ files }) => fileSystem({ root: LAKE, files }))

describe('a crash at any effect on the disk while records go into a real table', () => {
  it(
    'loses no acked record, doubles none and leaves a clean audit',
    { timeout: long ? 1_200_000 : 180_000 },
    async () => {
      const whole = machine()
      await lakeLife(onDisk(whole), new Map())
      const effects = [...whole.disk.effects]
      expect(effects.length).toBeGreaterThan(100)
      for (const [index, { kind, path }] of effects.entries()) {
        for (const [at, when] of (['before', 'during', 'after'] as const).entries()) {
          for (const [how, end] of (['crash', 'kill', 'tear'] as const).entries()) {
            // Each effect once by default, the ways of it in turn; all of them in the long run.
            if (!long && (index % 3 !== at || Math.floor(index / 3) % 3 !== how)) continue
            const one = machine(index + 1)
            const acked: Acked = new Map()
            one.disk.stopAt({ effect: index + 1, when })
            await Promise.race([lakeLife(onDisk(one), acked), one.disk.halted()])
            if (end === 'kill') one.disk.kill()
            else one.disk.crash({ tear: end === 'tear' })
            one.processes.reboot()
            await checkLake(onDisk(one), acked, `${end} ${when} effect ${index + 1} (${kind} ${path})`)
          }
        }
      }
    },
  )
})
