import { rename, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { isMoulinError } from 'moulin'
import { expect, vi } from 'vitest'
import { equalityDelete } from './changes.ts'
import { liveFiles, placesIn } from './lineage.ts'
import type { Row } from './model.ts'
import type { Operation, Outcome, Scene } from './operation.ts'
import { checkStretch, readStretch } from './readers.ts'
import type { Sent } from './readings.ts'
import { noPartition } from './refusals.ts'
import { history } from './stranger.ts'

/** Of wall time, for a chore of the log. */
const REPAIRED_MS = 60_000

/** What a stranger may do to a table without the file that has these ids; by the number. */
async function meddle(scene: Scene, a: number, ids: readonly number[]): Promise<void> {
  const { model, stranger } = scene
  const isPartitioned = stranger.metadata['partition-specs'].every(({ fields }) => fields.length > 0)
  if (a % 3 === 0 && !isPartitioned && ids.length > 0) await equalityDelete(scene, 'id', [ids[a % ids.length]!])
  if (a % 3 !== 1) return
  const name = model.columns.newName('city')
  const change = `RENAME COLUMN ${model.columns.sql('city')} TO ${name}`
  await stranger.sql(`ALTER TABLE ${stranger.table} ${change}`, () => model.columns.rename('city', name))
}

/** The rows that are in the table and of which no second one has the place, by the file that Spark finds them in. */
async function rowsByFile({ stranger, model }: Scene): Promise<Map<string, Row[]>> {
  const times = new Map<string, number>()
  const placeOf = ({ sent }: Row): string => `${sent!.partition}:${sent!.offset}`
  const rows = model.rows.filter(({ sent }) => sent !== undefined)
  for (const row of rows) times.set(placeOf(row), (times.get(placeOf(row)) ?? 0) + 1)
  const single = new Map(rows.filter((row) => times.get(placeOf(row)) === 1).map((row) => [placeOf(row), row]))
  const found = new Map<string, Row[]>()
  for (const [file, partition, offset] of await stranger.select('_file, _kafka_partition, _kafka_offset')) {
    const row = single.get(`${partition}:${offset}`)
    if (row !== undefined) found.set(file!, [...(found.get(file!) ?? []), row])
  }
  return found
}

const isReleased =
  ({ model }: Scene) =>
  ({ sent }: Row): boolean =>
    sent!.offset < model.released[sent!.partition]!

/** One record, from wherever it is read. */
const readOne = ({ ours }: Scene, { sent }: Row): ReturnType<typeof readStretch> =>
  readStretch(ours.topic, sent!.partition, { from: sent!.offset, to: sent!.offset + 1n })

/** The offsets that an error says may be in a missing file. */
function rangeOf(message: string): { partition: number; from: bigint; to: bigint } | undefined {
  const [, from, to, partition] = /Offsets \[(\d+), (\d+)\) of partition (\d+)/.exec(message) ?? []
  return from === undefined ? undefined : { partition: Number(partition), from: BigInt(from), to: BigInt(to!) }
}

/** A read is refused that names the file, or the range that the row is in. */
function expectLost(error: unknown, path: string, { sent }: Row): void {
  expect(error).toMatchObject({ code: 'FILE_MISSING' })
  const { message } = error as Error
  const range = rangeOf(message)
  if (range === undefined) return expect(message).toContain(path)
  const { partition, offset } = sent!
  expect(range.partition, message).toBe(partition)
  expect(range.from <= offset && offset < range.to, message).toBe(true)
}

type Places = readonly (readonly [partition: number, offset: bigint])[]

/**
 * Released offsets without a row that a file with these places may have by its bounds, which are about all partitions at once: the log,
 * which no other file tells of them, cannot know that they were deleted.
 */
function untold({ model }: Scene, places: Places): Sent[] {
  const [first, ...others] = places.map(([, offset]) => offset)
  if (first === undefined) return []
  const least = others.reduce((a, b) => (b < a ? b : a), first)
  const most = others.reduce((a, b) => (b > a ? b : a), first)
  const partitions = places.map(([partition]) => partition)
  const rows = new Set(model.rows.flatMap(({ sent }) => sent ?? []))
  return model.book.sent.flat().filter((sent) => {
    const { partition, offset } = sent
    if (partition < Math.min(...partitions) || partition > Math.max(...partitions)) return false
    return offset >= least && offset <= most && offset < model.released[partition]! && !rows.has(sent)
  })
}

/** Without a file that the write-ahead tier has a copy of all is read, but where its bounds have others that nothing tells of. */
async function checkWithout(scene: Scene, places: Places): Promise<void> {
  const { model, ours } = scene
  const lost = untold(scene, places)
  try {
    await ours.check(new Set(places.map(([partition, offset]) => model.book.sent[partition]![Number(offset)]!)))
  } catch (error) {
    const range = rangeOf((error as Error).message)
    const isUntold = lost.some(({ partition, offset }) => partition === range?.partition && offset === range.from)
    if (!isMoulinError(error) || error.code !== 'FILE_MISSING' || !isUntold) throw error
    // All others are read.
    for (const [partition, { length }] of model.book.sent.entries()) {
      let from = 0n
      const ends = lost.filter((each) => each.partition === partition).map(({ offset }) => offset)
      for (const to of [...ends, BigInt(length)]) {
        if (from < to) checkStretch(await readStretch(ours.topic, partition, { from, to }), model, [model.state()])
        from = to + 1n
      }
    }
  }
}

/** Files go that the table names. */
export const losses: readonly Operation[] = [
  {
    name: 'a file of ours vanishes',
    wants: 'quiet',
    isHeld: true,
    refusals: noPartition,
    async work(scene, [a, b]): Promise<Outcome> {
      const { stranger, model, ours } = scene
      const files = (await liveFiles(stranger)).filter(({ snapshot }) => snapshot === ours.snapshot)
      if (files.length === 0) return 'nothing'
      const { location } = files[a % files.length]!
      const places = await placesIn(stranger, [{ location }])
      const here = new Set(places.map(([partition, offset]) => `${partition}:${offset}`))
      const ids = model.rows.flatMap(({ sent, values: { id } }) =>
        sent !== undefined && id !== null && here.has(`${sent.partition}:${sent.offset}`) ? [id] : [],
      )
      const before = ours.snapshot
      await rm(fileURLToPath(location))
      // The log repairs as soon as it has looked, and strangers come first.
      await meddle(scene, b, ids)
      // Who has no log has lost it.
      await ours.table.refresh()
      await expect(ours.table.scan().toArray()).rejects.toThrow(location.slice(location.lastIndexOf('/')))
      // Its write-ahead copy knows nothing of deletes.
      if (b % 3 !== 0) await checkWithout(scene, places)
      await ours.release()
      const released = ours.topic.offsets().map((offsets) => offsets.released)
      // The checks have read, and the log may have put the file back since: out of the write-ahead copy, which may go then.
      if (!(await ours.hasCommitted()))
        for (const [partition, offset] of places) expect(released[partition], 'released').toBeLessThanOrEqual(offset)
      model.releasedUpTo(released)
      await vi.waitFor(
        () => expect(ours.topic.stats()).toMatchObject({ missingFileCount: 0, lastError: null }),
        REPAIRED_MS,
      )
      await ours.committed()
      const { metadata } = stranger
      const snapshot = metadata.snapshots.find((each) => each['snapshot-id'] === ours.snapshot)
      expect(ours.snapshot, 'a commit puts the file back').not.toBe(before)
      expect(snapshot?.summary, 'which').toMatchObject({ operation: 'replace', 'deleted-data-files': '1' })
      // Those before it name the lost file for good.
      const chain = history(metadata)
      for (const id of chain.slice(1, chain.indexOf(before) + 1)) model.forget(id)
      return 'done'
    },
  },
  {
    name: 'a file vanishes of which there is no other copy',
    wants: 'quiet',
    refusesReaders: ['FILE_MISSING'],
    async work(scene, [a]): Promise<Outcome> {
      const byFile = [...(await rowsByFile(scene))].map(([file, rows]) => ({
        file,
        rows: rows.filter(isReleased(scene)),
      }))
      const candidates = byFile.filter(({ rows }) => rows.length > 0)
      if (candidates.length === 0) return 'nothing'
      const { file, rows } = candidates[a % candidates.length]!
      const path = fileURLToPath(file)
      const lost = rows[a % rows.length]!
      await rename(path, `${path}.away`)
      try {
        // By its name where it is met first, by what it may have had once it is known to be missing.
        for (let time = 0; time < 2; time++)
          expectLost(await readOne(scene, lost).catch((thrown: unknown) => thrown), path, lost)
        // What others have is read.
        for (const { rows: others } of byFile.filter((each) => each.file !== file)) {
          for (const row of others.slice(0, 2)) expect((await readOne(scene, row)).records).toHaveLength(1)
        }
      } finally {
        await rename(`${path}.away`, path)
      }
      return 'done'
    },
  },
]
