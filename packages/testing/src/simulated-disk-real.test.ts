import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FileHandle, Files } from '@moulin/core'
import { isMoulinError, systemFiles } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { simulatedDisk } from './simulated-disk.ts'

type Step = (files: Files, root: string, handles: FileHandle[]) => Promise<unknown>

const path = fc.constantFrom('a', 'b', 'd', 'd/a', 'd/b', 'd/e', 'd/e/a', 'none/a')
const small = fc.integer({ min: 0, max: 40 })

const named = (name: string, step: Step): Step => Object.assign(step, { toString: () => name })
const onHandle = (name: string, run: (handle: FileHandle) => Promise<unknown>): Step =>
  named(name, async (_files, _root, handles) => {
    const handle = handles.at(-1)
    return handle === undefined ? 'none open' : run(handle)
  })

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(path, fc.constantFrom('read', 'create', 'write'), fc.boolean()).map(([at, mode, synced]) =>
    named(`open ${at} to ${mode}${synced ? ', synced' : ''}`, async (files, root, handles) => {
      // Linux opens a folder, and refuses to read from it; the simulated disk refuses at once.
      if ((await files.stat(`${root}/${at}`))?.kind === 'directory') return
      const handle = await files.open(`${root}/${at}`, mode as 'read' | 'create' | 'write', { synced })
      handles.push(handle)
      return process.platform === 'linux' && handle.isSynced
    }),
  ),
  fc
    .tuple(path, fc.boolean())
    .map(([at, recursive]) =>
      named(`mkdir ${at} ${recursive}`, (files, root) => files.mkdir(`${root}/${at}`, { recursive })),
    ),
  fc
    .tuple(path, path)
    .map(([from, to]) => named(`link ${from} ${to}`, (f, root) => f.link(`${root}/${from}`, `${root}/${to}`))),
  fc
    .tuple(path, path)
    .map(([from, to]) => named(`rename ${from} ${to}`, (f, root) => f.rename(`${root}/${from}`, `${root}/${to}`))),
  path.map((at) => named(`unlink ${at}`, (files, root) => files.unlink(`${root}/${at}`))),
  path.map((at) => named(`rmdir ${at}`, (files, root) => files.rmdir(`${root}/${at}`))),
  path.map((at) => named(`readdir ${at}`, (files, root) => files.readdir(`${root}/${at}`))),
  path.map((at) =>
    named(`realpath ${at}`, async (files, root) => (await files.realpath(`${root}/${at}`)).slice(root.length)),
  ),
  path.map((at) => named(`sync ${at}`, (files, root) => files.syncDirectory(`${root}/${at}`))),
  path.map((at) =>
    named(`stat ${at}`, async (files, root) => {
      const stat = await files.stat(`${root}/${at}`)
      return stat && [stat.kind, stat.kind === 'file' && stat.size]
    }),
  ),
  path.map((at) =>
    named(`stat ${at} now`, async (files, root) => {
      const stat = files.statNow(`${root}/${at}`)
      return stat && [stat.kind, stat.kind === 'file' && stat.size]
    }),
  ),
  fc
    .tuple(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 3 }), small)
    .map(([parts, at]) => onHandle(`write ${parts.length} parts at ${at}`, (handle) => handle.writev(parts, at))),
  fc
    .tuple(small, small)
    .map(([at, length]) => onHandle(`read ${length} at ${at}`, async (handle) => [...(await handle.read(at, length))])),
  small.map((size) => onHandle(`truncate ${size}`, (handle) => handle.truncate(size))),
  small.map((size) => onHandle(`preallocate ${size}`, (handle) => handle.preallocate(size))),
  fc.constant(onHandle('datasync', (handle) => handle.datasync())),
  fc.constant(onHandle('size', (handle) => handle.size())),
)

/** What each step gave: its value, or the kind of its error. */
async function run(files: Files, root: string, steps: readonly Step[]): Promise<unknown[]> {
  const handles: FileHandle[] = []
  const answers: unknown[] = []
  for (const each of steps) {
    answers.push(
      await each(files, root, handles).catch((error: unknown) => {
        if (!isMoulinError(error)) throw error
        return error.kind
      }),
    )
  }
  for (const handle of handles) await handle.close()
  return answers
}

const folders = ['none', 'empty', 'full', 'full/inner', 'file', 'none/x', 'full/x'] as const

/** Two folders with a file each, one empty folder, a file: then one rename, and what is where afterwards. */
async function renameOf(files: Files, root: string, from: string, to: string): Promise<unknown> {
  for (const folder of ['empty', 'full', 'full/inner', 'prepared']) await files.mkdir(`${root}/${folder}`)
  for (const file of ['file', 'full/inner/a', 'prepared/b'])
    await (await files.open(`${root}/${file}`, 'create')).close()
  const answer = await files.rename(`${root}/${from}`, `${root}/${to}`).catch((error: unknown) => {
    if (!isMoulinError(error)) throw error
    return error.kind
  })
  const tree = async (folder: string): Promise<string[]> => {
    const entries = await files.readdir(folder)
    const inner = await Promise.all(
      entries.map(({ name, kind }) => (kind === 'directory' ? tree(`${folder}/${name}`) : Promise.resolve([]))),
    )
    return entries.flatMap(({ name }, index) => [name, ...inner[index]!.map((below) => `${name}/${below}`)])
  }
  return [answer, await tree(root)]
}

describe('simulatedDisk beside a real disk', () => {
  it('renames folders as the real one does', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'moulin-disk-'))
    try {
      const real = systemFiles()
      let runs = 0
      for (const from of ['prepared', ...folders]) {
        for (const to of folders) {
          const root = `${dir}/${++runs}`
          await real.mkdir(root)
          const { files } = simulatedDisk({ seed: 1 })
          await files.mkdir('/root')
          expect(await renameOf(files, '/root', from, to), `${from} to ${to}`).toEqual(
            await renameOf(real, root, from, to),
          )
        }
      }
    } finally {
      await rm(dir, { recursive: true })
    }
  })

  it('puts no file in the place of a folder that holds it, as the real one does', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'moulin-disk-'))
    const { files } = simulatedDisk({ seed: 1 })
    try {
      await files.mkdir('/root')
      for (const [disk, root] of [
        [files, '/root'],
        [systemFiles(), dir],
      ] as const) {
        await disk.mkdir(`${root}/d/e`, { recursive: true })
        await (await disk.open(`${root}/d/e/a`, 'create')).close()
        for (const to of ['d', 'd/e'])
          await expect(disk.rename(`${root}/d/e/a`, `${root}/${to}`), root).rejects.toMatchObject({ kind: 'exists' })
      }
    } finally {
      await rm(dir, { recursive: true })
    }
  })

  it('answers every sequence of calls as the real one does', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'moulin-disk-'))
    let runs = 0
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
          const real = systemFiles()
          const root = `${dir}/${++runs}`
          await real.mkdir(root)
          const disk = simulatedDisk({ seed: 1 })
          await disk.files.mkdir('/root')
          expect(await run(disk.files, '/root', steps)).toEqual(await run(real, root, steps))
        }),
        { numRuns: 400 },
      )
    } finally {
      await rm(dir, { recursive: true })
    }
  })
})
