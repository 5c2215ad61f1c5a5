import type { FileHandle, Files } from '../doors/files.ts'
import { aborted, throwIfAborted } from '../model/errors.ts'

/** Of libuv, where the environment names none, and where it names more. */
const DEFAULT_THREADS = 4
const MAX_THREADS = 1024
/** Threads that no read of a file ever takes: one for a flush, and one for what else is on its way to the disk. */
const SPARED_THREADS = 2

/**
 * Lets in so many at a time, in the order of their coming. Who is inside does not ask to be let in again, or he might wait for himself.
 */
export class ReadGate {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(places: number) {
    this.#free = places
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Runs `work` when it is its turn, and gives the place back when that has ended, well or badly. The signal ends the wait; what has
   * begun goes on to its end, for it has its place until then.
   * @throws `aborted`; what the work throws.
   */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    throwIfAborted(signal)
    if (this.#free > 0) this.#free--
    else await this.#turn(signal)
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.#waiting.delete(enter)
        reject(aborted('ABORTED', 'The wait was aborted by its signal.', { cause: signal?.reason as unknown }))
      }
      const enter = (): void => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }
      this.#waiting.add(enter)
      signal?.addEventListener('abort', stop, { once: true })
    })
  }

  /** The place goes to the next in line, or back. */
  #leave(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free++
      return
    }
    this.#waiting.delete(next)
    next()
  }
}

/**
 * The same disk, whose reads of bytes go through the gate. libuv has a few threads for everything, first come first served, so that as many
 * reads as there are threads would stand in front of every write and sync; those never wait here. Only the read itself has a place, and
 * nothing that asks for another one: files may be read within reads of files.
 */
export function gatedReads(files: Files, gate: ReadGate): Files {
  const open: Files['open'] = async (...call) => gated(await files.open(...call), gate)
  return { ...files, open, waitingReads: () => gate.waiting }
}

function gated(handle: FileHandle, gate: ReadGate): FileHandle {
  return {
    ...handle,
    read: (position, length, options) => gate.run(() => handle.read(position, length), options?.signal),
  }
}

/** How many files may be read at a time, by what `UV_THREADPOOL_SIZE` says, which libuv takes as `atoi` does. */
export function readsAtATime(threads: string | undefined): number {
  const said = threads === undefined ? DEFAULT_THREADS : Number.parseInt(threads, 10) || 1
  const has = said < 0 ? MAX_THREADS : Math.min(said, MAX_THREADS)
  return Math.max(1, has - SPARED_THREADS)
}

let own: ReadGate | undefined

/** The one of this process, whose threads all its logs and stores share. */
export function processReads(): ReadGate {
  return (own ??= new ReadGate(readsAtATime(process.env['UV_THREADPOOL_SIZE'])))
}
