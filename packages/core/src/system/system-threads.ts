import { setPriority } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { ThreadEnded, Threads } from '../doors/threads.ts'

/** Worker threads of this process. */
export const systemThreads: Threads = {
  start(module, { name, maxHeapMiB, message, unreadable, ended }) {
    const worker = new Worker(module, { name, resourceLimits: { maxOldGenerationSizeMb: maxHeapMiB } })
    let hasEnded = false
    const end = (why: ThreadEnded): void => {
      if (!hasEnded) ended(why)
      hasEnded = true
    }
    worker.on('message', message)
    worker.on('messageerror', unreadable)
    worker.on('error', (cause: NodeJS.ErrnoException) => {
      end({ why: cause.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'memory' : 'error', cause })
    })
    worker.on('exit', (code) => end({ why: 'exit', code }))
    worker.unref()
    return {
      post: (value, moved) => worker.postMessage(value, moved),
      ref: () => worker.ref(),
      unref: () => worker.unref(),
      async terminate() {
        await worker.terminate()
      },
    }
  },
}

/**
 * Lets other threads of this process go first: for worker threads that compute, beside a main thread that answers. Only
 * where a priority belongs to a thread (Linux); elsewhere it is the whole process's and stays. `niceness` is 0 to 19.
 */
export function lowerThreadPriority(niceness: number): void {
  if (process.platform !== 'linux') return
  try {
    // 0 is the calling thread.
    setPriority(0, niceness)
  } catch {
    // A container may forbid it, and then all go equal.
  }
}
