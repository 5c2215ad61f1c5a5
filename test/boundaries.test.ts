import { readdir, readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { violation } from '../scripts/boundaries.ts'
import { circlesOf } from '../scripts/import-circles.ts'

const check = (file: string, specifier: string, ...dependencies: string[]): string | undefined =>
  violation(file, specifier, new Set(dependencies))

describe('boundaries', () => {
  it('lets published code follow its arrows, transitively, where the dependency is declared', () => {
    expect(check('packages/lake/src/tier.ts', '@moulin/log', '@moulin/log')).toBeUndefined()
    expect(check('packages/lake/src/tier.ts', '@moulin/core', '@moulin/core')).toBeUndefined()
    expect(check('packages/lake/src/tier.ts', './marker.ts')).toBeUndefined()
    expect(check('packages/lake/src/tier.ts', '@moulin/core')).toMatch(/not among the dependencies/)
  })

  it('refuses an undrawn arrow, back or sideways', () => {
    expect(check('packages/core/src/index.ts', '@moulin/format', '@moulin/format')).toMatch(/no arrow/)
    expect(check('packages/log/src/log.ts', '@moulin/iceberg', '@moulin/iceberg')).toMatch(/no arrow/)
    expect(check('packages/lake/src/tier.ts', 'moulin', 'moulin')).toMatch(/no arrow/)
    expect(check('packages/lake/src/tier.ts', '../../log/src/log.ts')).toMatch(/leaves the package/)
  })

  it('lets tests use @moulin/testing, and the simulator the log and the lake', () => {
    expect(check('packages/log/src/log.test.ts', '@moulin/testing')).toBeUndefined()
    expect(check('packages/log/src/log.ts', '@moulin/testing', '@moulin/testing')).toMatch(/no arrow/)
    expect(check('packages/log/src/log.ts', './fake.test-support.ts')).toMatch(/test file/)
    expect(check('packages/testing/src/sim/world.ts', '@moulin/lake')).toBeUndefined()
    expect(check('packages/testing/src/store.ts', '@moulin/lake')).toMatch(/no arrow/)
  })

  it('keeps core free of dependencies and the disk behind its door', () => {
    expect(check('packages/core/src/model/schema.ts', 'hyparquet')).toMatch(/core imports nothing/)
    expect(check('packages/core/src/system/system-files.ts', 'node:fs/promises')).toBeUndefined()
    expect(check('packages/core/src/model/schema.ts', 'node:fs')).toMatch(/disk/)
    expect(check('packages/storage/src/file-system.ts', 'node:fs')).toMatch(/disk/)
  })

  it('keeps the Parquet of others in the room of the second opinion', () => {
    const room = 'packages/format/src/second-opinion/second-reader.ts'
    expect(check(room, 'hyparquet', 'hyparquet')).toBeUndefined()
    expect(check('packages/format/src/second-opinion.ts', './second-opinion/second-reader.ts')).toBeUndefined()
    expect(check('packages/format/src/parquet/footer.ts', 'hyparquet', 'hyparquet')).toMatch(/second opinion alone/)
    expect(check('packages/moulin/src/cli.ts', 'hyparquet-writer', 'hyparquet-writer')).toMatch(/second opinion alone/)
    expect(check('packages/format/src/index.ts', './second-opinion/second-reader.ts')).toMatch(/asked for alone/)
    expect(check('packages/format/src/parquet/footer.test.ts', '../second-opinion/second-reader.ts')).toBeUndefined()
  })

  it('lets one file of the lake open data files, so that nobody forgets what is deleted in them', async () => {
    const lake = new URL('../packages/lake/src/', import.meta.url)
    const openers: string[] = []
    for (const name of await readdir(lake, { recursive: true })) {
      if (!name.endsWith('.ts') || /\.test(-[^/]*)?\.ts$/.test(name)) continue
      if (/\bopenParquet\b/.test(await readFile(new URL(name, lake), 'utf8'))) openers.push(name)
    }
    expect(openers).toEqual(['live/data-files.ts'])
  })

  it('keeps threads behind their door, and OpenTelemetry in its entry', () => {
    expect(check('packages/core/src/system/system-threads.ts', 'node:worker_threads')).toBeUndefined()
    expect(check('packages/lake/src/worker.ts', 'node:worker_threads')).toBeUndefined()
    expect(check('packages/format/src/threads/pool-thread.ts', 'node:worker_threads')).toMatch(/runtime.threads/)
    expect(check('packages/lake/src/encode/serve-tier.ts', 'worker_threads')).toMatch(/runtime.threads/)
    const api = '@opentelemetry/api'
    expect(check('packages/moulin/src/opentelemetry.ts', api, api)).toBeUndefined()
    expect(check('packages/moulin/src/index.ts', api, api)).toMatch(/moulin\/opentelemetry alone/)
    expect(check('packages/moulin/src/opentelemetry.test.ts', '@opentelemetry/sdk-metrics')).toBeUndefined()
  })

  it('refuses a package without a row', () => {
    expect(check('packages/unheard/src/index.ts', 'node:path')).toMatch(/no row/)
  })

  it('finds every circle of imports, and no way that two files reach a third by', () => {
    const imports = { a: ['b', 'c'], b: ['d'], c: ['d'], d: ['e'], e: ['f', 'd'], f: ['d'], g: ['h', 'a'], h: ['g'] }
    expect(circlesOf(new Map(Object.entries(imports)))).toEqual([
      ['d', 'e', 'f'],
      ['g', 'h'],
    ])
    expect(circlesOf(new Map(Object.entries({ ...imports, e: [], f: ['d', 'a'], h: ['b'] })))).toEqual([])
  })
})
