import {
  arrayField,
  asObject,
  corrupt,
  countField,
  fenced,
  fieldError,
  isKind,
  jsonInt64,
  parseStored,
  storedBytes,
  stringField,
  type Files,
  type JsonObject,
  type Runtime,
} from '@moulin/core'
import type { EpochOwner } from '../../stored/epoch-claims.ts'
import { epochKind } from '../../stored/stored-kinds.ts'
import { tenDigits } from '../../stored/ten-digits.ts'
import { removeFile, writeNewFile } from './durable-folder.ts'
import { parseOwner } from './epoch-owner.ts'

/** What an epoch says of itself. Layout: docs/formats/wal.md. */
export interface EpochInfo {
  readonly logId: string
  readonly epoch: bigint
  readonly predecessor: bigint | null
  /** Sealed files of older epochs that still hold live sections, oldest first. */
  readonly files: readonly ForeignFile[]
  readonly owner: EpochOwner
}

export interface ForeignFile {
  readonly epoch: bigint
  readonly name: string
  readonly generation: bigint
  /** Never read past. */
  readonly end: number
}

export const MAX_INFO_BYTES: number = 16 * 1024 * 1024
const INFO = 'open.json'
/** Who made the folder. Never removed: no folder can take the name of one that holds something. */
export const OPENER = 'opener.json'
/** There while the opener, and later the writer, of the epoch has not ended it. */
export const RUNNING = 'running'
const folderName = /^epoch-([1-9]\d{0,17})$/
const segmentName = /^\d{10}\.wal$/

export function epochPath(dir: string, epoch: bigint): string {
  return `${dir}/epoch-${epoch}`
}

export function isSegmentName(name: string): boolean {
  return segmentName.test(name)
}

export function segmentFileName(slot: number): string {
  return `${tenDigits(slot)}.wal`
}

/** The epochs that have a folder, ascending; none when there is no write-ahead folder. */
export async function listEpochs(files: Files, dir: string): Promise<bigint[]> {
  const entries = await files.readdir(dir).catch(noneWhenMissing)
  return entries
    .map(({ name, kind }) => (kind === 'directory' ? folderName.exec(name)?.[1] : undefined))
    .filter((number) => number !== undefined)
    .map(BigInt)
    .sort((a, b) => (a < b ? -1 : 1))
}

/** @throws `corrupt` code `OTHER_LOG` for write-ahead data of another log. */
export function checkLogId(dir: string, { logId: found }: EpochInfo, logId: string): void {
  if (found === logId) return
  const message = `${dir} holds the write-ahead data of log ${found}, not of ${logId}: name the folder of this log, or the place of that one.`
  throw corrupt('OTHER_LOG', message, { context: { dir, logId, found } })
}

/** Whether a writer newer than `epoch` has begun. Epochs are taken without gaps and never removed: one look is enough. */
export async function hasHigherEpoch(files: Files, dir: string, epoch: bigint): Promise<boolean> {
  return (await files.stat(epochPath(dir, epoch + 1n))) !== undefined
}

/** The same at once: see `Files.statNow`. */
export function hasHigherEpochNow(files: Files, dir: string, epoch: bigint): boolean {
  return files.statNow(epochPath(dir, epoch + 1n)) !== undefined
}

/** @throws `fenced` when a writer newer than `epoch` has begun. */
export async function checkFence(files: Files, dir: string, epoch: bigint, cause?: unknown): Promise<void> {
  if (!(await hasHigherEpoch(files, dir, epoch))) return
  throw fenced('FENCED', `A newer writer has taken over ${dir} from epoch ${epoch}: shut this instance down.`, {
    outcome: 'unknown',
    context: { dir, epoch },
    ...(cause === undefined ? {} : { cause }),
  })
}

/** The newest epoch among `epochs` that holds something, and what it says. */
export async function newestInfo(files: Files, dir: string, epochs: readonly bigint[]): Promise<EpochInfo | undefined> {
  for (const epoch of epochs.toReversed()) {
    const info = await readEpochInfo(files, dir, epoch)
    if (info !== undefined) return info
  }
  return undefined
}

/** The newest epoch's `open.json`, where it is damaged: its path, and what is wrong. */
export async function damagedInfo(
  files: Files,
  dir: string,
): Promise<{ readonly path: string; readonly error: Error } | undefined> {
  for (const epoch of (await listEpochs(files, dir)).reverse()) {
    try {
      if ((await readEpochInfo(files, dir, epoch)) !== undefined) return undefined
    } catch (error) {
      if (!isKind(error, 'corrupt')) throw error
      return { path: `${epochPath(dir, epoch)}/${INFO}`, error }
    }
  }
  return undefined
}

export async function readEpochInfo(files: Files, dir: string, epoch: bigint): Promise<EpochInfo | undefined> {
  const path = `${epochPath(dir, epoch)}/${INFO}`
  const bytes = await readWhole(files, path)
  return bytes === undefined ? undefined : parseEpochInfo(bytes, path)
}

/** Makes the epoch a source: by link, so that it is there whole or not at all, and durable on return. */
export async function linkEpochInfo(runtime: Runtime, dir: string, info: EpochInfo): Promise<void> {
  const { files, random } = runtime
  const folder = epochPath(dir, info.epoch)
  const temporary = `${folder}/${INFO}.${random.uuid()}.tmp`
  await writeNewFile(files, temporary, storedBytes(epochKind, { ...info }))
  await files.link(temporary, `${folder}/${INFO}`)
  await files.syncDirectory(folder)
  await files.unlink(temporary)
}

/** Takes the mark away: works on a full disk, too. */
export async function unmarkRunning(files: Files, dir: string, epoch: bigint): Promise<void> {
  await removeFile(files, `${epochPath(dir, epoch)}/${RUNNING}`)
}

/** Whether the epoch's writer has not closed it and its process is still there. Courtesy: no safety rests on it. */
export async function isOwnerRunning(runtime: Runtime, dir: string, { epoch, owner }: EpochInfo): Promise<boolean> {
  const { files, process } = runtime
  if (owner.bootId !== process.bootId) return false
  if ((await files.stat(`${epochPath(dir, epoch)}/${RUNNING}`)) === undefined) return false
  return (await process.startTimeOf(owner.pid)) === owner.startTime
}

/** The bytes of a small file; undefined when it is not there. */
export async function readWhole(files: Files, path: string): Promise<Uint8Array | undefined> {
  const handle = await files.open(path, 'read').catch(noneWhenMissing)
  if (Array.isArray(handle)) return undefined
  try {
    const size = Math.min(await handle.size(), MAX_INFO_BYTES + 1)
    return await handle.read(0, size)
  } finally {
    await handle.close()
  }
}

function noneWhenMissing(error: unknown): [] {
  if (isKind(error, 'not-found')) return []
  throw error
}

function parseEpochInfo(bytes: Uint8Array, path: string): EpochInfo {
  const json = parseStored(epochKind, bytes, path, MAX_INFO_BYTES)
  const { predecessor } = json
  return {
    logId: stringField(json, 'logId', path),
    epoch: jsonInt64(json['epoch'], `epoch in ${path}`),
    predecessor: predecessor === null ? null : jsonInt64(predecessor, `predecessor in ${path}`),
    files: arrayField(json, 'files', path).map((file) => parseForeignFile(asObject(file, path), path)),
    owner: parseOwner(asObject(json['owner'], path), path),
  }
}

function parseForeignFile(json: JsonObject, path: string): ForeignFile {
  const name = stringField(json, 'name', path)
  if (!isSegmentName(name)) throw fieldError(path, 'files')
  return {
    epoch: jsonInt64(json['epoch'], `epoch of a file in ${path}`),
    name,
    generation: jsonInt64(json['generation'], `generation of a file in ${path}`),
    end: countField(json, 'end', path),
  }
}
