import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What the suite's command prints, and its exit status. */
function judged(
  file: string,
  what = 'store',
): Promise<{ readonly status: unknown; readonly lines: readonly string[] }> {
  const args = ['--conditions=moulin-source', 'packages/testing/src/cli.ts', what, file]
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: root }, (error, stdout) => {
      resolve({ status: error === null ? 0 : error.code, lines: stdout.trimEnd().split('\n') })
    })
  })
}

describe('examples/composed.ts', () => {
  it('composes a log from its parts, one of them its own', { timeout: 60_000 }, async () => {
    const place = await mkdtemp(join(tmpdir(), 'moulin-composed-'))
    const args = ['--conditions=moulin-source', 'examples/composed.ts', join(place, 'a lake')]
    try {
      const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
      const lines = stdout.trimEnd().split('\n')
      expect(lines).toEqual([
        'refused by a limit of its own: RECORD_TOO_LARGE',
        '100 rows in lab.readings, audit clean, 100 scanned',
        expect.stringMatching(/^the store was asked for [1-9]\d* creates and [1-9]\d* gets$/),
        expect.stringMatching(
          /^topic: \[\{"partition":0,"start":0,"highWatermark":(\d+),"frontier":\1,"released":\1\},/,
        ),
        'warnings: 0',
      ])
      expect(await readdir(join(place, 'a lake/tables/lab/readings'))).toContain('metadata')
    } finally {
      await rm(place, { recursive: true })
    }
  })
})

describe('examples/layers.ts', () => {
  it('reads from the cache what went out once', { timeout: 60_000 }, async () => {
    const args = ['--conditions=moulin-source', 'examples/layers.ts']
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
    expect(stdout.trimEnd().split('\n')).toEqual([
      '100 reads, 99 of them from the cache; 1 put and 1 gets went out',
      'that is 5.4 millionths of a dollar',
    ])
  })
})

describe('examples/serve-catalog.ts', () => {
  it('answers with what was sent a moment before', { timeout: 60_000 }, async () => {
    const args = ['--conditions=moulin-source', 'examples/serve-catalog.ts']
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
    expect(stdout.trimEnd()).toBe('1 row in web.visits')
  })
})

describe('examples/open-table.ts', () => {
  it('reads a table by the file of its metadata', { timeout: 60_000 }, async () => {
    const args = ['--conditions=moulin-source', 'examples/open-table.ts']
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(/^10 total \[.*id: 9n, total: 2\.25, _row_id: 9n.*\] append 10 $/)
  })
})

describe('the example of raw batches', () => {
  it('finds where a time begins, and fetches to the end', { timeout: 60_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'moulin-raw-'))
    const args = ['--conditions=moulin-source', 'examples/raw-batches.ts', join(folder, 'lake')]
    const said = await new Promise<string>((resolve, reject) => {
      execFile(process.execPath, args, { cwd: root }, (error, stdout) =>
        error === null ? resolve(stdout) : reject(error as Error),
      )
    })
    const lines = ['from offset 2', 'batches up to 5 of 5', 'nothing up to 5 of 5']
    expect(said.trimEnd().split('\n')).toEqual([...lines, 'plant.readings is the table of topic readings'])
    await rm(folder, { recursive: true })
  })
})

describe('moulin-testing', () => {
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
    expect(lines.at(-1)).toMatch(/^5\d promises kept, 0 broken, 7 not asked$/)
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

  it('ends, whatever the one that it judges leaves open or never answers', { timeout: 60_000 }, async () => {
    const open = 'setInterval(() => {}, 1000); const never = () => new Promise(() => {});'
    const memory = JSON.stringify(new URL('../packages/storage/src/index.ts', import.meta.url).href)
    const create = 'create: () => ({ ...memory(), get: never }), timeoutMs: 50, largeBytes: 1000, manyKeys: 10'
    const hangs = await judged(await write('hangs.ts', `${open} export default { create: never, timeoutMs: 50 }`))
    expect(hangs).toMatchObject({ status: 2, lines: [expect.stringContaining('no answer within 50 ms')] })
    const silent = `import { memory } from ${memory}; ${open} export default { ${create} }`
    const { status, lines } = await judged(await write('silent.ts', silent))
    expect(lines.at(-1)).toMatch(/ broken, \d+ not asked$/)
    expect(status).toBe(1)
    const wal = await judged(
      await write('wal-hangs.ts', `${open} export default { create: never, timeoutMs: 50 }`),
      'wal',
    )
    expect(wal).toMatchObject({ status: 2, lines: [expect.stringContaining('no answer within 50 ms')] })
  })

  it('judges a Wal as well: what it keeps, what it breaks, what is no Wal', { timeout: 120_000 }, async () => {
    const from = (name: string): string => JSON.stringify(new URL(`../packages/${name}`, import.meta.url).href)
    const place = `import { fileWal } from ${from('log/src/index.ts')}
      import { simulatedWalPlace } from ${from('testing/src/index.ts')}
      const place = (open) => simulatedWalPlace({ seed: 1, wal: (dir) => open(fileWal({ dir, segmentBytes: 65536 })) })
      `
    const right = await write('wal.ts', `${place} export default () => place((wal) => wal)`)
    const { status, lines } = await judged(right, 'wal')
    expect(lines[0]).toBe('fileWal(/lake/log/wal): an ack survives disk; offsets are given; ways of its place: none')
    expect(lines.at(-1)).toMatch(/^\d\d promises kept, 0 broken, \d+ not asked$/)
    expect(status).toBe(0)

    const unmarked = `{ ...wal, openWriter: (options) => wal.openWriter({ ...options, mustExist: false }) }`
    const wrong = await write('wrong-wal.ts', `${place} export const underTest = () => place((wal) => (${unmarked}))`)
    const broken = await judged(wrong, 'wal')
    expect(broken.lines.filter((line) => line.startsWith('FAIL'))).toEqual([
      'FAIL  says that it is missing where the log has been written before',
    ])
    expect(broken.status).toBe(1)

    const none = await judged(await write('no-wal.ts', 'export default () => ({ start() {} })'), 'wal')
    expect(none).toMatchObject({ status: 2, lines: [expect.stringContaining('a WalPlace')] })
  })
})
