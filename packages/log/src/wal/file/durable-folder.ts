import { dirname } from 'node:path'
import { isKind, type Files } from '@moulin/core'

/** Makes a folder and its missing parents, each durable. An existing one is fine. */
export async function makeDurableFolder(files: Files, path: string): Promise<void> {
  const missing: string[] = []
  for (let at = path; (await files.stat(at)) === undefined; at = dirname(at)) missing.unshift(at)
  for (const folder of missing) {
    await ignoring('exists', files.mkdir(folder))
    await files.syncDirectory(dirname(folder))
  }
}

/** Deletes a file; one that is gone is fine. */
export async function removeFile(files: Files, path: string): Promise<void> {
  await ignoring('not-found', files.unlink(path))
}

/** Removes a folder; one that is gone, or holds something, is fine. */
export async function removeFolder(files: Files, path: string): Promise<void> {
  await ignoring('not-found', ignoring('exists', files.rmdir(path)))
}

/** Writes and syncs a file that is not there yet. Its name is durable with the next sync of its folder. */
export async function writeNewFile(files: Files, path: string, bytes: Uint8Array): Promise<void> {
  const handle = await files.open(path, 'create')
  try {
    await handle.writev([bytes], 0)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function ignoring(kind: 'exists' | 'not-found', work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!isKind(error, kind)) throw error
  }
}
