import { DiskBytes } from './disk-bytes.ts'
import type { SeededRandom } from './seeded-random.ts'

export type DiskNode = DiskFile | DiskFolder

/** How a crash treats writes that no sync has covered: all lost, cut inside one write, or only some pages kept. */
export type Tear = 'none' | 'prefix' | 'pages'

type Change = ({ readonly position: number; readonly bytes: Uint8Array } | { readonly size: number }) & {
  /** There already: it stands here for the order alone. */
  readonly isDurable?: true
}

const pageBytes = 4096

/** A file twice over: what processes see (the page cache), and what a power loss leaves. */
export class DiskFile {
  readonly kind = 'file'
  inode: number
  modifiedMs: number
  /** Names that show it, and handles that hold it: at none of both its inode number is free again. */
  links = 0
  opens = 0
  #cache = new DiskBytes()
  #durable = new DiskBytes()
  // In order, since the last sync.
  #pending: Change[] = []

  constructor(inode: number, modifiedMs: number) {
    this.inode = inode
    this.modifiedMs = modifiedMs
  }

  get size(): number {
    return this.#cache.size
  }

  read(position: number, length: number): Uint8Array {
    return this.#cache.read(position, length)
  }

  write(position: number, bytes: Uint8Array): void {
    const change = { position, bytes: new Uint8Array(bytes) }
    apply(change, this.#cache)
    this.#pending.push(change)
  }

  /** O_DSYNC: these bytes are durable, and the size that shows them; nothing that is volatile beside them. */
  writeSynced(position: number, bytes: Uint8Array): void {
    const change = { position, bytes: new Uint8Array(bytes), isDurable: true } as const
    apply(change, this.#cache)
    apply(change, this.#durable)
    // What came before and reaches the disk later undoes nothing of it.
    if (this.#pending.length > 0) this.#pending.push(change)
  }

  /** The same, failing: all of it is readable, and some pages are durable. */
  failSyncedWrite(position: number, bytes: Uint8Array, random: SeededRandom): void {
    const change = { position, bytes: new Uint8Array(bytes) }
    apply(change, this.#cache)
    keepPages([change], this.#durable, random)
  }

  resize(size: number): void {
    apply({ size }, this.#cache)
    this.#pending.push({ size })
  }

  /** fsync and fdatasync alike: all bytes and the size. */
  sync(): void {
    for (const change of this.#pending) apply(change, this.#durable)
    this.#pending = []
  }

  /**
   * A sync that fails. As in Linux, the pages count as clean afterwards: some have reached the disk, the others never
   * will, although they stay readable and a later sync succeeds.
   */
  failSync(random: SeededRandom): void {
    keepPages(this.#pending, this.#durable, random)
    this.#pending = []
  }

  loseUnsynced(tear: Tear, random: SeededRandom): void {
    if (tear === 'pages') keepPages(this.#pending, this.#durable, random)
    if (tear === 'prefix') keepPrefix(this.#pending, this.#durable, random)
    this.#pending = []
    this.#cache = this.#durable.copy()
    this.opens = 0
  }
}

/** A folder twice over, as a file. */
export class DiskFolder {
  readonly kind = 'directory'
  inode: number
  modifiedMs: number
  names: Map<string, DiskNode> = new Map()
  readonly durable: Map<string, DiskNode> = new Map()

  constructor(inode: number, modifiedMs: number) {
    this.inode = inode
    this.modifiedMs = modifiedMs
  }
}

function apply(change: Change, bytes: DiskBytes): void {
  if ('size' in change) bytes.resize(change.size)
  else bytes.write(change.position, change.bytes)
}

function keepPrefix(changes: readonly Change[], durable: DiskBytes, random: SeededRandom): void {
  const torn = random.below(changes.length + 1)
  for (const [at, change] of changes.entries()) {
    if (at < torn || change.isDurable) apply(change, durable)
    else if (at === torn && 'bytes' in change)
      durable.write(change.position, change.bytes.subarray(0, random.below(change.bytes.length + 1)))
  }
}

function keepPages(changes: readonly Change[], durable: DiskBytes, random: SeededRandom): void {
  for (const change of changes) {
    if (change.isDurable) {
      apply(change, durable)
      continue
    }
    if ('size' in change) {
      if (random.chance(0.5)) durable.resize(change.size)
      continue
    }
    const { position, bytes } = change
    for (let start = 0; start < bytes.length;) {
      const end = Math.min(bytes.length, start + pageBytes - ((position + start) % pageBytes))
      if (random.chance(0.5)) durable.write(position + start, bytes.subarray(start, end))
      start = end
    }
  }
}
