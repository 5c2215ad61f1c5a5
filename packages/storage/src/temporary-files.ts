import type { Clock, FileHandle, FileStat, Random } from '@moulin/core'
import { isKind } from '@moulin/core'
import type { DurableFolders } from './durable-folders.ts'
import { temporaryFolder } from './folder-place.ts'
import type { StoreFiles } from './held-files.ts'

/** Older ones are left over from a process that died: no put takes an hour. Deleting a live one only fails its put. */
const leftOverMs = 3_600_000

export interface TemporaryFile {
  readonly path: string
  readonly stat: FileStat
}

/** Whole, synced files on their way to their name. */
export class TemporaryFiles {
  readonly #files: StoreFiles
  readonly #folders: DurableFolders
  readonly #clock: Pick<Clock, 'now'>
  readonly #random: Pick<Random, 'uuid' | 'bytes'>
  readonly #root: string
  readonly #folder: string
  #ready: Promise<void> | undefined
  #lastStampUs = 0

  constructor(options: {
    readonly root: string
    readonly files: StoreFiles
    readonly folders: DurableFolders
    readonly clock: Pick<Clock, 'now'>
    readonly random: Pick<Random, 'uuid' | 'bytes'>
  }) {
    this.#files = options.files
    this.#folders = options.folders
    this.#clock = options.clock
    this.#random = options.random
    this.#root = options.root
    this.#folder = `${options.root}/${temporaryFolder}`
  }

  /** A new file of what `fill` writes; its content, size and time are durable, its name is not. It is removed again when `fill` fails. */
  async write(fill: (handle: FileHandle) => Promise<void>): Promise<TemporaryFile> {
    await this.#open()
    const path = `${this.#folder}/${this.#random.uuid()}`
    const handle = await this.#files.open(path, 'create')
    try {
      await fill(handle)
      await handle.touch(this.#stampMs())
      await handle.sync()
      return { path, stat: await handle.stat() }
    } catch (error) {
      await this.remove(path)
      throw error
    } finally {
      await handle.close()
    }
  }

  /** Best effort: what stays is swept by a later store. */
  async remove(path: string): Promise<void> {
    await this.#files.unlink(path).catch(() => {})
  }

  forget(): void {
    this.#ready = undefined
  }

  #open(): Promise<void> {
    return (this.#ready ??= this.#prepare().catch((error: unknown) => {
      this.#ready = undefined
      throw error
    }))
  }

  async #prepare(): Promise<void> {
    await this.#folders.make(this.#root)
    await this.#files.mkdir(this.#folder).catch((error: unknown) => {
      if (!isKind(error, 'exists')) throw error
    })
    for (const { name } of await this.#files.readdir(this.#folder)) {
      const path = `${this.#folder}/${name}`
      const stat = await this.#files.stat(path)
      if (stat !== undefined && stat.modifiedMs < this.#clock.now() - leftOverMs) await this.remove(path)
    }
  }

  // Inode numbers are given out again at once, and the kernel's time moves in steps of milliseconds: two files of one
  // size, made one after the other, can agree in all that stat tells. So the time is set, never twice the same here, and
  // with a random part against other processes. Steps of 2 µs survive the rounding on the way to the disk.
  #stampMs(): number {
    const [low, high] = this.#random.bytes(2)
    const jitterUs = (low! + high! * 256) % 1000
    this.#lastStampUs = Math.max(Math.floor(this.#clock.now()) * 1000 + jitterUs, this.#lastStampUs + 2)
    return this.#lastStampUs / 1000
  }
}
