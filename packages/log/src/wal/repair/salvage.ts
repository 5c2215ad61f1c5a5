import { corrupt, type FileHandle, type SectionHeader } from '@moulin/core'
import { epochPath, isSegmentName } from '../file/epoch-folder.ts'
import type { Frame, SegmentIdentity } from '../file/frame.ts'
import { SEGMENT_HEADER_BYTES } from '../file/segment-header.ts'
import { orderSections } from '../file/section-order.ts'
import { aftermathOf, framesWithoutHeader, scanSegment, wasWritten } from '../file/segment-scan.ts'
import { headerOf, withFile } from '../file/source-scan.ts'
import type { SourceRequest } from '../file/source-scan.ts'

/** A stretch of a segment file that holds no good frame, and once did. */
export interface DamagedStretch {
  /** Path of the file. */
  readonly file: string
  readonly position: number
  /** Where reading goes on; the end of what is known to be lost. */
  readonly until: number
  readonly reason: string
  /** Of the section there, where its header is right and only its batches are not. */
  readonly header?: SectionHeader
}

/** All that can still be read of a segment file. */
export interface SalvagedSegment extends SegmentIdentity {
  readonly name: string
  readonly path: string
  readonly live: readonly Frame[]
  /** Would be live, but were found whole in a later place, too, which counts. */
  readonly superseded: readonly Frame[]
  readonly end: number
  readonly isSealed: boolean
  readonly damages: readonly DamagedStretch[]
}

/** As `scanSource` is asked; nothing is made durable. */
export type SalvageRequest = Omit<SourceRequest, 'afterScan'>

/**
 * Reads what an epoch answers for past all damage, oldest first: by the rules of `scanSource`, but that it goes on behind what is bad.
 * @throws `unsupported` for what a later version wrote: that is not damage.
 */
export async function salvage(request: SalvageRequest): Promise<SalvagedSegment[]> {
  const { info, files, dir } = request
  const found: SalvagedSegment[] = []
  for (const { epoch, name, generation, end } of info.files) {
    const segment = await salvageFile(request, epoch, name, { generation, end })
    if (segment !== undefined) found.push(segment)
  }
  const own: SalvagedSegment[] = []
  for (const { name } of await files.readdir(epochPath(dir, info.epoch))) {
    const segment = isSegmentName(name) ? await salvageFile(request, info.epoch, name) : undefined
    if (segment !== undefined) own.push(segment)
  }
  own.sort((a, b) => (a.generation < b.generation ? -1 : 1))
  const { superseded } = orderSections([...found, ...own].flatMap(({ live }) => live))
  const current = own.map((segment) => withoutSuperseded(segment, superseded)).filter((segment) => !isUsedAnew(segment))
  const last = current.findLastIndex(
    ({ live, superseded: moved, isSealed, damages }) => live.length + moved.length + damages.length > 0 || isSealed,
  )
  return [
    ...found.map((segment) => withoutSuperseded(segment, superseded)).filter((segment) => !isUsedAnew(segment)),
    ...current.map((segment, index) => (index < last ? sealLost(segment) : segment)),
  ]
}

function withoutSuperseded(segment: SalvagedSegment, superseded: ReadonlySet<Frame>): SalvagedSegment {
  if (superseded.size === 0) return segment
  return {
    ...segment,
    live: segment.live.filter((frame) => !superseded.has(frame)),
    superseded: segment.live.filter((frame) => superseded.has(frame)),
  }
}

/** All in it had been copied on, and it was being used again: that is why it has no header. */
function isUsedAnew({ damages, live, superseded }: SalvagedSegment): boolean {
  return damages[0]?.position === 0 && live.length === 0 && superseded.length > 0
}

async function salvageFile(
  request: SalvageRequest,
  epoch: bigint,
  name: string,
  recorded?: { readonly generation: bigint; readonly end: number },
): Promise<SalvagedSegment | undefined> {
  const path = `${epochPath(request.dir, epoch)}/${name}`
  return withFile(request.files, path, async (file) => {
    const header = await headerOf(file, path)
    if (header === undefined) return salvageHeaderless(request, file, epoch, name, path, recorded)
    if (recorded !== undefined && header.generation !== recorded.generation) return undefined
    if (Buffer.compare(header.logId, request.logId) !== 0 || header.epoch !== epoch) {
      throw corrupt('SEGMENT', `${path} belongs to another log or epoch: it was copied or moved here. Move it away.`, {
        context: { file: path, epoch: header.epoch },
      })
    }
    return walk(request, file, name, path, header, recorded?.end)
  })
}

/** A file that lost its header: what its good frames say of themselves is enough. Those of an earlier use are not live. */
async function salvageHeaderless(
  request: SalvageRequest,
  file: FileHandle,
  epoch: bigint,
  name: string,
  path: string,
  recorded?: { readonly generation: bigint; readonly end: number },
): Promise<SalvagedSegment | undefined> {
  let generation = recorded?.generation ?? 0n
  for await (const { identity } of framesWithoutHeader(file, path, { logId: request.logId, epoch })) {
    if (recorded === undefined && identity.generation > generation) generation = identity.generation
  }
  const identity = { logId: request.logId, epoch, generation }
  const segment = await walk(request, file, name, path, identity, recorded?.end)
  if (segment.live.length === 0) return undefined
  const lost = { file: path, position: 0, until: SEGMENT_HEADER_BYTES, reason: 'its header is damaged' }
  return { ...segment, damages: [lost, ...segment.damages] }
}

async function walk(
  { info, bootId, isLive }: SalvageRequest,
  file: FileHandle,
  name: string,
  path: string,
  { logId, epoch, generation }: SegmentIdentity,
  limit?: number,
): Promise<SalvagedSegment> {
  const identity = { logId, epoch, generation }
  const damages: DamagedStretch[] = []
  const frames: Frame[] = []
  let scan = await scanSegment({ file, name: path, identity, ...(limit === undefined ? {} : { limit }) })
  for (;;) {
    frames.push(...scan.frames)
    const from = { file, name: path, identity, from: scan.end }
    if (scan.isSealed) break
    const { first: next, durable } = await aftermathOf(from)
    const first = next !== undefined && next.position < (limit ?? Infinity) ? next : undefined
    const isSame = info.owner.bootId === bootId
    const { reason = 'no frame begins there', header } = scan.damage ?? {}
    const known = { file: path, position: scan.end, reason, ...(header === undefined ? {} : { header }) }
    // Before another boot, frames of the last flush may follow a part of it that was never on the disk: a torn tail.
    if (first !== undefined && (isSame || limit !== undefined || durable !== undefined)) {
      damages.push({ ...known, until: first.position })
      scan = await scanSegment({ ...from, from: first.position, ...(limit === undefined ? {} : { limit }) })
      continue
    }
    if (limit !== undefined && scan.end < limit) damages.push({ ...known, until: limit })
    else if (isSame && (await wasWritten(from))) {
      damages.push({ ...known, until: scan.end + (scan.damage?.bytes ?? 0) })
    }
    break
  }
  const live = frames.filter(({ header }) => isLive(header))
  return { ...identity, name, path, live, superseded: [], end: scan.end, isSealed: scan.isSealed, damages }
}

/** A segment that a later one follows had been sealed. */
function sealLost(segment: SalvagedSegment): SalvagedSegment {
  const { isSealed, path, end, damages } = segment
  if (isSealed || damages.some(({ position }) => position === end)) return segment
  const lost = { file: path, position: end, until: end, reason: 'its end is missing, but a newer segment follows' }
  return { ...segment, damages: [...damages, lost] }
}
