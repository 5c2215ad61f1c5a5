import { crc32 } from 'node:zlib'
import type { Files, ObjectInfo, Runtime, StoredKind } from '@moulin/core'
import { isKind, parseStored, storedBytes, storedCheck } from '@moulin/core'
import type { BlockName, BlockRoom, HeldBlock } from './block-room.ts'

/** A file is these four bytes, the CRC-32 of all behind it, the length of its head (both 4 bytes, little-endian), the head, the block. */
const MAGIC = 0x4b4c424d
const PREFIX_BYTES = 12
/** A head has a key, a root and a tag in it: no more than this. */
const MAX_HEAD_BYTES = 64 * 1024
const ownName = /^[0-9a-f-]{36}\.block$/
const kind: StoredKind = { name: 'cached block', format: 1, minimumReader: 1 }

interface HeldInFile extends HeldBlock {
  readonly path: string
}

/**
 * Blocks as files of a folder, one each. Nothing is synced: whatever a power loss or somebody else makes of a file, its checksum tells.
 * Files of other stores and of other block sizes are removed when it is loaded; those with other names are left alone.
 */
export class BlockFolder implements BlockRoom {
  readonly #folder: string
  readonly #root: string
  readonly #blockBytes: number
  readonly #files: Files
  readonly #random: Runtime['random']

  constructor(options: {
    readonly folder: string
    /** Of the store. */
    readonly root: string
    readonly blockBytes: number
    readonly runtime: Pick<Runtime, 'files' | 'random'>
  }) {
    this.#folder = options.folder
    this.#root = options.root
    this.#blockBytes = options.blockBytes
    this.#files = options.runtime.files
    this.#random = options.runtime.random
  }

  sizeOf(name: BlockName, length: number): number {
    return PREFIX_BYTES + this.#headOf(name).length + length
  }

  async keep(name: BlockName, bytes: Uint8Array): Promise<HeldBlock | undefined> {
    const head = this.#headOf(name)
    const prefix = new DataView(new ArrayBuffer(PREFIX_BYTES))
    prefix.setUint32(0, MAGIC, true)
    prefix.setUint32(8, head.length, true)
    prefix.setUint32(4, checksum(new Uint8Array(prefix.buffer, 8), head, bytes), true)
    const path = `${this.#folder}/${this.#random.uuid()}.block`
    try {
      const handle = await this.#files.open(path, 'create')
      try {
        await handle.writev([new Uint8Array(prefix.buffer), head, bytes], 0)
      } finally {
        await handle.close()
      }
    } catch {
      // A disk that is full, or that has gone, is no reason to fail a read.
      await this.#unlink(path)
      return undefined
    }
    const held: HeldInFile = { path, bytes: PREFIX_BYTES + head.length + bytes.length }
    return held
  }

  async read(name: BlockName, held: HeldBlock): Promise<Uint8Array | undefined> {
    const file = await this.#contents((held as HeldInFile).path, held.bytes + 1)
    const head = this.#headOf(name)
    if (file === undefined || file.length !== held.bytes) return undefined
    const view = new DataView(file.buffer, file.byteOffset)
    const isWhole = view.getUint32(0, true) === MAGIC && view.getUint32(4, true) === checksum(file.subarray(8))
    // Another block than the one that is asked for would be whole as well.
    const isIt = isWhole && Buffer.compare(file.subarray(PREFIX_BYTES, PREFIX_BYTES + head.length), head) === 0
    return isIt ? file.subarray(PREFIX_BYTES + head.length) : undefined
  }

  /** Best effort: a disk that does not let go of a file keeps it for the next process. */
  async remove(held: HeldBlock): Promise<void> {
    await this.#unlink((held as HeldInFile).path)
  }

  async load(): Promise<readonly (BlockName & { readonly held: HeldBlock })[]> {
    await this.#files.mkdir(this.#folder, { recursive: true })
    const found: (BlockName & { readonly held: HeldBlock; readonly modifiedMs: number })[] = []
    for (const { name, kind } of await this.#files.readdir(this.#folder)) {
      if (kind !== 'file' || !ownName.test(name)) continue
      const path = `${this.#folder}/${name}`
      const block = await this.#nameIn(path)
      const stat = await this.#files.stat(path)
      if (block === undefined || stat === undefined) await this.#unlink(path)
      else {
        const held: HeldInFile = { path, bytes: stat.size }
        found.push({ ...block, held, modifiedMs: stat.modifiedMs })
      }
    }
    return found.sort((a, b) => a.modifiedMs - b.modifiedMs)
  }

  #headOf({ info, block }: BlockName): Uint8Array {
    const { key, size, etag, modifiedMs } = info
    const members = { root: this.#root, blockBytes: this.#blockBytes, key, size, etag, modifiedMs, block }
    return storedBytes(kind, members)
  }

  /** What its head says, without a look at the rest: {@link read} has that. */
  async #nameIn(path: string): Promise<BlockName | undefined> {
    const start = await this.#contents(path, PREFIX_BYTES + MAX_HEAD_BYTES)
    if (start === undefined || start.length < PREFIX_BYTES) return undefined
    const length = new DataView(start.buffer, start.byteOffset).getUint32(8, true)
    const head = start.subarray(PREFIX_BYTES, PREFIX_BYTES + length)
    if (head.length < length) return undefined
    try {
      const json = parseStored(kind, head, path, MAX_HEAD_BYTES)
      const isOurs = json['root'] === this.#root && json['blockBytes'] === this.#blockBytes
      const modifiedMs = json['modifiedMs']
      if (!isOurs || typeof modifiedMs !== 'number') return undefined
      const info: ObjectInfo = {
        key: storedCheck.string(json['key'], path, 'key'),
        size: storedCheck.count(json['size'], path, 'size'),
        etag: storedCheck.string(json['etag'], path, 'etag'),
        modifiedMs,
      }
      return { info, block: storedCheck.count(json['block'], path, 'block') }
    } catch (error) {
      if (isKind(error, 'corrupt') || isKind(error, 'unsupported') || isKind(error, 'exhausted')) return undefined
      throw error
    }
  }

  async #contents(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    try {
      const handle = await this.#files.open(path, 'read')
      try {
        return await handle.read(0, maxBytes)
      } finally {
        await handle.close()
      }
    } catch {
      return undefined
    }
  }

  async #unlink(path: string): Promise<void> {
    await this.#files.unlink(path).catch(() => {})
  }
}

function checksum(...parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => crc32(part, sum), 0)
}
