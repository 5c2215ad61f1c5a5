import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isMissing } from './store-adapters.ts'

let dir = ''
beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), 'moulin-adapters-'))))
afterEach(() => rm(dir, { recursive: true }))

/** The command line, where one package is looked for in a folder that has none: Node itself says that it is missing. */
async function without(missing: string, place: string): Promise<string> {
  const hook = join(dir, 'hook.mjs')
  await writeFile(
    hook,
    `import { registerHooks } from 'node:module'
     registerHooks({
       resolve: (specifier, context, next) =>
         next(specifier, specifier === ${JSON.stringify(missing)} ? { ...context, parentURL: import.meta.url } : context),
     })`,
  )
  const cli = fileURLToPath(new URL('cli.ts', import.meta.url))
  const words = ['--conditions=moulin-source', '--import', hook, cli, 'topics', place]
  const ended = await promisify(execFile)(process.execPath, words).catch((error: { stderr: string }) => error)
  return ended.stderr
}

describe('the adapter of a place', () => {
  it('is asked for by name where its package is not installed', async () => {
    for (const [name, place] of [
      ['@moulin/storage-s3', 's3://moulin/lake/'],
      ['@moulin/storage-gcs', 'gs://moulin/lake/'],
      ['@moulin/storage-azure', 'az://account/moulin/lake/'],
    ] as const) {
      const sentence = `openLog: ${place} needs the package ${name}, which is not installed here: npm install ${name}`
      expect(await without(name, place)).toBe(`moulin: ${sentence}\n`)
    }
  })

  it('is not taken for missing where what it needs is', async () => {
    const printed = await without('@aws-sdk/client-s3', 's3://moulin/lake/')
    expect(printed).toMatch(/^moulin: unexpected: Cannot find package '@aws-sdk\/client-s3'/)
    expect(printed).not.toMatch(/npm install/)
  })

  it('is told by the words of Node', () => {
    const of = (name: string, code = 'ERR_MODULE_NOT_FOUND'): Error => {
      const where = '/app/node_modules/@moulin/storage-s3/dist/index.js'
      return Object.assign(new Error(`Cannot find package '${name}' imported from ${where}`), { code })
    }
    expect(isMissing('@moulin/storage-s3', of('@moulin/storage-s3'))).toBe(true)
    expect(isMissing('@moulin/storage-s3', of('@aws-sdk/client-s3'))).toBe(false)
    expect(isMissing('@moulin/storage-s3', of('@moulin/storage-s3', 'ERR_OTHER'))).toBe(false)
    expect(isMissing('@moulin/storage-s3', undefined)).toBe(false)
  })
})
