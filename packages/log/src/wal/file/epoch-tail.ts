import type { Files } from '@moulin/core'
import { epochPath } from './epoch-folder.ts'
import type { Frame } from './frame.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'
import { scanSegment, type SegmentScan } from './segment-scan.ts'
import { generationsIn, headerOf, withFile } from './source-scan.ts'

/** Where a reader stands in the epoch that it follows. */
export interface Place {
  readonly name: string
  readonly generation: bigint
  readonly position: number
  readonly isSealed: boolean
}

/** Frames of one segment, and where they end. */
export interface Found {
  readonly place: Place
  readonly frames: readonly Frame[]
}

/** What a living writer adds to its epoch, as a reader beside it finds it. */
export class EpochTail {
  readonly #files: Files
  readonly #dir: string
  readonly #logId: Uint8Array

  constructor(files: Files, dir: string, logId: Uint8Array) {
    this.#files = files
    this.#dir = dir
    this.#logId = logId
  }

  /**
   * What follows a place, durable by our own sync. `isBehind`: some of it was recycled before we came. What of that was copied on is
   * found all the same: a copy stands in a later place than what it was copied from, and was durable before that was recycled.
   */
  async since(
    epoch: bigint,
    from: Place | undefined,
  ): Promise<{ readonly found: readonly Found[]; readonly isBehind: boolean }> {
    const found: Found[] = []
    let isBehind = false
    let place = from
    for (;;) {
      if (place === undefined || place.isSealed) {
        const generation: bigint = place?.generation ?? 0n
        const next = await this.#segmentAfter(epoch, generation)
        if (next === undefined) return { found, isBehind }
        isBehind ||= next.generation > generation + 1n
        place = next
      }
      const scan = await this.#scanFrom(epoch, place)
      isBehind ||= scan === undefined
      const { end: position, isSealed, frames } = scan ?? { end: place.position, isSealed: true, frames: [] }
      const isMoved = place.generation !== from?.generation || position > place.position || isSealed
      place = { ...place, position, isSealed }
      if (isMoved) found.push({ place, frames })
      if (!isSealed) return { found, isBehind }
    }
  }

  async #scanFrom(epoch: bigint, { name, generation, position }: Place): Promise<SegmentScan | undefined> {
    const path = `${epochPath(this.#dir, epoch)}/${name}`
    const identity = { logId: this.#logId, epoch, generation }
    return withFile(this.#files, path, async (file) => {
      const scan = await scanSegment({ file, name: path, identity, from: position })
      if (!scan.isSealed && (await headerOf(file, path))?.generation !== generation) return undefined
      if (scan.frames.length > 0) await file.datasync()
      return scan
    })
  }

  async #segmentAfter(epoch: bigint, generation: bigint): Promise<Place | undefined> {
    const folder = epochPath(this.#dir, epoch)
    let last: bigint | undefined
    for (;;) {
      const all = await generationsIn(this.#files, folder)
      const next = all.find((each) => each.generation > generation)
      if (next === undefined) return undefined
      // What lies between may have been used anew behind our look: seen twice, it was recycled before.
      if (next.generation === generation + 1n || next.generation === last) {
        return { ...next, position: SEGMENT_HEADER_BYTES, isSealed: false }
      }
      last = next.generation
    }
  }
}
