import { setPriority } from 'node:os'

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
