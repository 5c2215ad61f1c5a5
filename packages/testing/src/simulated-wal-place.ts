import { checkOptions, option } from '@moulin/core'
import type { OptionTable, Wal } from '@moulin/core'
import { hookedStore } from './hooked-store.ts'
import { processTable } from './process-table.ts'
import { simulatedDisk } from './simulated-disk.ts'
import { virtualClock } from './virtual-clock.ts'
import type { VirtualRuntime } from './virtual-runtime.ts'
import { virtualRuntime } from './virtual-runtime.ts'
import type { WalPlace } from './wal-place.ts'

export interface SimulatedWalPlaceOptions {
  /** The same one tears the same writes. */
  readonly seed: number
  /** The Wal in this folder, which lies on the disk of whichever runtime opens it. */
  readonly wal: (dir: string) => Wal
  /** See {@link SimulatedDiskOptions}. Default true. */
  readonly syncedWrites?: boolean
}

const optionTable: OptionTable<SimulatedWalPlaceOptions> = {
  seed: option.required(option.integer('', 0)),
  wal: option.required(option.callback),
  syncedWrites: option.oneOf(true, false),
}

/** A machine with a {@link simulatedDisk} for `walConformance`: it can do all that the suite asks for, and takes no time. */
export function simulatedWalPlace(options: SimulatedWalPlaceOptions): WalPlace {
  checkOptions('simulatedWalPlace', options, optionTable)
  const { seed, wal, syncedWrites = true } = options
  const clock = virtualClock()
  const processes = processTable()
  const disk = simulatedDisk({ seed, syncedWrites })
  let running: VirtualRuntime[] = []
  let started = 0
  return {
    store: hookedStore(),
    start() {
      const on = disk.process(`process-${++started}`)
      const runtime = virtualRuntime({ seed: seed * 1_000 + started, files: on.files, clock, processes })
      running.push(runtime)
      return {
        wal: wal('/lake/log/wal'),
        runtime,
        kill() {
          on.kill()
          runtime.exit()
        },
        pause: () => on.pause(),
        resume: () => on.resume(),
      }
    },
    crash() {
      disk.crash({ tear: true })
      for (const runtime of running) runtime.exit()
      running = []
      processes.reboot()
    },
    pass: () => clock.advance(50),
    fill: (isFull) => void (disk.quotaBytes = isFull ? 0 : Infinity),
    fail: () => void disk.fail({ fault: 'EIO', call: 'datasync' }),
  }
}
