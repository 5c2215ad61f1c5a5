import { conflict, corrupt, notFound, type Limits, type Runtime, type ObjectStore, type Section } from '@moulin/core'
import { makeDurableFolder } from '../file/durable-folder.ts'
import {
  checkFence,
  checkLogId,
  epochPath,
  isOwnerRunning,
  isSegmentName,
  linkEpochInfo,
  listEpochs,
  newestInfo,
  type EpochInfo,
  type ForeignFile,
} from '../file/epoch-folder.ts'
import { giveUp, takeEpoch } from '../file/epoch-opener.ts'
import { ownerOf } from '../file/epoch-owner.ts'
import { uuidBytes, type Frame } from '../file/frame.ts'
import { partitionKey } from '../file/life-partition.ts'
import { selectKept, type RepairEvidence, type Selection } from './repair-selection.ts'
import { salvage, type SalvagedSegment } from './salvage.ts'
import { readSection } from '../file/section-read.ts'
import { segmentId, type SegmentPlace } from '../file/segment-file.ts'
import { withFile } from '../file/source-scan.ts'
import { emptyOlder, locationOf } from '../file/take-over.ts'
import { FileWalWriter } from '../file/wal-writer.ts'

export interface WalRepairOptions {
  readonly runtime: Runtime
  readonly logId: string
  /** The log's. */
  readonly store: ObjectStore
  readonly limits: Limits
  readonly dir: string
  readonly evidence: RepairEvidence
}

/** What is wrong in the write-ahead folder, and what would stay. */
export interface WalSalvage extends Selection {
  readonly info: EpochInfo
  readonly segments: readonly SalvagedSegment[]
}

/**
 * Reads all that can be read. Undefined when there is no write-ahead data.
 * @throws `conflict` while its writer runs; `corrupt` code `OTHER_LOG`, and when neither the segments nor a checkpoint can be relied on.
 */
export async function salvageWal({
  runtime,
  dir,
  logId,
  evidence,
}: Omit<WalRepairOptions, 'store' | 'limits'>): Promise<WalSalvage | undefined> {
  const info = await refuseRunning(runtime, dir)
  if (info === undefined) return undefined
  checkLogId(dir, info, logId)
  const { bounds, starts } = evidence
  const beginOf = (key: string): bigint => bounds?.get(key)?.released ?? (bounds && starts.get(key)) ?? 0n
  const segments = await salvage({
    files: runtime.files,
    dir,
    logId: uuidBytes(logId),
    info,
    bootId: runtime.process.bootId,
    isLive: (header) => header.lastOffset >= beginOf(partitionKey(header)),
  })
  if (bounds === undefined) refuseBoth(segments)
  return { info, segments, ...selectKept(segments, evidence) }
}

/** The newest epoch that is a source. */
async function refuseRunning(runtime: Runtime, dir: string): Promise<EpochInfo | undefined> {
  const info = await newestInfo(runtime.files, dir, await listEpochs(runtime.files, dir))
  if (info === undefined || !(await isOwnerRunning(runtime, dir, info))) return info
  const { pid } = info.owner
  const sentence = `${dir} is being written by process ${pid}, which still runs: close it there first.`
  throw conflict('WRITER_ALIVE', sentence, { context: { dir, pid, epoch: info.epoch } })
}

/** Without a checkpoint a hole is taken for what was released: where something is damaged it may be a loss. */
function refuseBoth(segments: readonly SalvagedSegment[]): void {
  const [first] = segments.flatMap(({ damages }) => damages)
  if (first === undefined) return
  const { file, position } = first
  throw corrupt(
    'NO_CHECKPOINT',
    `${file} is damaged at position ${position}, and no checkpoint can be read that says what must be there: restore the newest object below log/checkpoints/, or the file.`,
    { context: { file, position } },
  )
}

/** Where a repair keeps the files that it takes out of the log: in the folder itself, since that may be a disk of its own. */
export function asideFolder(dir: string, epoch: bigint): string {
  return `${dir}/repair/epoch-${epoch}`
}

/**
 * Files that do not stay as they are: damaged, or with a section that is given up, be it that the one that counted stands elsewhere.
 * Their good sections move.
 */
export function filesToSetAside({ segments, kept, givenUp }: WalSalvage): SalvagedSegment[] {
  const isGivenUp = ({ header }: Frame): boolean =>
    givenUp.some((range) => partitionKey(range) === partitionKey(header) && header.lastOffset >= range.from)
  return segments.filter(
    ({ damages, live, superseded }) =>
      damages.length > 0 || live.some((frame) => !kept.has(frame)) || superseded.some(isGivenUp),
  )
}

/**
 * Takes the next epoch with what can stay, by the order of a takeover, and keeps every file that it takes out of the log. `confirm` is
 * asked once no older writer can change anything any more; `beforeSource` makes durable what must be true before the epoch is a source.
 */
export async function repairWal(
  options: WalRepairOptions,
  confirm: (found: WalSalvage) => void,
  beforeSource: (epoch: bigint, found: WalSalvage) => Promise<void>,
): Promise<bigint> {
  const { runtime, dir, logId, limits } = options
  const { files } = runtime
  const epoch = await takeEpoch(dir, options, async () => void (await refuseRunning(runtime, dir)))
  try {
    const found = await salvageWal(options)
    if (found === undefined) throw notFound('WAL_MISSING', `There is no write-ahead data in ${dir}.`)
    confirm(found)
    const older = (await listEpochs(files, dir)).filter((other) => other < epoch)
    const place: SegmentPlace = { files, dir, logId: uuidBytes(logId), epoch }
    const writer = await FileWalWriter.begin(runtime, place, limits)
    try {
      const listed = await moveSections(writer, place, found, limits.maxFlushBytes)
      await setAside(options, epoch, older, listed)
      await beforeSource(epoch, found)
      const predecessor = found.info.epoch
      await linkEpochInfo(runtime, dir, { logId, epoch, predecessor, files: listed, owner: ownerOf(runtime) })
      await writer.checkFence()
      await emptyOlder(place, older, listed)
    } finally {
      await writer.close()
    }
    return epoch
  } catch (error) {
    await giveUp(files, dir, epoch)
    await checkFence(files, dir, epoch, error)
    throw error
  }
}

/** Every segment file that does not stay, by a second name: not a byte is copied, and none is gone when the first name goes. */
async function setAside(
  { runtime: { files }, dir }: WalRepairOptions,
  epoch: bigint,
  older: readonly bigint[],
  listed: readonly ForeignFile[],
): Promise<void> {
  const stays = new Set(listed.map(({ epoch: of, name }) => `${of}/${name}`))
  const folder = asideFolder(dir, epoch)
  await makeDurableFolder(files, folder)
  for (const of of older) {
    for (const { name } of await files.readdir(epochPath(dir, of))) {
      if (!isSegmentName(name) || stays.has(`${of}/${name}`)) continue
      await files.link(`${epochPath(dir, of)}/${name}`, `${folder}/epoch-${of}-${name}`)
    }
  }
  await files.syncDirectory(folder)
}

/** Whole files stay where they are; sections out of the others, and of the active segment, become frames of our own. */
async function moveSections(
  writer: FileWalWriter,
  { files }: SegmentPlace,
  found: WalSalvage,
  maxFlushBytes: number,
): Promise<ForeignFile[]> {
  const { segments, kept } = found
  const moved = new Set(filesToSetAside(found))
  const listed: ForeignFile[] = []
  // Order within a partition: what is listed comes before what we write. From the first file that moves on, all move.
  const first = segments.findIndex((segment) => moved.has(segment) || !segment.isSealed)
  for (const [index, segment] of segments.entries()) {
    const { epoch, name, generation, end, live } = segment
    if (first < 0 || index < first) {
      if (live.length > 0) listed.push({ epoch, name, generation, end })
      continue
    }
    await withFile(files, segment.path, async (file) => {
      const id = segmentId(epoch, name, generation)
      let sections: Section[] = []
      let bytes = 0
      const flush = async (): Promise<void> => {
        await Promise.all(sections.map((section) => writer.append(section)))
        sections = []
        bytes = 0
      }
      for (const frame of live.filter((each: Frame) => kept.has(each))) {
        const batches = await readSection(file, locationOf(id, frame), segment)
        sections.push({ ...frame.header, batches })
        bytes += frame.sizeBytes
        if (bytes >= maxFlushBytes) await flush()
      }
      await flush()
    })
  }
  return listed
}
