/** Files of the table that a scan finds missing when it comes to them. */
import { gte } from '@moulin/core'
import type { ColdTopic } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allRows, numbersOf, pick, replaceRows, withNumbers } from '../foreign.test-support.ts'
import { readAll } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'
import { checkReads, commit, keysBelow, sendTo, world } from '../look/missing-files.test-support.ts'
import type { World } from '../look/missing-files.test-support.ts'

async function committed(
  rounds: number,
  options: Parameters<typeof world>[0] = {},
): Promise<World & { keys: string[] }> {
  const made = await world(options)
  const keys: string[] = []
  for (let round = 0; round < rounds; round++) {
    sendTo(made.log, round % 3, 3)
    sendTo(made.log, 1, 2)
    keys.push(...(await commit(made)))
  }
  return { ...made, keys }
}

const places = (rows: readonly Record<string, unknown>[]): string[] =>
  rows.map((row) => `${String(row['_kafka_partition'])}/${String(row['_kafka_offset'])}`).sort()

const sentPlaces = (log: TestLog): string[] =>
  [0, 1, 2].flatMap((partition) => log.hot.records(partition).map(({ offset }) => `${partition}/${offset}`)).sort()

const columns = ['_kafka_partition', '_kafka_offset']

describe('a scan that finds a file missing behind others', () => {
  const processes: readonly (readonly [string, (made: World) => Promise<ColdTopic>])[] = [
    ['the process that wrote it', async ({ topic }) => topic],
    ['the next writer', ({ log }) => log.reopen().attach()],
    ['a reader', ({ log }) => log.reopen({ access: 'read-only' }).attach()],
  ]

  it.each(processes)('goes on, and gives what it had from the write-ahead tier (%s)', async (_what, open) => {
    const made = await committed(7)
    const { log, store, keys } = made
    for (const at of [2, 5]) await store.delete(keys[at]!)
    const topic = await open(made)
    const scan = topic.scan({ columns })
    expect(places(await scan.toArray())).toEqual(sentPlaces(log))
    expect(topic.missingFiles!()).toHaveLength(2)
    await checkReads(topic, log)
    expect(log.hot.pins).toBe(0)
  })

  it.each(processes)('where only some rows are wanted, too (%s)', async (_what, open) => {
    const made = await committed(5)
    const { log, store, keys } = made
    await store.delete(keys.at(-1)!)
    const topic = await open(made)
    const wanted = sentPlaces(log).filter((place) => Number(place.split('/')[1]) >= 2)
    const scan = topic.scan({ columns, where: gte('_kafka_offset', 2n) })
    expect(places(await scan.toArray())).toEqual(wanted)
    expect(await scan.count()).toBe(wanted.length)
  })

  it('gives each record once, whenever which files go while it is under way', async () => {
    const moments = fc.array(fc.record({ read: fc.nat(30), file: fc.nat(7) }), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(moments, fc.boolean(), async (losses, isFresh) => {
        const { log, store, topic, keys } = await committed(8)
        const scanned = isFresh ? await log.reopen({ access: 'read-only' }).attach() : topic
        let reads = 0
        store.hooks.before = async ({ op }) => {
          if (op !== 'get') return
          const now = losses.filter(({ read }) => read === reads)
          reads++
          for (const { file } of now) await store.delete(keys[file]!)
        }
        const scan = (): Promise<string[]> => scanned.scan({ columns }).toArray().then(places)
        const found = await scan().catch((error: unknown) => {
          // What is told apart by a file that gave its rows, and went after that, is not known.
          expect(error).toMatchObject({ code: 'SNAPSHOT_EXPIRED', retryable: true })
          expect(new Set(losses.map(({ file }) => file)).size).toBeGreaterThan(1)
          expect(losses.some(({ read }) => read > 0)).toBe(true)
          return scan()
        })
        expect(found).toEqual(sentPlaces(log))
        expect(log.hot.pins).toBe(0)
      }),
      { numRuns: process.env['MOULIN_LONG'] === '1' ? 500 : 25 },
    )
  })

  it('knows it before its first row where another file has rows at the same places, and shows those', async () => {
    const { log, store } = await committed(6)
    const rows = await allRows(log)
    const all = Array.from({ length: rows.length }, (_, at) => at)
    const changed = withNumbers(
      rows,
      'id',
      numbersOf(rows, 'id').map((id) => 1_000_000n + BigInt(id!)),
    )
    const partitions = numbersOf(rows, '_kafka_partition')
    const [alone, shared] = [true, false].map((isAlone) => all.filter((at) => (partitions[at] === 0) === isAlone))
    // The last file has rows of the second one again, with other values, and some that no other file has.
    const [second, third] = [shared!.filter((_, at) => at % 3 !== 0), shared!.filter((_, at) => at % 2 === 0)]
    await replaceRows(log, [pick(rows, alone!), pick(changed, second), pick(rows, third)])
    const strangers = (await keysBelow(log, 'data/')).filter((key) => key.includes('foreign'))
    await store.delete(strangers.find((key) => key.endsWith('-2.parquet'))!)
    const topic = await log.reopen({ access: 'read-only' }).attach()
    const found = await topic.scan({ columns: [...columns, 'id'] }).toArray()
    expect(places(found)).toEqual(sentPlaces(log))
    expect(found.filter((row) => (row['id'] as number) >= 1_000_000)).toHaveLength(second.length)
    expect(await topic.scan({ columns: [...columns, 'id'] }).toArray()).toHaveLength(found.length)
  })
})

describe('a file of which nobody has a copy any more', () => {
  it('is called missing, by its name, by scans, counts, audits and reads, as often as they are asked', async () => {
    const { log, store, keys } = await committed(4)
    log.hot.release(log.hot.committedOffsets())
    await store.delete(keys[2]!)
    const name = log.store.root + keys[2]!
    for (const access of ['read-only', 'read-write'] as const) {
      const topic = await log.reopen({ access }).attach()
      const uses = [
        () => topic.scan({ columns }).toArray(),
        () => topic.scan({ where: gte('id', 0) }).count(),
        () => topic.audit(),
        () => readAll(topic, 2),
      ]
      for (const use of [...uses, ...uses]) {
        const error: unknown = await use().catch((thrown: unknown) => thrown)
        expect(error).toMatchObject({
          kind: 'corrupt',
          code: 'FILE_MISSING',
          retryable: false,
          context: { file: name },
        })
        expect((error as Error).message).toContain(name)
      }
      expect(await readAll(topic, 0, 0n, 3n)).toHaveLength(3)
    }
    expect(log.hot.pins).toBe(0)
  })

  it('is named also where it was known to be missing while it was held', async () => {
    const { log, store, topic, keys } = await committed(3)
    await store.delete(keys[1]!)
    expect(await topic.scan({ columns }).toArray()).toHaveLength(sentPlaces(log).length)
    log.hot.release(log.hot.committedOffsets())
    for (const use of [
      () => topic.scan({}).toArray(),
      () => topic.scan({}).count(),
      () => topic.audit(),
      () => readAll(topic, 1),
    ]) {
      const error: unknown = await use().catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({
        kind: 'corrupt',
        code: 'FILE_MISSING',
        context: { file: log.store.root + keys[1]! },
      })
    }
  })
})
