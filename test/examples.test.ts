import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What the suite's command prints, and its exit status. */
function judged(file: string): Promise<{ readonly status: unknown; readonly lines: readonly string[] }> {
  const args = ['--conditions=moulin-source', 'packages/testing/src/cli.ts', 'store', file]
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: root }, (error, stdout) => {
      resolve({ status: error === null ? 0 : error.code, lines: stdout.trimEnd().split('\n') })
    })
  })
}

describe('moulin-testing store', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'moulin-judged-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  const write = async (name: string, source: string): Promise<string> => {
    await writeFile(join(folder, name), source)
    return join(folder, name)
  }

  it('finds nothing wrong in the example of a store of one’s own', { timeout: 120_000 }, async () => {
    const { status, lines } = await judged('examples/store-sqlite.ts')
    expect(lines.filter((line) => line.startsWith('FAIL'))).toEqual([])
    expect(lines.at(-1)).toMatch(/^5\d promises kept, 0 broken, 3 not asked$/)
    expect(status).toBe(0)
  })

  it('says which promise a store breaks, and why', { timeout: 120_000 }, async () => {
    const example = JSON.stringify(new URL('../examples/store-sqlite.ts', import.meta.url).href)
    const file = await write(
      'wrong.ts',
      `import { underTest as example } from ${example}
      const create = () => {
        const store = example.create()
        return Object.assign(store, { head: async () => undefined })
      }
      export default { ...example, create, largeBytes: 1000, manyKeys: 10 }`,
    )
    const { status, lines } = await judged(file)
    const at = lines.findIndex(
      (line) => line === 'FAIL  tells the same key, size, tag and time by put, get, head and list',
    )
    expect(lines[at + 1]).toBe('      head finds the object')
    expect(lines.at(-1)).toMatch(/^\d+ promises kept, [1-9]\d* broken, /)
    expect(status).toBe(1)
  })

  it('tells what it cannot run from what is broken', { timeout: 60_000 }, async () => {
    for (const [name, source, why] of [
      ['none.ts', 'export const store = 1', /neither a function that makes a store nor an object/],
      ['throws.ts', 'export default () => { throw new Error("no database") }', /no database/],
      ['partly.ts', 'export default () => ({ get() {}, root: "x:///" })', /must be an ObjectStore/],
      ['options.ts', 'export default { create() {}, mannyKeys: 5 }', /Did you mean manyKeys\?/],
    ] as const) {
      const { status, lines } = await judged(await write(name, source))
      expect([status, lines.length], name).toEqual([2, 1])
      expect(lines[0]).toMatch(why)
    }
    const missing = await judged(join(folder, 'missing.ts'))
    expect(missing.status).toBe(2)
    expect(missing.lines[0]).toContain('missing.ts')
  })
})
