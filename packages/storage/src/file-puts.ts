import type { Chunks, FileHandle, Outcome, PutOptions } from '@moulin/core'
import { isKind, isMoulinError, readChunks, throwIfAborted, unavailable, unsupported, withOutcome } from '@moulin/core'
import type { DurableFolders } from './durable-folders.ts'
import { etagOf } from './file-info.ts'
import type { Place } from './folder-place.ts'
import type { HeldFiles, StoreFiles } from './held-files.ts'
import { keyExists } from './object-errors.ts'
import type { TemporaryFiles } from './temporary-files.ts'

/** How much of a stream is written with one call. */
const WRITE_BYTES = 1024 * 1024

type Tag = { readonly etag: string }
type Fill = (handle: FileHandle) => Promise<void>

/** How a folder's objects get their names: a whole, synced temporary file first, then a `link` or a `rename`. */
export class FilePuts {
  readonly #name: string
  readonly #files: StoreFiles
  readonly #folders: DurableFolders
  readonly #temporary: TemporaryFiles
  readonly #held: HeldFiles

  constructor(options: {
    readonly name: string
    readonly files: StoreFiles
    readonly folders: DurableFolders
    readonly temporary: TemporaryFiles
    readonly held: HeldFiles
  }) {
    this.#name = options.name
    this.#files = options.files
    this.#folders = options.folders
    this.#temporary = options.temporary
    this.#held = options.held
  }

  async put(place: Place, bytes: Uint8Array, options: PutOptions): Promise<Tag> {
    this.#checkMode(place, options)
    const fill: Fill = (handle) => handle.writev([bytes], 0)
    try {
      return await this.#attempt(place, fill, options)
    } catch (error) {
      // Somebody removed a folder, or the temporary file as left over: once more, from the start.
      if (!isKind(error, 'not-found')) throw error
      this.#forget()
      return this.#attempt(place, fill, options)
    }
  }

  async putStream(place: Place, chunks: Chunks, options: PutOptions): Promise<Tag> {
    this.#checkMode(place, options)
    let state: 'waiting' | 'reading' | 'read' = 'waiting'
    const fill: Fill = async (handle) => {
      state = 'reading'
      await writeStream(handle, chunks, options.signal)
      state = 'read'
    }
    // What the stream itself does not find is its own affair.
    const isDisturbed = (error: unknown): boolean => isKind(error, 'not-found') && state !== 'reading'
    const attempt = (): Promise<Tag> => this.#attempt(place, fill, options)
    return attempt()
      .catch((error: unknown) => {
        if (!isDisturbed(error)) throw error
        this.#forget()
        // A stream cannot be had twice.
        if (state === 'waiting') return attempt()
        throw error
      })
      .catch((error: unknown) => {
        if (!isDisturbed(error)) throw error
        const message = `Somebody removed a folder on the way to ${place.path} while a stream was stored: put it again.`
        throw unavailable('PUT_DISTURBED', message, { context: { key: place.key }, cause: error })
      })
  }

  #checkMode({ key }: Place, { mode, signal }: PutOptions): void {
    throwIfAborted(signal)
    if (typeof mode === 'object')
      throw unsupported('SWAP', `${this.#name} has no compare-and-swap: put ${JSON.stringify(key)} in another mode.`)
  }

  #forget(): void {
    this.#folders.forget()
    this.#temporary.forget()
  }

  async #attempt(place: Place, fill: Fill, options: PutOptions): Promise<Tag> {
    await this.#admit(place, options.mode)
    throwIfAborted(options.signal)
    const temp = await this.#temporary.write(fill).catch((error: unknown) => {
      throw withOutcome(error, 'rejected')
    })
    let leftOver = true
    try {
      await this.#folders.make(place.folder).catch((error: unknown) => {
        throw withOutcome(error, 'rejected')
      })
      throwIfAborted(options.signal)
      await this.#publish(temp.path, place, options.mode)
      leftOver = options.mode === 'create'
      return { etag: etagOf(temp.stat) }
    } finally {
      if (leftOver) await this.#temporary.remove(temp.path)
    }
  }

  /** Throws when the key cannot be put: it is a folder or a link, or is there although it must not be. */
  async #admit(place: Place, mode: PutOptions['mode']): Promise<void> {
    if (!(await this.#folders.confine(place.path))) return
    const present = await this.#files.stat(place.path)
    if (present?.kind === 'directory') {
      const message = `${place.path} is a folder: a folder on disk cannot hold an object and others below its key.`
      throw unsupported('KEY_IS_FOLDER', message, { context: { key: place.key } })
    }
    if (present === undefined || mode !== 'create') return
    // Who hears that it exists may build on it.
    await this.#folders.look(place.folder)
    throw keyExists(this.#name, place.key)
  }

  async #publish(temp: string, place: Place, mode: PutOptions['mode']): Promise<void> {
    let outcome: Outcome = 'rejected'
    await this.#held.forget(place.path)
    try {
      await (mode === 'create' ? this.#files.link(temp, place.path) : this.#files.rename(temp, place.path))
      outcome = 'unknown'
      await this.#folders.changed(place.folder)
    } catch (error) {
      if (outcome === 'unknown') throw withOutcome(error, 'unknown')
      if (isKind(error, 'exists') || isKind(error, 'unavailable', 'EISDIR')) {
        await this.#admit(place, mode)
        throw keyExists(this.#name, place.key, error)
      }
      throw linkError(error, place)
    }
  }
}

async function writeStream(handle: FileHandle, chunks: Chunks, signal: AbortSignal | undefined): Promise<void> {
  let at = 0
  let bytes = 0
  let parts: Uint8Array[] = []
  const write = async (): Promise<void> => {
    if (bytes === 0) return
    await handle.writev(parts, at)
    at += bytes
    bytes = 0
    parts = []
  }
  for await (const chunk of readChunks(chunks, signal)) {
    parts.push(chunk)
    bytes += chunk.length
    if (bytes >= WRITE_BYTES) await write()
  }
  await write()
}

const noLinks: ReadonlySet<unknown> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV'])

// The temporary file could be written, so the folder is writable: what is missing is the call.
function linkError(error: unknown, place: Place): unknown {
  if (!isMoulinError(error)) return error
  if (noLinks.has(error.context['errno'])) {
    const message = `The disk of ${place.path} cannot link files, so it has no atomic create: use another one.`
    return unsupported('NO_HARD_LINKS', message, { context: error.context, cause: error })
  }
  // After an I/O error the name may be there or not.
  return error.kind === 'unavailable' && error.code !== 'READ_ONLY' ? withOutcome(error, 'unknown') : error
}
