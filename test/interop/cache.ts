import { createHash, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where the engines of others are installed: `MOULIN_CACHE_DIR` when that is set, else below `.cache/`. */
export function cacheFolder(): string {
  return process.env['MOULIN_CACHE_DIR'] ?? fileURLToPath(new URL('../../.cache', import.meta.url))
}

/**
 * A folder in the cache that `make` fills once; another `recipe`, another folder. It is filled under another name first, so
 * one whose making was cut off does not count, and two processes that make it at once do not meet.
 */
export async function made(name: string, recipe: string, make: (folder: string) => Promise<void>): Promise<string> {
  const hash = createHash('sha256').update(recipe).digest('hex').slice(0, 12)
  const folder = join(cacheFolder(), `interop-${name}-${hash}`)
  if (existsSync(folder)) return folder
  const making = `${folder}-${randomUUID()}`
  try {
    await mkdir(making, { recursive: true })
    await make(making)
    await rename(making, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error
    })
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return folder
}
