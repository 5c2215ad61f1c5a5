import type { ObjectInfo, SharedWork } from '@moulin/core'
import type { BlockName, BlockRoom, HeldBlock } from './block-room.ts'

/** What one request brought. */
export interface Fetched {
  /** Of the version that all of it is of. */
  readonly info: ObjectInfo
  readonly blocks: ReadonlyMap<number, Uint8Array>
}

/** What is known of the object of a key, until something is written there. */
export interface CachedObject {
  readonly key: string
  /** Of the version that the blocks are of. Undefined before anything was read. */
  info: ObjectInfo | undefined
  readonly blocks: Map<number, Entry>
  /** Requests under way, by what they are for. */
  readonly flights: Map<string, SharedWork<Fetched>>
  /** Who reads it at present, or fetches something of it, so that it stays. */
  readers: number
  /** What is under way for it brings nothing in any more. */
  isDropped: boolean
}

interface Entry extends BlockName {
  readonly held: HeldBlock
  readonly object: CachedObject
}

export interface IndexCounts {
  heldBytes: number
  heldBlocks: number
  evicted: number
  damaged: number
}

export const isSameVersion = (a: ObjectInfo, b: ObjectInfo): boolean => a.etag === b.etag && a.size === b.size

/** Which blocks are held, the least recently used first, and never more bytes of them than there is room for. */
export class BlockIndex {
  readonly counts: IndexCounts = { heldBytes: 0, heldBlocks: 0, evicted: 0, damaged: 0 }
  readonly #room: BlockRoom
  readonly #maxBytes: number
  readonly #objects = new Map<string, CachedObject>()
  /** In the order of their last use. */
  readonly #used = new Set<Entry>()

  constructor(room: BlockRoom, maxBytes: number) {
    this.#room = room
    this.#maxBytes = maxBytes
  }

  /** Takes over what an earlier process has left. */
  async load(): Promise<void> {
    for (const { info, block, held } of await this.#room.load())
      await this.reading(info.key, async (object) => {
        // Of two versions the later one; of two copies of a block one.
        await this.#become(object, info)
        const isWanted = !object.blocks.has(block) && (await this.#reserve(held.bytes))
        if (isWanted) this.#add({ info, block, held, object })
        else await this.#room.remove(held)
      })
  }

  /** Runs `read` with the object of a key, made where there is none. */
  async reading<T>(key: string, read: (object: CachedObject) => Promise<T>): Promise<T> {
    const object = this.#of(key)
    return await this.holding(object, () => read(object))
  }

  /** The object stays while `work` runs. */
  async holding<T>(object: CachedObject, work: () => Promise<T>): Promise<T> {
    object.readers++
    try {
      return await work()
    } finally {
      object.readers--
      this.#tidy(object)
    }
  }

  /** Forgets the object of a key. When it resolves, no later process finds it either. */
  async drop(key: string): Promise<void> {
    const object = this.#objects.get(key)
    if (object === undefined) return
    this.#objects.delete(key)
    object.isDropped = true
    await this.#clear(object)
  }

  /** Undefined where it is not held, or found to be damaged. */
  async read(object: CachedObject, block: number): Promise<Uint8Array | undefined> {
    const entry = object.blocks.get(block)
    if (entry === undefined) return undefined
    this.#used.delete(entry)
    this.#used.add(entry)
    const bytes = await this.#room.read(entry, entry.held)
    // Removed while it was read: no damage.
    if (bytes !== undefined || !this.#used.has(entry)) return bytes
    this.counts.damaged++
    this.#forget(entry)
    await this.#room.remove(entry.held)
    return undefined
  }

  /** Keeps what a request brought, and lets go of another version. */
  async keep(object: CachedObject, { info, blocks }: Fetched): Promise<void> {
    await this.#become(object, info)
    for (const [block, bytes] of blocks) {
      const name = { info, block }
      const size = this.#room.sizeOf(name, bytes.length)
      if (object.blocks.has(block) || !(await this.#reserve(size))) continue
      const held = await this.#room.keep(name, bytes)
      // Written or deleted meanwhile, it is of a version that the next process must not find.
      const isPresent = object.info !== undefined && isSameVersion(object.info, info)
      const isWanted = !object.isDropped && isPresent && !object.blocks.has(block)
      if (held !== undefined && isWanted) this.#add({ ...name, held, object })
      else {
        this.counts.heldBytes -= size
        if (held !== undefined) await this.#room.remove(held)
      }
    }
  }

  /** Lets go of another version than this one. */
  async keepOnly(object: CachedObject, info: ObjectInfo): Promise<void> {
    if (object.info !== undefined && !isSameVersion(object.info, info)) await this.#clear(object)
  }

  /** Others may bring in another version while the blocks of the one before are let go of. */
  async #become(object: CachedObject, info: ObjectInfo): Promise<void> {
    while (object.info !== undefined && !isSameVersion(object.info, info)) await this.#clear(object)
    object.info ??= info
  }

  #of(key: string): CachedObject {
    let object = this.#objects.get(key)
    if (object === undefined) {
      object = { key, info: undefined, blocks: new Map(), flights: new Map(), readers: 0, isDropped: false }
      this.#objects.set(key, object)
    }
    return object
  }

  /** Forgets an object of which nothing is held, and that nobody reads. */
  #tidy(object: CachedObject): void {
    const isIdle = object.blocks.size === 0 && object.readers === 0
    if (isIdle && this.#objects.get(object.key) === object) this.#objects.delete(object.key)
  }

  /** Its bytes are reserved. */
  #add(entry: Entry): void {
    entry.object.blocks.set(entry.block, entry)
    this.#used.add(entry)
    this.counts.heldBlocks++
  }

  #forget(entry: Entry): void {
    if (!this.#used.delete(entry)) return
    entry.object.blocks.delete(entry.block)
    this.counts.heldBytes -= entry.held.bytes
    this.counts.heldBlocks--
    this.#tidy(entry.object)
  }

  async #clear(object: CachedObject): Promise<void> {
    object.info = undefined
    const entries = [...object.blocks.values()]
    for (const entry of entries) this.#forget(entry)
    for (const { held } of entries) await this.#room.remove(held)
  }

  /** Makes room, and takes it before anybody else does. False where there is none: others are writing into all of it. */
  async #reserve(bytes: number): Promise<boolean> {
    while (this.counts.heldBytes + bytes > this.#maxBytes) {
      const [oldest] = this.#used
      if (oldest === undefined || bytes > this.#maxBytes) return false
      this.counts.evicted++
      this.#forget(oldest)
      await this.#room.remove(oldest.held)
    }
    this.counts.heldBytes += bytes
    return true
  }
}
