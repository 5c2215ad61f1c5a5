import type { CallOptions, Failing, FileHandle, Runtime, WalLocation, WalSpace, WalUsage } from '@moulin/core'
import { DeadFiles } from './dead-files.ts'
import { spaceAt } from './disk-space.ts'
import { sealFrame } from './frame-writer.ts'
import { SEAL_BYTES, type SegmentIdentity } from './frame.ts'
import { LiveSegments } from './live-segments.ts'
import { patiently } from './patience.ts'
import { readSection, released } from './section-read.ts'
import type { SegmentFile, SegmentPlace } from './segment-file.ts'
import { allocateInBackground, SegmentSupply } from './segment-supply.ts'

/** A sealed file of an older epoch that this one lists: read, then deleted, never written. */
export interface ForeignSegment extends SegmentIdentity {
  readonly id: string
  readonly path: string
  /** Opened at the first read. */
  file: Promise<FileHandle> | undefined
}

/**
 * The segments of a writer: the active one, those that it has sealed, and those of older epochs that hold something. Counts what lives in
 * them, and frees those in which nothing does.
 */
export class WriterSegments {
  readonly #runtime: Runtime
  readonly #place: SegmentPlace
  readonly #supply: SegmentSupply
  readonly #dead: DeadFiles
  readonly #live = new LiveSegments()
  readonly #sealed = new Map<string, SegmentFile>()
  readonly #foreign = new Map<string, ForeignSegment>()
  #active: SegmentFile

  private constructor(
    runtime: Runtime,
    place: SegmentPlace,
    { supply, dead }: { readonly supply: SegmentSupply; readonly dead: DeadFiles },
    active: SegmentFile,
  ) {
    this.#runtime = runtime
    this.#place = place
    this.#supply = supply
    this.#dead = dead
    this.#active = active
  }

  /** One empty segment. */
  static async begin(runtime: Runtime, place: SegmentPlace, segmentBytes: number): Promise<WriterSegments> {
    const dead = new DeadFiles(runtime, place)
    const supply = new SegmentSupply(place, segmentBytes, dead)
    const active = await supply.next(0)
    allocateInBackground(active)
    return new WriterSegments(runtime, place, { supply, dead }, active)
  }

  /** The one that is written. */
  get active(): SegmentFile {
    return this.#active
  }

  /** Live sections of an older epoch's file, which takes `bytes` of the disk: they stay where they are. */
  adopt(segment: ForeignSegment, locations: readonly WalLocation[], bytes: number): void {
    this.#foreign.set(segment.id, segment)
    for (const location of locations) this.#live.add(location)
    this.#live.seal(segment.id, bytes)
  }

  /** Sections of the active segment, durable, of so many bytes together. */
  add(segment: string, sections: number, bytes: number): void {
    this.#live.addAll(segment, sections, bytes)
  }

  async read(location: WalLocation, call: CallOptions): Promise<Uint8Array> {
    const { segment } = location
    try {
      const own = segment === this.#active.id ? this.#active : this.#sealed.get(segment)
      if (own !== undefined) return await readSection(own.file, location, identityOf(own), call)
      const foreign = this.#foreign.get(segment)
      if (foreign === undefined) throw released(segment)
      return await readSection(await this.#fileOf(foreign), location, foreign, call)
    } catch (error) {
      throw this.#holds(segment) ? error : released(segment)
    }
  }

  /** Forgets these sections. Returns the segments in which nothing lives any more: {@link free} them. */
  release(locations: readonly WalLocation[]): readonly string[] {
    return this.#live.remove(locations)
  }

  /** Never rejects: what cannot be freed now is later. */
  async free(emptied: readonly string[]): Promise<void> {
    for (const segment of emptied) await this.#free(segment)
  }

  /** Begins to make the next segment. */
  prepare(): void {
    this.#supply.prepare()
  }

  /** Whether a section goes into the active segment, without {@link makeRoom}. */
  hasRoom(batchesBytes: number): boolean {
    return !this.#active.isSealed && this.#active.fits(batchesBytes)
  }

  /** Seals a full segment before the next one gets its first frame: only the last may hold unsynced bytes. */
  async makeRoom(batchesBytes: number): Promise<void> {
    const full = this.#active
    if (this.hasRoom(batchesBytes)) return
    if (!full.isSealed) {
      await full.allocate(full.position + SEAL_BYTES)
      await full.store([sealFrame(full.position, full)], full.position)
      full.isSealed = true
      full.position += SEAL_BYTES
      // What it holds from being freed is what it takes of the disk.
      this.#live.seal(full.id, await full.trim())
    }
    // On a full disk there may be none for a while.
    this.#active = await patiently(this.#runtime, () => this.#supply.next(batchesBytes))
    allocateInBackground(this.#active)
    this.#sealed.set(full.id, full)
    if (!this.#live.has(full.id)) await this.#free(full.id)
  }

  /** See `WalWriter`. */
  async space(): Promise<WalSpace> {
    const { files, dir } = this.#place
    const space = await spaceAt(files, dir)
    if (space.freeBytes >= space.reserveBytes || this.#idle === 0) return space
    await this.#supply.giveBack()
    return spaceAt(files, dir)
  }

  usage(): Omit<WalUsage, 'bufferBytes'> {
    return {
      liveBytes: this.#live.liveBytes,
      heldBytes: this.#live.heldBytes,
      segments: 1 + this.#sealed.size + this.#foreign.size + this.#idle,
      liveSegments: this.#live.size,
    }
  }

  get failing(): Failing {
    return this.#dead.failing
  }

  sparse(share: number): readonly string[] {
    return this.#live.sparse(share)
  }

  /** `isWhole`: all that was written is good. */
  async close(isWhole: boolean): Promise<void> {
    await this.#supply.close()
    for (const segment of [this.#active, ...this.#sealed.values()]) {
      // What a flush left that failed is for the next opener to judge.
      if (isWhole) await segment.trim()
      await segment.close()
    }
    for (const { file } of this.#foreign.values()) await closeFile(file)
    await this.#dead.close()
  }

  /** Files that hold nothing. */
  get #idle(): number {
    return this.#supply.idleSegments + this.#dead.size
  }

  #holds(segment: string): boolean {
    return segment === this.#active.id || this.#sealed.has(segment) || this.#foreign.has(segment)
  }

  /** Opened once; an open that fails says nothing of the next. */
  #fileOf(foreign: ForeignSegment): Promise<FileHandle> {
    if (foreign.file !== undefined) return foreign.file
    const file = this.#place.files.open(foreign.path, 'read')
    foreign.file = file
    file.catch(() => {
      if (foreign.file === file) foreign.file = undefined
    })
    return file
  }

  async #free(segment: string): Promise<void> {
    const own = this.#sealed.get(segment)
    const foreign = this.#foreign.get(segment)
    this.#sealed.delete(segment)
    this.#foreign.delete(segment)
    if (own !== undefined) await this.#supply.recycle(own)
    if (foreign !== undefined) {
      await closeFile(foreign.file).catch(() => undefined)
      await this.#dead.remove(foreign.path)
    }
  }
}

/** As it is now: the file object gets another generation when it is recycled. */
function identityOf({ logId, epoch, generation }: SegmentIdentity): SegmentIdentity {
  return { logId, epoch, generation }
}

async function closeFile(file: Promise<FileHandle> | undefined): Promise<void> {
  await (await file?.catch(() => undefined))?.close()
}
