import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folders = new Set<string>()

// A bench that is broken off leaves none.
process.on('exit', () => {
  for (const dir of folders) rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
})

/** A folder for the time of the work. */
export async function inFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'moulin-bench-'))
  folders.add(dir)
  try {
    return await work(dir)
  } finally {
    await rm(dir, { recursive: true })
    folders.delete(dir)
  }
}
