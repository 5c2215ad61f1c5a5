import { dirname } from 'node:path'
import { hasOutcome, invalid, isKind, unavailable, unsupported } from '@moulin/core'
import type { StoreFiles } from './held-files.ts'

/**
 * The folders of one root, with the promise that what they show survives a power loss. A name is durable only when its
 * folder has been synced, and so on up to the root: whoever dies between a link and that sync leaves a name that readers
 * see and a power loss takes back. So each folder is synced when it is first looked into, and after each change; one
 * whose sync has failed is not trusted again by this store.
 */
export class DurableFolders {
  readonly #files: StoreFiles
  readonly #root: string
  #realRoot: string | undefined
  readonly #looked = new Map<string, Promise<void>>()
  readonly #made = new Map<string, Promise<void>>()

  constructor(files: StoreFiles, root: string) {
    this.#files = files
    this.#root = root
  }

  /** Makes durable what the folder, and all those above it, show by now. @throws `not-found`. */
  look(folder: string): Promise<void> {
    return once(this.#looked, folder, async () => {
      if (folder !== dirname(folder)) await this.look(dirname(folder))
      await this.#sync(folder)
    })
  }

  /**
   * Makes the folder, and those above it, with durable names.
   * @throws `unsupported` code `KEY_UNDER_OBJECT` when one of them is a file; `invalid` code `NOT_A_PLAIN_PATH` or
   * `ROOT_IS_NO_FOLDER`.
   */
  make(folder: string): Promise<void> {
    return once(this.#made, folder, async () => {
      const above = dirname(folder)
      if (folder === above) return
      await this.make(above)
      const present = await this.#files.stat(folder)
      if (present === undefined) await this.#mkdir(folder)
      else if (present.kind === 'directory') await this.look(above)
      else throw this.#notAFolder(folder)
      if (this.#isBelowRoot(folder)) await this.confine(folder)
    })
  }

  /** After a change of names in the folder. An error leaves it unknown whether the change survives. */
  async changed(folder: string): Promise<void> {
    try {
      await this.#files.syncDirectory(folder)
    } catch (cause) {
      // Out of handles, say: whoever looks next syncs it.
      if (hasNotBegun(cause)) {
        this.#looked.delete(folder)
        throw cause
      }
      const failed = Promise.reject<void>(unsynced(folder, cause))
      // Heard of by whoever looks next, if anyone.
      failed.catch(() => {})
      this.#looked.set(folder, failed)
      throw cause
    }
  }

  /** What was made may have been removed by someone else. */
  forget(): void {
    this.#made.clear()
  }

  /**
   * False when nothing is there. @throws `invalid` code `NOT_A_PLAIN_PATH` when the path leads through a symbolic link,
   * or is spelled otherwise on a disk that ignores case: nothing outside of the root is ever read or written.
   */
  async confine(path: string): Promise<boolean> {
    const [realRoot, real] = [await this.#real(), await this.#realpath(path)]
    if (real === undefined || realRoot === undefined) return false
    if (real === realRoot + path.slice(this.#root.length)) return true
    const message = `${path} is in truth ${real}: the store follows no symbolic links and no second spellings.`
    throw invalid('NOT_A_PLAIN_PATH', message, { context: { path, real } })
  }

  async #real(): Promise<string | undefined> {
    return (this.#realRoot ??= await this.#realpath(this.#root))
  }

  async #realpath(path: string): Promise<string | undefined> {
    try {
      return await this.#files.realpath(path)
    } catch (error) {
      if (isKind(error, 'not-found')) return undefined
      throw error
    }
  }

  async #mkdir(folder: string): Promise<void> {
    try {
      await this.#files.mkdir(folder)
    } catch (error) {
      // Another writer was quicker; its name is made durable all the same.
      if (!isKind(error, 'exists')) throw error
    }
    await this.changed(dirname(folder))
  }

  async #sync(folder: string): Promise<void> {
    try {
      await this.#files.syncDirectory(folder)
    } catch (cause) {
      if (isKind(cause, 'not-found')) throw cause
      // Who may not even open it has not changed it; and some systems cannot sync what lies above.
      const harmless = isKind(cause, 'unavailable', 'READ_ONLY') || isKind(cause, 'unavailable', 'EINVAL')
      if (hasNotBegun(cause) && !harmless) throw cause
      if (!harmless || (cause.code === 'EINVAL' && (folder === this.#root || this.#isBelowRoot(folder))))
        throw unsynced(folder, cause)
    }
  }

  #isBelowRoot(folder: string): boolean {
    return folder.startsWith(`${this.#root}/`)
  }

  #notAFolder(path: string): Error {
    if (!this.#isBelowRoot(path))
      return invalid('ROOT_IS_NO_FOLDER', `${path} is not a folder: give a root that is one, or where none is yet.`)
    const message = `${path} is a file: a folder on disk cannot hold an object and others below its key.`
    return unsupported('KEY_UNDER_OBJECT', message, { context: { path } })
  }
}

/** The folder could not be opened: that says nothing about what is on disk, nor about the next time. */
function hasNotBegun(cause: unknown): boolean {
  return hasOutcome(cause, 'rejected')
}

// A success is remembered for good. A failure too, unless it says nothing about the folder's bytes on disk.
function once(memory: Map<string, Promise<void>>, folder: string, run: () => Promise<void>): Promise<void> {
  const known = memory.get(folder)
  if (known !== undefined) return known
  const running = run()
  memory.set(folder, running)
  running.catch((error: unknown) => {
    if (!isKind(error, 'unavailable', 'FOLDER_UNSYNCED') && memory.get(folder) === running) memory.delete(folder)
  })
  return running
}

function unsynced(folder: string, cause: unknown): Error {
  const message = `A sync of ${folder} failed: what it shows may be gone after a power loss. Open the store anew.`
  return unavailable('FOLDER_UNSYNCED', message, { retryable: false, context: { folder }, cause })
}
