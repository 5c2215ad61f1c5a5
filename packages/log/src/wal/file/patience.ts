import { isKind, type Runtime } from '@moulin/core'

/** How long a flush waits until it can open what it needs. */
const PATIENCE_MS = 10_000
const FIRST_WAIT_MS = 10

/**
 * What only opens or lists, tried again for a while: that too many files are open passes, and says nothing of what is on
 * disk. @throws at once what leaves that in doubt.
 */
export async function patiently<T>({ clock, timers }: Runtime, open: () => Promise<T>): Promise<T> {
  const startMs = clock.monotonic()
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(1_000, waitMs * 2)) {
    try {
      return await open()
    } catch (error) {
      const mayPass = isKind(error, 'unavailable') && error.retryable && error.code !== 'READ_ONLY'
      if (!mayPass || clock.monotonic() - startMs >= PATIENCE_MS) throw error
      await timers.sleep(waitMs)
    }
  }
}
