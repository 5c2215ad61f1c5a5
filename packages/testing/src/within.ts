import { systemRuntime } from '@moulin/core'
import { failure } from './assertions.ts'

/** What `work` resolves to, or, when that takes longer, a failure that says so. Of the machine's own time. */
export async function within<T>(timeoutMs: number, work: T | Promise<T>): Promise<T> {
  let expire: (() => void) | undefined
  const late = new Promise<never>((_resolve, reject) => {
    expire = () => reject(failure(`no answer within ${timeoutMs} ms`))
  })
  const timer = systemRuntime().timers.after(timeoutMs, () => expire?.(), { ref: true })
  try {
    return await Promise.race([work, late])
  } finally {
    timer.cancel()
    late.catch(() => {})
  }
}
