import { corrupt, unsupported, type FileHandle, type SectionHeader } from '@moulin/core'
import {
  claimedFrameBytes,
  FRAME_ALIGNMENT,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  generationAt,
  proofOfWrite,
  readFrame,
  type Frame,
  type FrameRead,
  type SegmentIdentity,
} from './frame.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'

const WINDOW_BYTES = 1024 * 1024
const magic = Buffer.from([
  FRAME_MAGIC >>> 24,
  (FRAME_MAGIC >>> 16) & 255,
  (FRAME_MAGIC >>> 8) & 255,
  FRAME_MAGIC & 255,
])

/** What was found in a segment. */
export interface SegmentScan {
  readonly frames: readonly Frame[]
  /** After the last good frame (the seal included). */
  readonly end: number
  readonly isSealed: boolean
  /** The remains of a frame of this segment at `end`: a flush that was never acked, or damage. */
  readonly damage?: { readonly reason: string; readonly bytes: number; readonly header: SectionHeader | undefined }
}

export interface ScanRequest {
  readonly file: FileHandle
  /** For messages. */
  readonly name: string
  readonly identity: SegmentIdentity
  /** Where to begin; default the first frame. */
  readonly from?: number
  /** Recorded end, which is never read past. */
  readonly limit?: number
}

/** Reads the good frames of a segment, in order, up to its seal or the first position without one. */
export async function scanSegment({ file, name, identity, from, limit }: ScanRequest): Promise<SegmentScan> {
  const size = Math.min(await file.size(), limit ?? Infinity)
  const window = new Window(file, size)
  const frames: Frame[] = []
  let position = from ?? SEGMENT_HEADER_BYTES
  for (;;) {
    const read = await frameAt(window, position, identity)
    if (read.status !== 'frame') {
      refuseLater(read, name, position)
      const damage =
        read.status === 'damaged' ? { damage: { reason: read.reason, bytes: read.sizeBytes, header: read.header } } : {}
      return { frames, end: position, isSealed: false, ...damage }
    }
    const { frame } = read
    if (frame.kind === 'seal') return { frames, end: frame.end, isSealed: true }
    if (frame.header.lastOffset < frame.header.baseOffset) {
      throw corrupt('SEGMENT', `${name} at position ${position}: a section ends before it begins.`, {
        context: { file: name, position },
      })
    }
    frames.push(frame)
    position = frame.end
  }
}

/** What follows a position without a good frame. */
export interface Aftermath {
  /** A good frame whose flush began later: what is bad had been synced. */
  readonly durable: Frame | undefined
  /** The first good frame that follows. */
  readonly first: Frame | undefined
  /** The end of the last good frame of the flush that the bad bytes belong to. */
  readonly remainsEnd: number | undefined
}

/** Looks behind `from`, where no good frame of this segment begins, for later ones. */
export async function aftermathOf({ file, name, identity, from = 0 }: ScanRequest): Promise<Aftermath> {
  const window = new Window(file, await file.size())
  let first: Frame | undefined
  let remainsEnd: number | undefined
  for await (const { frame } of framesBehind(window, name, from + FRAME_ALIGNMENT, () => identity)) {
    first ??= frame
    if (frame.flushStart > from) return { durable: frame, first, remainsEnd }
    remainsEnd = frame.end
  }
  return { durable: undefined, first, remainsEnd }
}

/** A frame of whichever use of its file. */
export interface FoundFrame {
  readonly frame: Frame
  readonly identity: SegmentIdentity
}

/** All good frames of a file that lost its header, of whichever use of it, past all that is not good. */
export async function* framesWithoutHeader(
  file: FileHandle,
  name: string,
  { logId, epoch }: Pick<SegmentIdentity, 'logId' | 'epoch'>,
): AsyncGenerator<FoundFrame> {
  const window = new Window(file, await file.size())
  yield* framesBehind(window, name, SEGMENT_HEADER_BYTES, (start) => ({
    logId,
    epoch,
    generation: generationAt(start),
  }))
}

/** Good frames from `from` on, wherever they begin; `identify` is told the first bytes of what may be one. */
async function* framesBehind(
  window: Window,
  name: string,
  from: number,
  identify: (start: Uint8Array) => SegmentIdentity,
): AsyncGenerator<FoundFrame> {
  let position = from
  while (position < window.size) {
    const bytes = await window.at(position, magic.length)
    const found = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(magic)
    if (found < 0) {
      position += Math.max(1, bytes.length - magic.length + 1)
      continue
    }
    position += found
    const start = position % FRAME_ALIGNMENT === 0 ? await window.at(position, FRAME_HEADER_BYTES) : undefined
    if (start === undefined || start.length < FRAME_HEADER_BYTES) {
      position += 1
      continue
    }
    const identity = identify(start)
    const read = await frameAt(window, position, identity)
    refuseLater(read, name, position)
    if (read.status === 'frame') yield { frame: read.frame, identity }
    position = read.status === 'frame' ? read.frame.end : position + 1
  }
}

/**
 * Whether the kernel had been given the whole frame at `from`, where no good one begins: what it says behind its batches is
 * there. Only on the same boot does that mean that it was whole once: no page cache is lost there.
 */
export async function wasWritten({ file, identity, from = 0 }: ScanRequest): Promise<boolean> {
  const window = new Window(file, await file.size())
  const start = await window.at(from, FRAME_HEADER_BYTES)
  const bytes = await window.at(from, claimedFrameBytes(start))
  const found = proofOfWrite(bytes, from, identity)
  if (found.proof !== 'trailer') return found.proof === 'whole'
  return window.has(found.trailer, from + found.from)
}

/** @throws `unsupported` for a frame with a right header that this version may not read: never damage, never a torn tail. */
export function refuseLater(read: FrameRead, name: string, position: number): void {
  if (read.status !== 'unsupported') return
  throw unsupported('FORMAT_VERSION', `${name} at position ${position}: a frame ${read.reason}. Use a newer moulin.`, {
    context: { file: name, position, minimumReader: read.minimumReader },
  })
}

async function frameAt(
  window: Window,
  position: number,
  identity: SegmentIdentity,
): Promise<Exclude<FrameRead, { status: 'short' }>> {
  const room = window.size - position
  let needed = FRAME_HEADER_BYTES
  for (;;) {
    const bytes = await window.at(position, needed)
    const read = readFrame(bytes, 0, position, room, identity)
    if (read.status !== 'short') return read
    // Shorter than its size said: someone cut the file. What is not there is not a frame.
    if (bytes.length < needed) return { status: 'damaged', reason: 'the file ends inside it', sizeBytes: bytes.length }
    needed = read.needed
  }
}

/** A stretch of the file in memory, moved along as the scan goes on. */
class Window {
  readonly size: number
  readonly #file: FileHandle
  #start = 0
  #bytes: Uint8Array = new Uint8Array(0)

  constructor(file: FileHandle, size: number) {
    this.#file = file
    this.size = size
  }

  /** All bytes at hand from `position` on: at least `minimum`, or all up to the end of the file. */
  async at(position: number, minimum: number): Promise<Uint8Array> {
    const left = Math.max(0, this.size - position)
    const offset = position - this.#start
    const atHand = offset >= 0 ? this.#bytes.length - offset : 0
    if (atHand >= Math.min(minimum, left)) return this.#bytes.subarray(offset)
    this.#bytes = await this.#file.read(position, Math.min(left, Math.max(minimum, WINDOW_BYTES)))
    this.#start = position
    return this.#bytes
  }

  /** Whether these bytes stand somewhere from `position` on. */
  async has(wanted: Uint8Array, position: number): Promise<boolean> {
    while (position + wanted.length <= this.size) {
      const bytes = await this.at(position, wanted.length)
      if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(Buffer.from(wanted))) return true
      position += Math.max(1, bytes.length - wanted.length + 1)
    }
    return false
  }
}
