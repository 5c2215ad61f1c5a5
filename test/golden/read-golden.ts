import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { goldenRuntime } from './golden-lakes.ts'
import { openGolden } from './golden-store.ts'
import { contentsOf } from './lake-contents.ts'
import type { LakeContents } from './lake-contents.ts'

/** Runs `work` on a copy: opening for writing changes a folder. */
export async function onCopy<T>(dir: string, work: (copy: string) => Promise<T>): Promise<T> {
  const copy = await mkdtemp(join(tmpdir(), 'moulin-golden-'))
  try {
    await cp(dir, copy, { recursive: true })
    return await work(copy)
  } finally {
    await rm(copy, { recursive: true })
  }
}

/** All that a golden folder holds, read from a copy of it. */
export function readGolden(dir: string, access: 'read-write' | 'read-only'): Promise<LakeContents> {
  return onCopy(dir, async (copy) => {
    const log = await openGolden(copy, goldenRuntime(1000), { access, takeover: 'newest' })
    try {
      return await contentsOf(log)
    } finally {
      await log.close()
    }
  })
}
