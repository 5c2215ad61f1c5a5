import type { Clock, Files } from '@moulin/core'
import { isKind } from '@moulin/core'

/** What lies in such a folder is done with in seconds; whoever works in it an hour later has long failed. */
const leftOverMs = 3_600_000

/**
 * Removes a folder that holds what is needed for moments only, such as a probe's: its empty folders, and with them the files that somebody
 * left there an hour ago when his process ended. What a living opener has in it stays, and a folder that goes just as he needs it is
 * made again by his `put`. Nothing is promised: what the disk refuses to give up is in no one's way.
 */
export async function removeLeftOverFolder(files: Files, clock: Pick<Clock, 'now'>, folder: string): Promise<void> {
  await sweep(files, clock.now() - leftOverMs, folder).catch(() => undefined)
}

async function sweep(files: Files, untilMs: number, folder: string): Promise<void> {
  for (const { name, kind } of await files.readdir(folder)) {
    const path = `${folder}/${name}`
    if (kind === 'directory') await sweep(files, untilMs, path)
    else if (kind === 'file' && ((await files.stat(path))?.modifiedMs ?? untilMs) < untilMs) await files.unlink(path)
  }
  await files.rmdir(folder).catch((error: unknown) => {
    if (!isKind(error, 'exists')) throw error
  })
}
