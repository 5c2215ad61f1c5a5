import type { Runtime } from '@moulin/core'
import { epochPath } from './epoch-folder.ts'

/** The net below `Files.watch`, which may miss events. */
const WATCH_INTERVAL_MS = 1_000

/** Calls `changed` when the folder, or the folder of the epoch that is followed just then, may have changed. */
export function watchEpochs(
  { files, timers }: Runtime,
  dir: string,
  followed: () => bigint,
  changed: () => void,
): { close(): void } {
  let isOpen = true
  let watchedEpoch = followed()
  let epochWatch = watchIfPossible(epochPath(dir, watchedEpoch))
  const dirWatch = watchIfPossible(dir)
  let timer = timers.after(WATCH_INTERVAL_MS, tick)

  function watchIfPossible(path: string): { close(): void } | undefined {
    try {
      return files.watch(path, onChange)
    } catch {
      // Out of watches, or not this file system: the timer alone has to do.
      return undefined
    }
  }
  function onChange(): void {
    if (!isOpen) return
    if (watchedEpoch !== followed()) {
      epochWatch?.close()
      watchedEpoch = followed()
      epochWatch = watchIfPossible(epochPath(dir, watchedEpoch))
    }
    changed()
  }
  function tick(): void {
    if (!isOpen) return
    timer = timers.after(WATCH_INTERVAL_MS, tick)
    onChange()
  }
  return {
    close() {
      isOpen = false
      timer.cancel()
      epochWatch?.close()
      dirWatch?.close()
    },
  }
}
