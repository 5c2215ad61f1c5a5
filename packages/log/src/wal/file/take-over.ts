import {
  conflict,
  notFound,
  throwIfAborted,
  type FileHandle,
  type Files,
  type Section,
  type SectionHeader,
  type WalLocation,
  type WalWriterOptions,
} from '@moulin/core'
import {
  checkFence,
  checkLogId,
  epochPath,
  isOwnerRunning,
  isSegmentName,
  linkEpochInfo,
  listEpochs,
  newestInfo,
  readEpochInfo,
  OPENER,
  type EpochInfo,
  type ForeignFile,
} from './epoch-folder.ts'
import { removeFile } from './durable-folder.ts'
import { giveUp, removePrepared, takeEpoch } from './epoch-opener.ts'
import { ownerOf } from './epoch-owner.ts'
import { uuidBytes, type Frame } from './frame.ts'
import { orderSections } from './section-order.ts'
import { segmentId, type SegmentPlace } from './segment-file.ts'
import { readSection } from './section-read.ts'
import { scanSource, withFile, type Source, type SourceSegment } from './source-scan.ts'
import { FileWalWriter } from './wal-writer.ts'

/** Opens the write-ahead folder for writing. The order of effects is the fence: docs/formats/wal.md, "Taking over". */
export async function takeOver(dir: string, segmentBytes: number, options: WalWriterOptions): Promise<FileWalWriter> {
  const { files } = options.runtime
  throwIfAborted(options.signal)
  await refuseEarly(dir, options)
  // Another one may have opened meanwhile.
  if (await emptyDead(files, dir)) await refuseEarly(dir, options)

  const epoch = await takeEpoch(dir, options, () => refuseEarly(dir, options))
  try {
    return await recoverInto(epoch, dir, segmentBytes, options)
  } catch (error) {
    await giveUp(files, dir, epoch)
    // A still newer opener may have emptied what we were reading.
    await checkFence(files, dir, epoch, error)
    throw error
  }
}

async function recoverInto(
  epoch: bigint,
  dir: string,
  segmentBytes: number,
  options: WalWriterOptions,
): Promise<FileWalWriter> {
  const { runtime, logId, isLive } = options
  const { files } = runtime
  const { bootId } = runtime.process
  await options.beforeRecovery()
  const older = (await listEpochs(files, dir)).filter((other) => other < epoch)
  const predecessor = await newestInfo(files, dir, older)
  checkPredecessor(dir, predecessor, options)

  const place: SegmentPlace = { files, dir, logId: uuidBytes(logId), epoch }
  // A killed writer's last frames, the seal among them, may be in memory only: what we list must outlast the machine.
  const afterScan = (file: FileHandle): Promise<void> => file.datasync()
  const source =
    predecessor === undefined ? noSource : await scanSource({ ...place, bootId, info: predecessor, isLive, afterScan })
  if (source.torn !== undefined) options.onTornTail?.(source.torn)
  throwIfAborted(options.signal)
  if (predecessor !== undefined) {
    // Before we need room of our own. A later opener that did not link is no source, and may become one: what it has stays.
    const epochs = older.filter((other) => other <= predecessor.epoch)
    const kept = source.active === undefined ? source.sealed : [...source.sealed, source.active]
    await removeSegments(place, predecessor, epochs, kept)
  }
  const { maxFlushBytes } = options.limits
  const writer = await FileWalWriter.begin(runtime, place, { segmentBytes, maxFlushBytes })
  try {
    const recovered = [...adoptSealed(writer, source, place), ...(await copyTail(writer, source, place, options))]
    for (const { header, location } of orderSections(recovered).ordered) options.recover(header, location)
    throwIfAborted(options.signal)
    const info = epochInfo(options, epoch, predecessor, source)
    await linkEpochInfo(runtime, dir, info)
    await writer.checkFence()
    await emptyOlder(place, older, info.files)
    await removePrepared(runtime, dir)
    writer.keepsReserve = true
    return writer
  } catch (error) {
    await writer.close()
    await giveBack(place)
    throw error
  }
}

/** Segments of an epoch that will not be a source. */
async function giveBack({ files, dir, epoch }: SegmentPlace): Promise<void> {
  if ((await readEpochInfo(files, dir, epoch)) !== undefined) return
  const folder = epochPath(dir, epoch)
  for (const { name } of await files.readdir(folder)) {
    if (isSegmentName(name)) await removeFile(files, `${folder}/${name}`)
  }
}

/** Files that no opener will ever look at: of epochs before the newest source, which does not list them. An opener was cut off here. */
async function emptyDead(files: Files, dir: string): Promise<boolean> {
  const epochs = await listEpochs(files, dir)
  const source = await newestInfo(files, dir, epochs)
  if (source === undefined) return false
  const before = epochs.filter((epoch) => epoch < source.epoch)
  return removeSegments({ files, dir }, source, before, source.files)
}

/** Of these epochs, but for those that are kept. False when there are none. */
async function removeSegments(
  { files, dir }: Pick<SegmentPlace, 'files' | 'dir'>,
  source: EpochInfo,
  epochs: readonly bigint[],
  kept: readonly Pick<ForeignFile, 'epoch' | 'name'>[],
): Promise<boolean> {
  const isKept = new Set(kept.map(({ epoch, name }) => `${epoch}/${name}`))
  const dead: string[] = []
  for (const epoch of epochs) {
    for (const { name } of await files.readdir(epochPath(dir, epoch))) {
      if (isSegmentName(name) && !isKept.has(`${epoch}/${name}`)) dead.push(`${epochPath(dir, epoch)}/${name}`)
    }
  }
  if (dead.length === 0) return false
  // Its link may be in memory only, if it was killed: what it does not need was the source before.
  await files.syncDirectory(epochPath(dir, source.epoch))
  for (const path of dead) await removeFile(files, path)
  return true
}

const noSource: Source = { sealed: [], active: undefined, torn: undefined }

/** Courtesy before anything changes on disk, and whenever another opener was faster; the fence is what is safe. */
async function refuseEarly(dir: string, options: WalWriterOptions): Promise<void> {
  const { runtime, takeover } = options
  const info = await newestInfo(runtime.files, dir, await listEpochs(runtime.files, dir))
  checkPredecessor(dir, info, options)
  if (info === undefined || takeover === 'newest') return
  if (await isOwnerRunning(runtime, dir, info)) {
    const { pid } = info.owner
    throw conflict(
      'WRITER_ALIVE',
      `${dir} is being written by process ${pid}, which still runs: close it there, open read-only, or open with takeover 'newest', which fences it.`,
      { context: { dir, pid, epoch: info.epoch } },
    )
  }
}

function checkPredecessor(dir: string, info: EpochInfo | undefined, { mustExist, logId }: WalWriterOptions): void {
  if (info === undefined && mustExist) {
    throw notFound(
      'WAL_MISSING',
      `This log has been written before, but its write-ahead data is not in ${dir}. Restore that folder; opening a log without it is not supported yet.`,
      { context: { dir } },
    )
  }
  if (info !== undefined) checkLogId(dir, info, logId)
}

interface Recovered {
  readonly header: SectionHeader
  readonly location: WalLocation
}

function adoptSealed(writer: FileWalWriter, source: Source, place: SegmentPlace): Recovered[] {
  const recovered: Recovered[] = []
  for (const segment of source.sealed) {
    const { epoch, name, generation, live, fileBytes } = segment
    const id = segmentId(epoch, name, generation)
    const path = `${epochPath(place.dir, epoch)}/${name}`
    const locations = live.map((frame) => locationOf(id, frame))
    writer.adopt({ id, path, logId: place.logId, epoch, generation, file: undefined }, locations, fileBytes)
    live.forEach(({ header }, index) => recovered.push({ header, location: locations[index]! }))
  }
  return recovered
}

/** The active segment may still change under its old writer: what it holds becomes frames of our own. */
async function copyTail(
  writer: FileWalWriter,
  { active }: Source,
  { files, dir, logId }: SegmentPlace,
  { limits }: WalWriterOptions,
): Promise<Recovered[]> {
  const recovered: Recovered[] = []
  if (active === undefined) return recovered
  const { epoch, name, generation } = active
  const id = segmentId(epoch, name, generation)
  await withFile(files, `${epochPath(dir, epoch)}/${name}`, async (file) => {
    let sections: Section[] = []
    let bytes = 0
    const flush = async (): Promise<void> => {
      const appended = await Promise.all(sections.map((section) => writer.append(section)))
      // Not the sections themselves: they hold their bytes.
      for (const { location } of appended) recovered.push({ header: active.live[recovered.length]!.header, location })
      sections = []
      bytes = 0
    }
    for (const frame of active.live) {
      const batches = await readSection(file, locationOf(id, frame), { logId, epoch, generation })
      sections.push({ ...frame.header, batches })
      bytes += frame.sizeBytes
      if (bytes >= limits.maxFlushBytes) await flush()
    }
    await flush()
  })
  return recovered
}

export function locationOf(segment: string, { position, sizeBytes }: Frame): WalLocation {
  return { segment, position, sizeBytes }
}

function epochInfo(
  { logId, runtime }: WalWriterOptions,
  epoch: bigint,
  predecessor: EpochInfo | undefined,
  source: Source,
): EpochInfo {
  return {
    logId,
    epoch,
    predecessor: predecessor?.epoch ?? null,
    files: source.sealed.map(foreignFile),
    owner: ownerOf(runtime),
  }
}

function foreignFile({ epoch, name, generation, end }: SourceSegment): ForeignFile {
  return { epoch, name, generation, end }
}

/** Deletes what older epochs hold beside the files that we list. Their folders stay, with their openers: they are the fence. */
export async function emptyOlder(
  { files, dir }: SegmentPlace,
  older: readonly bigint[],
  listed: readonly ForeignFile[],
): Promise<void> {
  const kept = new Set(listed.map(({ epoch, name }) => `${epoch}/${name}`))
  for (const epoch of older) {
    for (const { name, kind } of await files.readdir(epochPath(dir, epoch))) {
      if (kind !== 'file' || name === OPENER || kept.has(`${epoch}/${name}`)) continue
      // An older opener may be tidying up as well.
      await removeFile(files, `${epochPath(dir, epoch)}/${name}`)
    }
  }
}
