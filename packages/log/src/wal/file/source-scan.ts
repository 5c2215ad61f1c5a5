import { corrupt, isKind, type FileHandle, type Files, type SectionHeader, type TornTail } from '@moulin/core'
import { epochPath, isSegmentName, type EpochInfo, type ForeignFile } from './epoch-folder.ts'
import { FRAME_HEADER_BYTES, type Frame } from './frame.ts'
import { orderSections, sectionKey } from './section-order.ts'
import { readSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.ts'
import {
  aftermathOf,
  framesWithoutHeader,
  scanSegment,
  wasWritten,
  type Aftermath,
  type SegmentScan,
} from './segment-scan.ts'

/** A segment of a source, with its live sections. */
export interface SourceSegment {
  readonly epoch: bigint
  readonly name: string
  readonly generation: bigint
  readonly live: readonly Frame[]
  readonly end: number
  readonly isSealed: boolean
}

/** What an epoch holds: sealed segments, oldest first, and the active one of its writer, if that has frames. */
export interface Source {
  readonly sealed: readonly SourceSegment[]
  readonly active: SourceSegment | undefined
  readonly torn: TornTail | undefined
}

export interface SourceRequest {
  readonly files: Files
  readonly dir: string
  /** 16 bytes. */
  readonly logId: Uint8Array
  readonly info: EpochInfo
  /** Of this machine now: on the boot of the epoch's owner the page cache is as that left it. */
  readonly bootId: string
  readonly isLive: (header: SectionHeader) => boolean
  /** Called for each file that gave frames, before it is closed: where they are made durable. */
  readonly afterScan?: (file: FileHandle) => Promise<void>
}

/**
 * Reads all live sections that an epoch answers for, each at the one place that counts.
 * @throws `corrupt`, naming file and position.
 */
export async function scanSource(request: SourceRequest): Promise<Source> {
  const { info } = request
  const foreign: SourceSegment[] = []
  const headerless: HeaderlessFile[] = []
  for (const file of info.files) {
    const segment = await scanForeign(request, file, headerless)
    if (segment !== undefined) foreign.push(segment)
  }
  const own = await scanOwn(request, headerless)
  const sealed = [...foreign, ...own.sealed]
  const live = [...sealed, ...(own.active === undefined ? [] : [own.active])].flatMap((segment) => segment.live)
  await checkHeaderless(request.files, headerless, live)
  const { superseded } = orderSections(live)
  const current = (segment: SourceSegment): SourceSegment => ({
    ...segment,
    live: superseded.size === 0 ? segment.live : segment.live.filter((frame) => !superseded.has(frame)),
  })
  const active = own.active === undefined ? undefined : current(own.active)
  return { ...own, active, sealed: sealed.map(current).filter((segment) => segment.live.length > 0) }
}

/** A file listed by its successor. One that is gone, or has been used anew, held nothing live. */
async function scanForeign(
  request: SourceRequest,
  file: ForeignFile,
  headerless: HeaderlessFile[],
): Promise<SourceSegment | undefined> {
  const { epoch, name, generation, end } = file
  const path = `${epochPath(request.dir, epoch)}/${name}`
  return withFile(request.files, path, async (handle) => {
    const header = await headerOf(handle, path)
    if (header === undefined) headerless.push(await liveWithoutHeader(handle, path, { ...request, epoch }))
    if (header?.generation !== generation) return undefined
    checkIdentity(header, request.logId, epoch, path)
    const scan = await scanSegment({ file: handle, name: path, identity: header, limit: end })
    if (!scan.isSealed || scan.end !== end) throw damaged(path, scan, `its recorded end is ${end}`)
    await request.afterScan?.(handle)
    return segmentOf(request, header, name, scan)
  })
}

interface OwnFile {
  readonly name: string
  readonly header: SegmentHeader
}

interface OwnScan extends OwnFile {
  readonly scan: SegmentScan
  readonly remainsEnd: number | undefined
  /** A frame had been written whole behind the good ones, and is not good. */
  readonly wasWhole: boolean
}

async function scanOwn(request: SourceRequest, headerless: HeaderlessFile[]): Promise<Source> {
  const scans: OwnScan[] = []
  // Newest first: what is seen in a newer segment proves that the older one was sealed before (docs/formats/wal.md).
  const ownFiles = await listOwn(request, headerless)
  let isFollowed = false
  for (const own of ownFiles.sort((a, b) => (a.header.generation < b.header.generation ? 1 : -1))) {
    const scan = await scanOwnFile(request, own, isFollowed)
    if (scan === undefined) continue
    isFollowed ||= scan.scan.frames.length > 0
    scans.unshift(scan)
  }
  let last = scans.findLastIndex(({ scan }) => scan.frames.length > 0 || scan.isSealed)
  const isLastSealed = last >= 0 && scans[last]!.scan.isSealed
  const torn = scans.slice(isLastSealed ? last + 1 : Math.max(last, 0)).find(isTorn)
  const segments = scans.map(({ name, header, scan }) => segmentOf(request, header, name, scan))
  if (isLastSealed) last += 1
  return {
    sealed: segments.slice(0, Math.max(last, 0)),
    active: last >= 0 && !isLastSealed ? segments[last] : undefined,
    torn: torn === undefined ? undefined : tornTail(request, torn),
  }
}

const isTorn = ({ scan, remainsEnd, wasWhole }: OwnScan): boolean =>
  scan.damage !== undefined || remainsEnd !== undefined || wasWhole

function tornTail({ info }: SourceRequest, { name, scan, remainsEnd }: OwnScan): TornTail {
  const { damage, end } = scan
  // A frame that does not say whose it is says no length, either.
  const bytes = Math.max(damage?.bytes ?? FRAME_HEADER_BYTES, remainsEnd === undefined ? 0 : remainsEnd - end)
  const reason =
    damage?.reason ??
    (remainsEnd === undefined
      ? 'a frame does not say that it is of this segment'
      : 'the first part of the last flush is missing')
  return { segment: `epoch-${info.epoch}/${name}`, position: end, bytes, reason }
}

/**
 * Headers are read one after the other while a living writer may use files anew: one that was read as of an earlier use may hold what stands
 * before a file that is read later. So a first look says how far to go: every generation up to there has its header by then, and the second look
 * finds it, unless it was recycled, and so released, or copied on.
 */
async function listOwn(
  { files, dir, logId, info, isLive }: SourceRequest,
  headerless: HeaderlessFile[],
): Promise<OwnFile[]> {
  const folder = epochPath(dir, info.epoch)
  const newest = (await generationsIn(files, folder)).at(-1)?.generation ?? 0n
  const own: OwnFile[] = []
  for (const { name } of await files.readdir(folder)) {
    if (!isSegmentName(name)) continue
    const path = `${folder}/${name}`
    const header = await withFile(files, path, async (handle) => {
      const found = await headerOf(handle, path)
      if (found === undefined)
        headerless.push(await liveWithoutHeader(handle, path, { logId, epoch: info.epoch, isLive }))
      return found
    })
    if (header === undefined || header.generation > newest) continue
    checkIdentity(header, logId, info.epoch, path)
    own.push({ name, header })
  }
  return own
}

async function scanOwnFile(
  request: SourceRequest,
  { name, header }: OwnFile,
  isFollowed: boolean,
): Promise<OwnScan | undefined> {
  const path = `${epochPath(request.dir, request.info.epoch)}/${name}`
  return withFile(request.files, path, async (file) => {
    const whole = { file, name: path, identity: header }
    // While it was read: its owner has released it, or copied it on, durably, so nothing in it is live.
    const isRecycled = async (): Promise<boolean> => (await headerOf(file, path))?.generation !== header.generation
    let scan = await scanSegment(whole)
    let remainsEnd: number | undefined
    let wasWhole = false
    while (!scan.isSealed) {
      const from = { ...whole, from: scan.end }
      const aftermath = await aftermathOf(from)
      wasWhole = await wasWritten(from)
      const evidence = evidenceOfDamage(request, aftermath, wasWhole)
      if (await isRecycled()) return undefined
      if (isFollowed) throw damaged(path, scan, 'a newer segment follows')
      remainsEnd = aftermath.remainsEnd
      if (evidence === undefined) break
      // Damage, unless its writer is alive and has gone on meanwhile.
      const more = await scanSegment(from)
      if (more.frames.length === 0 && !more.isSealed) {
        if (await isRecycled()) return undefined
        throw damaged(path, scan, evidence)
      }
      scan = { ...more, frames: [...scan.frames, ...more.frames] }
    }
    if (scan.frames.length > 0) await request.afterScan?.(file)
    return { name, header, scan, remainsEnd, wasWhole }
  })
}

/** What proves that the bad bytes were good once; undefined for a write that was cut short, and never acked. */
function evidenceOfDamage(
  { info, bootId }: SourceRequest,
  { durable, remainsEnd }: Aftermath,
  wasWhole: boolean,
): string | undefined {
  if (durable !== undefined) return `a good frame of a later flush follows at position ${durable.position}`
  // After a power loss any page of the last flush may be missing.
  if (info.owner.bootId !== bootId) return undefined
  if (remainsEnd !== undefined) return `a good frame of the same flush follows, up to position ${remainsEnd}`
  return wasWhole ? 'the whole frame had been written' : undefined
}

/** A file without a right header, and what in it would be live. */
interface HeaderlessFile {
  readonly path: string
  readonly live: readonly SectionHeader[]
}

async function liveWithoutHeader(
  file: FileHandle,
  path: string,
  { logId, epoch, isLive }: Pick<SourceRequest, 'logId' | 'isLive'> & { readonly epoch: bigint },
): Promise<HeaderlessFile> {
  const live: SectionHeader[] = []
  for await (const { frame } of framesWithoutHeader(file, path, { logId, epoch })) {
    if (frame.kind === 'section' && isLive(frame.header)) live.push(frame.header)
  }
  return { path, live }
}

/** A file without a header was being made or recycled; one that still holds live sections, which are nowhere else, lost it. */
async function checkHeaderless(
  files: Files,
  headerless: readonly HeaderlessFile[],
  found: readonly Frame[],
): Promise<void> {
  const suspects = headerless.filter(({ live }) => live.length > 0)
  if (suspects.length === 0) return
  const elsewhere = new Set(found.map(({ header }) => sectionKey(header)))
  for (const { path, live } of suspects) {
    if (live.every((header) => elsewhere.has(sectionKey(header)))) continue
    // Its owner may have recycled it in the meantime.
    const header = await withFile(files, path, (file) => headerOf(file, path))
    if (header !== undefined) continue
    throw corrupt(
      'SEGMENT',
      `${path} holds live sections, but its header is damaged. Restore the file, or see what \`moulin repair\` would give up.`,
      { context: { file: path, position: 0 } },
    )
  }
}

/** Which generation each segment file of a folder is in, by its header, ascending. */
export async function generationsIn(
  files: Files,
  folder: string,
): Promise<{ readonly name: string; readonly generation: bigint }[]> {
  const found: { name: string; generation: bigint }[] = []
  for (const { name } of await files.readdir(folder)) {
    if (!isSegmentName(name)) continue
    const path = `${folder}/${name}`
    const header = await withFile(files, path, (file) => headerOf(file, path))
    if (header !== undefined) found.push({ name, generation: header.generation })
  }
  return found.sort((a, b) => (a.generation < b.generation ? -1 : 1))
}

/** The header of a segment file, if there is a whole one. */
export async function headerOf(file: FileHandle, path: string): Promise<SegmentHeader | undefined> {
  return readSegmentHeader(await file.read(0, SEGMENT_HEADER_BYTES), path)
}

function checkIdentity(header: SegmentHeader, logId: Uint8Array, epoch: bigint, path: string): void {
  if (Buffer.compare(header.logId, logId) !== 0 || header.epoch !== epoch) {
    throw corrupt('SEGMENT', `${path} belongs to another log or epoch: it was copied or moved here.`, {
      context: { file: path, epoch: header.epoch },
    })
  }
}

function segmentOf({ isLive }: SourceRequest, header: SegmentHeader, name: string, scan: SegmentScan): SourceSegment {
  const live = scan.frames.filter((frame) => isLive(frame.header))
  const { epoch, generation } = header
  return { epoch, name, generation, live, end: scan.end, isSealed: scan.isSealed }
}

function damaged(path: string, { end, damage }: SegmentScan, because: string): Error {
  const what = damage?.reason ?? 'no frame begins there'
  return corrupt(
    'SEGMENT',
    `${path} is damaged at position ${end}: ${what}, but ${because}. Restore the file, or see what \`moulin repair\` would give up.`,
    { context: { file: path, position: end } },
  )
}

/** Runs `work` on the open file; undefined when the file is not there. */
export async function withFile<T>(
  files: Files,
  path: string,
  work: (file: FileHandle) => Promise<T>,
): Promise<T | undefined> {
  const handle = await files.open(path, 'read').catch((error: unknown) => {
    if (isKind(error, 'not-found')) return undefined
    throw error
  })
  if (handle === undefined) return undefined
  try {
    return await work(handle)
  } finally {
    await handle.close()
  }
}
