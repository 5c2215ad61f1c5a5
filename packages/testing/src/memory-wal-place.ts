import type { Wal } from '@moulin/core'
import { hookedStore } from './hooked-store.ts'
import type { MemoryWalOptions } from './memory-wal.ts'
import { memoryWal } from './memory-wal.ts'
import { processTable } from './process-table.ts'
import { virtualClock } from './virtual-clock.ts'
import { virtualRuntime } from './virtual-runtime.ts'
import type { WalPlace } from './wal-place.ts'

/** A process that stands still, or has ended: nothing of it goes on behind a turn of the event loop. */
interface Gate {
  isDead: boolean
  paused: PromiseWithResolvers<void> | undefined
}

/** A machine with one {@link memoryWal} for `walConformance` and `sequencerConformance`. It has no disk to fill, or to fail. */
export function memoryWalPlace(options: MemoryWalOptions): WalPlace {
  const wal: Wal = memoryWal(options)
  const clock = virtualClock()
  const processes = processTable()
  let running: (() => void)[] = []
  let started = 0
  return {
    store: hookedStore(),
    start() {
      const runtime = virtualRuntime({ seed: options.seed * 1_000 + ++started, clock, processes })
      const { timers } = runtime
      const gate: Gate = { isDead: false, paused: undefined }
      const turn = async (): Promise<void> => {
        await timers.turn()
        await gate.paused?.promise
        if (gate.isDead) await new Promise<never>(() => {})
      }
      const kill = (): void => {
        gate.isDead = true
        runtime.exit()
      }
      running.push(kill)
      return {
        wal,
        runtime: { ...runtime, timers: { ...timers, turn } },
        kill,
        pause: () => void (gate.paused ??= Promise.withResolvers()),
        resume() {
          gate.paused?.resolve()
          gate.paused = undefined
        },
      }
    },
    crash() {
      for (const kill of running) kill()
      running = []
      processes.reboot()
    },
    pass: () => clock.advance(50),
  }
}
