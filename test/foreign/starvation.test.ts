/**
 * Spark compacts the table of a log in a loop, as fast as it can, while the log commits twice a second: neither keeps the other from coming
 * through, and what lost commits have left is gone. A minute; ten with `MOULIN_LONG=1`.
 */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { objectStoreCatalog } from '@moulin/catalog'
import { serveCatalog } from '@moulin/gateway'
import { fileSystem } from '@moulin/storage'
import { recordingMeter } from '@moulin/testing'
import { json, openLog, schema, systemRuntime, t } from 'moulin'
import type { Catalog } from 'moulin'
import { expect, it } from 'vitest'
import { spark } from './engines.ts'
import type { Spark } from './engines.ts'

const INSTALLS_MS = 900_000
const WINDOW_MS = 60_000
const RUN_MS = (process.env['MOULIN_LONG'] === '1' ? 10 : 1) * WINDOW_MS
/** What is older, in the table's folder, is not on its way into a commit: of one there are two retries a second, and Spark's wait for a minute. */
const IN_FLIGHT_MS = 15_000
const FRESHNESS_MS = 500
const SEND_EVERY_MS = 50
const RECORDS = 10
const table = { namespace: ['shop'], name: 'rides' }

const Ride = schema({ id: t.int53, city: t.string })
const { clock, timers } = systemRuntime()

/** When each side has committed, as the table itself says. */
class Commits {
  readonly ours: number[] = []
  readonly theirs: number[] = []
  readonly #known = new Set<string>()
  readonly #catalog: Catalog

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  async look(): Promise<void> {
    const { metadata } = await this.#catalog.loadTable(table)
    for (const { 'snapshot-id': id, 'timestamp-ms': atMs, summary } of metadata.snapshots ?? []) {
      if (this.#known.has(String(id))) continue
      this.#known.add(String(id))
      const side = summary['moulin.commit'] === undefined ? this.theirs : this.ours
      side.push(Number(atMs))
    }
  }
}

/** The longest time in [from, to] in which none of the moments is. */
function longestGap(moments: readonly number[], from: number, to: number): number {
  const all = [from, ...moments.filter((at) => at > from && at < to).toSorted((a, b) => a - b), to]
  return Math.max(...all.slice(1).map((at, before) => at - all[before]!))
}

/** How many there were in each minute. */
const byWindow = (moments: readonly number[], from: number): number[] =>
  Array.from({ length: RUN_MS / WINDOW_MS }, (_, window) => {
    const begins = from + window * WINDOW_MS
    return moments.filter((at) => at >= begins && at < begins + WINDOW_MS).length
  })

/**
 * Files under the table's location, of before `olderThanMs`, that no snapshot reaches: Spark lists what is reached. Versions of the metadata are the
 * catalog's, which never takes one away.
 */
async function orphans(engine: Spark, folder: string, olderThanMs: number): Promise<string[]> {
  // First what there is, then what is reached: a file may be taken away between, but none is thought an orphan that came meanwhile.
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile() && !/(\.metadata\.json|version-hint\.text)$/.test(entry.name))
    .map(({ parentPath, name }) => join(parentPath, name))
  const of = 'lake.shop.rides'
  const reached = await engine.sql(
    `SELECT file_path FROM ${of}.all_files UNION SELECT path FROM ${of}.all_manifests ` +
      `UNION SELECT manifest_list FROM ${of}.snapshots`,
  )
  const known = new Set(reached.map(([location]) => fileURLToPath(location!)))
  // Hadoop keeps checksums of files of its own beside them: `.NAME.crc`.
  const meant = (file: string): string => file.replace(/\/\.([^/]+)\.crc$/, '/$1')
  const found: string[] = []
  for (const file of files.filter((each) => !known.has(meant(each)))) {
    const times = await stat(file).catch(() => undefined)
    if (times !== undefined && times.mtimeMs < olderThanMs) found.push(file)
  }
  return found
}

it('lets both sides come through', { timeout: INSTALLS_MS + 2 * RUN_MS }, async () => {
  const root = await mkdtemp(join(tmpdir(), 'moulin-starvation-'))
  const meter = recordingMeter()
  const store = fileSystem({ root })
  const catalog = objectStoreCatalog({ store })
  const log = await openLog(root, { threads: 0, runtime: { ...systemRuntime(), meter } })
  const config = { value: json(Ride), table: 'shop.rides', partitions: 2, freshnessMs: FRESHNESS_MS }
  const rides = await log.ensureTopic('rides', config)
  const server = await serveCatalog({ catalog, stores: store, logs: [log], listen: '127.0.0.1:0' })
  const engine = await spark({ version: '4.1.4', iceberg: '1.11.0', uri: server.url, isBrief: true })
  try {
    // Spark is warm, and has found the table.
    await engine.sql('SELECT count(*) FROM lake.shop.rides')
    const fromMs = clock.now()
    const untilMs = fromMs + RUN_MS
    const isOver = (): boolean => clock.now() >= untilMs

    let sent = 0
    const produce = async (): Promise<void> => {
      const producer = rides.producer()
      while (!isOver()) {
        const acks = Array.from({ length: RECORDS }, () =>
          producer.send({ value: { id: sent++, city: `c${sent % 9}` } }),
        )
        await Promise.all(acks)
        await timers.sleep(SEND_EVERY_MS)
      }
      await producer.close()
    }

    const commits = new Commits(catalog)
    const watch = async (): Promise<void> => {
      while (!isOver()) {
        await commits.look()
        await timers.sleep(1000)
      }
    }

    const refusals: string[] = []
    const orphaned: number[] = []
    const compact = async (): Promise<void> => {
      for (let round = 1; !isOver(); round++) {
        const call =
          round % 5 === 0
            ? `expire_snapshots(table => 'shop.rides', older_than => TIMESTAMP '2099-01-01 00:00:00', retain_last => 30)`
            : `rewrite_data_files(table => 'shop.rides', options => map('rewrite-all', 'true'))`
        await engine.sql(`CALL lake.system.${call}`).catch((error: unknown) => refusals.push((error as Error).message))
        if (round % 5 === 0)
          orphaned.push((await orphans(engine, join(root, 'tables/shop/rides'), clock.now() - IN_FLIGHT_MS)).length)
      }
    }
    await Promise.all([produce(), watch(), compact()])

    await rides.tier()
    await commits.look()
    const left = await orphans(engine, join(root, 'tables/shop/rides'), clock.now() + WINDOW_MS)
    const { ours, theirs } = commits
    const gaps = { ours: longestGap(ours, fromMs, untilMs), theirs: longestGap(theirs, fromMs, untilMs) }
    const conflicts = meter.total('moulin.commit.conflicts')
    const counts = { ours: byWindow(ours, fromMs), theirs: byWindow(theirs, fromMs) }
    const told = { sent, counts, gaps, conflicts, refused: refusals.length, orphaned, left: left.length }
    console.log(`starvation: ${JSON.stringify(told)}`, refusals.slice(0, 2), left.slice(0, 5))

    expect(gaps.ours, 'without a commit of ours').toBeLessThan(WINDOW_MS)
    expect(gaps.theirs, 'without one of theirs').toBeLessThan(WINDOW_MS)
    // A race that nobody ever lost would prove nothing.
    expect(conflicts + refusals.length, 'commits that came second').toBeGreaterThan(0)
    expect(left, 'orphans').toEqual([])

    expect((await rides.audit()).clean).toBe(true)
    const [[count, distinct]] = (await engine.sql('SELECT count(*), count(DISTINCT id) FROM lake.shop.rides')) as [
      [string, string],
    ]
    expect([Number(count), Number(distinct)]).toEqual([sent, sent])
  } finally {
    await engine.stop()
    await server.close()
    await log.close()
    await rm(root, { recursive: true })
  }
})
