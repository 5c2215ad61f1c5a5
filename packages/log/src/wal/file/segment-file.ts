import { invalid, option, type FileHandle, type Files, type OptionCheck } from '@moulin/core'
import { asRejected, checkReserve, isNoSpace, spaceAt } from './disk-space.ts'
import { epochPath, segmentFileName } from './epoch-folder.ts'
import { FRAME_HEADER_BYTES, frameEnd, SEAL_BYTES, type SegmentIdentity } from './frame.ts'
import { SEGMENT_HEADER_BYTES, segmentHeaderBytes } from './segment-header.ts'

/** How much of a file is zero-filled and synced at a time: a bigger step would stand in the way of a flush. */
const PREALLOCATION_STEP_BYTES = 4 * 1024 * 1024

/**
 * A segment file of this writer, open for writing: by a handle that syncs what it writes, for frames, and a plain one, for all that is not worth
 * a sync of its own, or makes room. Where the system has no synced ones, the plain one does both.
 *
 * The system tells an error of its own writing back to each handle, once. What is told to the plain one beside a flush may be about a
 * page that they share, so it is final for both; see {@link store}.
 */
export class SegmentFile implements SegmentIdentity {
  readonly logId: Uint8Array
  readonly epoch: bigint
  readonly slot: number
  readonly path: string
  /** Reads, and writes frames. */
  readonly file: FileHandle
  readonly sizeBytes: number
  readonly #plain: FileHandle
  readonly #place: SegmentPlace
  generation: bigint
  /** Where the next frame goes. */
  position: number = SEGMENT_HEADER_BYTES
  /** Nothing more goes there. */
  isSealed = false
  #allocated = SEGMENT_HEADER_BYTES
  #extending: Promise<void> | undefined
  /** Of an extension: what was written meanwhile may be gone. Final. */
  #failure: Error | undefined
  /** Nothing is taken ahead any more. */
  #isTrimmed = false
  #isClosed = false

  private constructor(
    { file, plain }: Handles,
    place: SegmentPlace,
    { slot, generation, sizeBytes }: { slot: number; generation: bigint; sizeBytes: number },
  ) {
    this.file = file
    this.#plain = plain
    this.#place = place
    this.logId = place.logId
    this.epoch = place.epoch
    this.slot = slot
    this.path = segmentPath(place, slot)
    this.sizeBytes = sizeBytes
    this.generation = generation
  }

  /** A new file with its header, durable. Should it fail, whoever asked removes what there is of it. */
  static async create(
    place: SegmentPlace,
    options: { readonly slot: number; readonly generation: bigint; readonly sizeBytes: number },
  ): Promise<SegmentFile> {
    const path = segmentPath(place, options.slot)
    const handles = await openHandles(place.files, path)
    try {
      const segment = new SegmentFile(handles, place, options)
      await segment.use(options.generation)
      await place.files.syncDirectory(epochPath(place.dir, place.epoch))
      return segment
    } catch (error) {
      await closeHandles(handles)
      throw error
    }
  }

  /** Begins a new generation, durable on return: nothing of the old one parses any more. */
  async use(generation: bigint): Promise<void> {
    this.generation = generation
    this.position = SEGMENT_HEADER_BYTES
    this.isSealed = false
    this.#isTrimmed = false
    await this.#plain.writev([segmentHeaderBytes(this)], 0)
    await this.#plain.sync()
  }

  /** Identity of this use of the file, in locations and messages. */
  get id(): string {
    return segmentId(this.epoch, segmentFileName(this.slot), this.generation)
  }

  /** Whether a frame with `batchesBytes` fits, with room for the seal behind it. */
  fits(batchesBytes: number): boolean {
    return frameEnd(this.position, batchesBytes) + SEAL_BYTES <= this.sizeBytes
  }

  /** Whether a write up to `position` needs no {@link allocate} before it. */
  isAllocated(position: number): boolean {
    return position <= this.#allocated
  }

  /**
   * Zero-fills up to `position` at least, so that a flush there changes no metadata. Only this grows the file: a flush must wait for it,
   * or its bytes could be zeroed.
   * @throws `exhausted` code `NO_SPACE`: nothing was taken; so, too, where `keepsReserve`, and less than half of the reserve would be left.
   */
  async allocate(position: number, keepsReserve = false): Promise<void> {
    while (this.#allocated < position) {
      if (keepsReserve) await checkReserve(this.#place.files, this.#place.dir, position - this.#allocated)
      const step = this.#nextStep()
      const size = step > position && (await this.#leavesReserve(step)) ? step : position
      // One that began ahead of need may fail for room that this one can do without; of any other failure see `store`.
      if (this.#extending !== undefined) await this.#extending.catch(() => this.#check())
      else
        await this.#extendOnce(size).catch((error: unknown) => {
          // Somebody else took it meanwhile.
          if (size > position && isNoSpace(error)) return this.#extendOnce(position)
          throw error
        })
    }
  }

  /**
   * Writes frames, durable on return; `syncing` is called when the call begins that makes them so. Any error is final, but for:
   * @throws `NO_SPACE`, rejected, where not one frame can be whole: a reader beside us may have shown the first that is.
   */
  async store(frames: readonly Uint8Array[], position: number, syncing?: () => void): Promise<void> {
    if (this.file.isSynced) {
      syncing?.()
      // A full disk is not told from a sync that failed for want of room, so that is final, too: room was made before, by `allocate`.
      await this.file.writev(frames, position)
    } else {
      await this.#write(frames, position)
      syncing?.()
      await this.file.datasync()
      // One handle is told an error once: where that is a sync ahead of need, it concerns what was written beside it.
      await this.#extending?.catch(() => undefined)
    }
    // A synced write waits for its own pages, and is told itself what became of them: it need not wait for what is taken ahead.
    this.#check()
  }

  async #write(frames: readonly Uint8Array[], position: number): Promise<void> {
    try {
      await this.file.writev(frames, position)
    } catch (error) {
      const written = isNoSpace(error) ? error.context['written'] : undefined
      // Less than a header is no frame, whatever stands behind it, and the next flush writes over it.
      throw typeof written === 'number' && written < FRAME_HEADER_BYTES ? asRejected(error) : error
    }
  }

  /** Zero-fills all, ahead of the writer, as far as the disk's reserve is left. */
  async allocateAhead(): Promise<void> {
    while (this.#allocated < this.sizeBytes && !this.#isEnded) {
      const isFree = await this.#leavesReserve(this.#nextStep())
      if (this.#extending !== undefined) await this.#extending
      else if (!isFree || this.#isEnded) return
      else await this.#extendOnce(this.#nextStep())
    }
  }

  /** Gives back what was taken ahead and will not be written to. Best effort: returns how many bytes of the disk it has then. */
  async trim(): Promise<number> {
    this.#isTrimmed = true
    await this.#extending?.catch(() => undefined)
    const before = this.#allocated
    if (this.#isClosed || before <= this.position) return Math.max(before, this.position)
    // Whether or not it was cut: zeros that are there already are no harm to the next use.
    this.#allocated = this.position
    return this.#plain.truncate(this.position).then(
      () => this.position,
      () => before,
    )
  }

  /** Stops preallocation, closes both handles. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#extending?.catch(() => undefined)
    await closeHandles({ file: this.file, plain: this.#plain })
  }

  get #isEnded(): boolean {
    return this.#isTrimmed || this.#isClosed
  }

  #nextStep(): number {
    return Math.min(this.sizeBytes, this.#allocated + PREALLOCATION_STEP_BYTES)
  }

  async #leavesReserve(size: number): Promise<boolean> {
    const { freeBytes, reserveBytes } = await spaceAt(this.#place.files, this.#place.dir)
    return freeBytes - (size - this.#allocated) >= reserveBytes
  }

  #extendOnce(size: number): Promise<void> {
    const extending = this.#extend(size).finally(() => (this.#extending = undefined))
    this.#extending = extending
    return extending
  }

  async #extend(size: number): Promise<void> {
    try {
      await this.#plain.preallocate(size)
      await this.#plain.sync()
    } catch (error) {
      if (!isNoSpace(error)) {
        this.#failure = error as Error
        throw error
      }
      await this.#plain.truncate(this.#allocated).catch(() => undefined)
      throw asRejected(error)
    }
    this.#allocated = size
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }
}

interface Handles {
  readonly file: FileHandle
  /** The same one where that does not sync what it writes. */
  readonly plain: FileHandle
}

async function openHandles(files: Files, path: string): Promise<Handles> {
  const file = await files.open(path, 'create', { synced: true })
  if (!file.isSynced) return { file, plain: file }
  try {
    return { file, plain: await files.open(path, 'write') }
  } catch (error) {
    await file.close()
    throw error
  }
}

async function closeHandles({ file, plain }: Handles): Promise<void> {
  try {
    await file.close()
  } finally {
    if (plain !== file) await plain.close()
  }
}

/** Where a writer's files lie, and whose they are. */
export interface SegmentPlace {
  readonly files: Files
  readonly dir: string
  /** 16 bytes. */
  readonly logId: Uint8Array
  readonly epoch: bigint
}

/** Size of a segment that holds just one section. */
export function sizeForSection(batchesBytes: number): number {
  return frameEnd(SEGMENT_HEADER_BYTES, batchesBytes) + SEAL_BYTES
}

/** Smallest useful segment: a header and one small frame. */
export const segmentBytesCheck: OptionCheck = {
  ...option.integer('bytes', 2 * SEGMENT_HEADER_BYTES, 0x7fffffff),
  code: 'LIMIT',
}

/** `epoch-3/0000000001.wal@7`: the file and which use of it. */
export function segmentId(epoch: bigint, name: string, generation: bigint): string {
  return `epoch-${epoch}/${name}@${generation}`
}

const segmentIdText = /^epoch-(\d+)\/(\d{10}\.wal)@(\d+)$/

/** @throws `invalid` for what {@link segmentId} did not make: a location of another Wal. */
export function parseSegmentId(id: string): { epoch: bigint; name: string; generation: bigint } {
  const [, epoch, name, generation] = segmentIdText.exec(id) ?? []
  if (epoch === undefined || name === undefined || generation === undefined) {
    throw invalid('LOCATION', `${id} is not a location of this write-ahead tier.`)
  }
  return { epoch: BigInt(epoch), name, generation: BigInt(generation) }
}

export function segmentPath({ dir, epoch }: SegmentPlace, slot: number): string {
  return `${epochPath(dir, epoch)}/${segmentFileName(slot)}`
}
