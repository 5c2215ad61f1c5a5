import { once } from 'node:events'
import { getPriority } from 'node:os'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'

it.runIf(process.platform === 'linux')('lowers the priority of its own thread alone', async () => {
  const source = `
    import { getPriority } from 'node:os'
    import { parentPort } from 'node:worker_threads'
    import { lowerThreadPriority } from ${JSON.stringify(new URL('./system-threads.ts', import.meta.url).href)}
    lowerThreadPriority(19)
    parentPort.postMessage(getPriority(0))`
  const before = getPriority(0)
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`))
  expect(await once(worker, 'message')).toEqual([19])
  expect(getPriority(0)).toBe(before)
  await worker.terminate()
})
