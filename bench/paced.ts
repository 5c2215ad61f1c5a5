import { setTimeout as sleep } from 'node:timers/promises'

export interface Pace {
  readonly perSecond: number
  readonly seconds: number
  /** Of these: what is sent then does not count. */
  readonly warmUpSeconds: number
}

/**
 * Sends as many as are due by the clock, however long acks take, and returns the milliseconds from when each was due to its ack: who comes
 * late to send pays for that, too.
 */
export async function paced(
  { perSecond, seconds, warmUpSeconds }: Pace,
  send: (n: number) => Promise<unknown>,
): Promise<number[]> {
  const ackMs: number[] = []
  const total = Math.floor(perSecond * seconds)
  const warmUp = perSecond * warmUpSeconds
  let open = 0
  let failure: Error | undefined
  let wake: (() => void) | undefined
  const begun = performance.now()
  const one = async (n: number): Promise<void> => {
    const dueMs = begun + (n * 1000) / perSecond
    open++
    try {
      await send(n)
      if (n >= warmUp) ackMs.push(performance.now() - dueMs)
    } catch (error) {
      failure ??= error as Error
    }
    if (--open === 0) wake?.()
  }
  for (let sent = 0; sent < total && failure === undefined;) {
    const due = Math.min(total, Math.floor(((performance.now() - begun) * perSecond) / 1000) + 1)
    while (sent < due) void one(sent++)
    await sleep(1)
  }
  if (open > 0) await new Promise<void>((resolve) => (wake = resolve))
  if (failure !== undefined) throw failure
  return ackMs
}
