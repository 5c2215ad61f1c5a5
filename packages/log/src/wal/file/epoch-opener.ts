import { asObject, isKind, parseStored, storedBytes, type Files, type ObjectStore, type Runtime } from '@moulin/core'
import { epochClaims, type EpochOpener, type EpochOwner } from '../../stored/epoch-claims.ts'
import { openerKind } from '../../stored/stored-kinds.ts'
import { removeFile, removeFolder, writeNewFile } from './durable-folder.ts'
import { ownerOf, parseOwner } from './epoch-owner.ts'
import { epochPath, listEpochs, MAX_INFO_BYTES, OPENER, readWhole, RUNNING, unmarkRunning } from './epoch-folder.ts'

/** No opener takes an hour to put its folder in place; one that does begins again. */
const LEFT_OVER_MS = 3_600_000
const preparedName = /^opening-[0-9a-f-]{36}$/

/**
 * Makes the next epoch's folder, durable, with its opener in it, and claims the epoch in the store. From its return on, no older
 * writer acks anything. When another has the epoch, in either place, the next is taken, after `refuse` has looked who that was.
 */
export async function takeEpoch(
  dir: string,
  { runtime, logId, store }: { readonly runtime: Runtime; readonly logId: string; readonly store: ObjectStore },
  refuse: () => Promise<void>,
): Promise<bigint> {
  const { files, logger } = runtime
  const claimEpoch = epochClaims(store)
  for (;;) {
    const opener = { id: runtime.random.uuid(), logId, owner: ownerOf(runtime), timeMs: runtime.clock.now() }
    const epoch = await placeFolder(files, dir, opener, refuse)
    try {
      await files.syncDirectory(dir)
      if (await claimEpoch(epoch, opener)) return epoch
    } catch (error) {
      await giveUp(files, dir, epoch)
      throw error
    }
    await giveUp(files, dir, epoch)
    logger.warn({ dir, epoch }, 'Another opening has claimed this epoch in the store: taking the next')
    await refuse()
  }
}

/** Says that this opener will never make its epoch a source. Readers beside it may go on with what they have. */
export async function giveUp(files: Files, dir: string, epoch: bigint): Promise<void> {
  // What made it give up is told, not that the disk refuses this as well.
  await unmarkRunning(files, dir, epoch).catch(() => undefined)
}

/**
 * Whether all openers above `epoch` are gone: none of them will write an `open.json` any more. One may have done so before; look for
 * that *after* this.
 */
export async function areOpenersGone(runtime: Runtime, dir: string, epoch: bigint): Promise<boolean> {
  for (const higher of await listEpochs(runtime.files, dir)) {
    if (higher > epoch && !(await isOpenerGone(runtime, epochPath(dir, higher)))) return false
  }
  return true
}

/**
 * Removes what openers that are gone had prepared and never put in place. Where that cannot be told, because its opener was not written or
 * lives elsewhere, the folder's age tells: a rename that comes later fails, and its opener tries again.
 */
export async function removePrepared(runtime: Runtime, dir: string): Promise<void> {
  const { files } = runtime
  for (const { name, kind } of await files.readdir(dir)) {
    const folder = `${dir}/${name}`
    if (kind !== 'directory' || !preparedName.test(name)) continue
    if ((await isOpenerGone(runtime, folder)) || (await isLeftOver(files, dir, folder))) await discard(files, folder)
  }
}

/** By the disk's own time: that of the newest epoch, which has just been opened. */
async function isLeftOver(files: Files, dir: string, prepared: string): Promise<boolean> {
  const epoch = (await listEpochs(files, dir)).at(-1)
  if (epoch === undefined) return false
  const [now, then] = [await files.stat(epochPath(dir, epoch)), await files.stat(prepared)]
  if (now === undefined || then === undefined || then.modifiedMs > now.modifiedMs - LEFT_OVER_MS) return false
  return (await files.readdir(prepared)).every(({ name }) => name === RUNNING || name === OPENER)
}

async function discard(files: Files, prepared: string): Promise<void> {
  // The opener last: a folder that is half removed must still tell whose it is.
  await removeFile(files, `${prepared}/${RUNNING}`)
  await removeFile(files, `${prepared}/${OPENER}`)
  await removeFolder(files, prepared)
}

/**
 * Whole before it has its name: an epoch's folder is never empty, so no rename onto it succeeds, and its opener is known from the
 * first moment.
 */
async function placeFolder(
  files: Files,
  dir: string,
  opener: EpochOpener,
  refuse: () => Promise<void>,
): Promise<bigint> {
  let epoch = ((await listEpochs(files, dir)).at(-1) ?? 0n) + 1n
  const prepared = `${dir}/opening-${opener.id}`
  await files.mkdir(prepared)
  try {
    // First: an opener that is named and not running is gone.
    await (await files.open(`${prepared}/${RUNNING}`, 'create')).close()
    await writeNewFile(files, `${prepared}/${OPENER}`, storedBytes(openerKind, { ...opener }))
    await files.syncDirectory(prepared)
    for (; !(await renamed(files, prepared, epochPath(dir, epoch))); epoch += 1n) await refuse()
  } catch (error) {
    await discard(files, prepared).catch(() => undefined)
    throw error
  }
  return epoch
}

async function renamed(files: Files, from: string, to: string): Promise<boolean> {
  try {
    await files.rename(from, to)
    return true
  } catch (error) {
    if (isKind(error, 'exists')) return false
    throw error
  }
}

/** Whether the process that made this folder has ended, or given up. False where we cannot tell. */
async function isOpenerGone(runtime: Runtime, folder: string): Promise<boolean> {
  const { files, process } = runtime
  const owner = await readOwner(files, `${folder}/${OPENER}`)
  if (owner === undefined) return false
  if (owner.bootId !== process.bootId) return true
  if ((await files.stat(`${folder}/${RUNNING}`)) === undefined) return true
  // A container does not see the processes of another.
  if (owner.pidSpace !== process.pidSpace) return false
  return (await process.startTimeOf(owner.pid)) !== owner.startTime
}

async function readOwner(files: Files, path: string): Promise<EpochOwner | undefined> {
  const bytes = await readWhole(files, path)
  if (bytes === undefined) return undefined
  try {
    return parseOwner(asObject(parseStored(openerKind, bytes, path, MAX_INFO_BYTES)['owner'], path), path)
  } catch (error) {
    if (isKind(error, 'corrupt') || isKind(error, 'unsupported')) return undefined
    throw error
  }
}
