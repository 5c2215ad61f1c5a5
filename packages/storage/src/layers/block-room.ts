import type { ObjectInfo } from '@moulin/core'

/** A block of an object that a {@link BlockRoom} keeps. */
export interface HeldBlock {
  /** All that it takes. */
  readonly bytes: number
}

/** Which block of which version of which object it is. */
export interface BlockName {
  readonly info: ObjectInfo
  /** Counts from 0. */
  readonly block: number
}

/** Where blocks of objects are kept: in memory, or in a folder. Who is in there, and for how long, is not its affair. */
export interface BlockRoom {
  /** What a block of so many bytes takes at most. */
  sizeOf(name: BlockName, length: number): number
  /** The bytes are another's, and are copied. Undefined where it cannot be kept. */
  keep(name: BlockName, bytes: Uint8Array): Promise<HeldBlock | undefined>
  /** Undefined where it is gone or damaged. The bytes may be the room's own: they are for reading. */
  read(name: BlockName, held: HeldBlock): Promise<Uint8Array | undefined>
  remove(held: HeldBlock): Promise<void>
  /** What an earlier process has left here, the oldest first. */
  load(): Promise<readonly (BlockName & { readonly held: HeldBlock })[]>
}

interface HeldInMemory extends HeldBlock {
  readonly content: Uint8Array
}

export const memoryRoom: BlockRoom = {
  sizeOf: (_, length) => length,
  async keep(_, bytes) {
    // Of its own, so that it goes alone; a constructor copies.
    const held: HeldInMemory = { bytes: bytes.length, content: new Uint8Array(bytes) }
    return held
  },
  read: async (_, held) => (held as HeldInMemory).content,
  async remove() {},
  load: async () => [],
}
