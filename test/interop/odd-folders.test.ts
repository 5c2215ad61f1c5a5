import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { avro, openLog } from 'moulin'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { plainRows } from './plain-rows.ts'
import { python, readTable } from './python.ts'
import { Everything, records } from './tables.ts'

/** Folders of a lake, each beside one that a reader which decodes, encodes or matches patterns takes for it. */
const folders: readonly (readonly [name: string, decoy: string])[] = [
  ['my lake', 'my%20lake'],
  [' spaces ', 'spaces'],
  ['Müll', 'M%C3%BCll'],
  ['a%41b', 'aAb'],
  ['%', '%25'],
  ['%2F%zz', '%252F%25zz'],
  ['brace{x,y}', 'bracex'],
  ['star*[x]', 'starrx'],
  ['back\\slash', 'backslash'],
  ['[!a]', 'b'],
  ['a:b;c&d+e=f', 'a'],
  ["quote's (), @!$~^`|<>", 'quote'],
  ['🧊 2026/東京/city=M%C3%BCnchen', '🧊 2026/東京/city=München'],
  ['.hidden.d', 'hidden'],
]

let dir = ''

beforeAll(async () => {
  await python()
  dir = await mkdtemp(join(tmpdir(), 'moulin-folders-'))
}, 600_000)

afterAll(async () => {
  await rm(dir, { recursive: true })
})

/** A lake with these records twice, in two commits. */
async function fillLake(folder: string, sent: typeof records): Promise<void> {
  const log = await openLog(folder, { threads: 0 })
  const topic = await log.ensureTopic('events', {
    value: avro(Everything),
    partitions: 2,
    table: 'shop.events',
    timestampBeforeMaxMs: -1,
    timestampAfterMaxMs: -1,
  })
  for (let commit = 0; commit < 2; commit++) {
    await topic.producer().sendAll(sent)
    await topic.tier()
  }
  await log.close()
}

describe('a lake in a folder', () => {
  it.each(folders)(
    'named %s, beside one named %s, is read by path, row for row',
    async (name, decoy) => {
      await fillLake(join(dir, decoy), records.slice(0, 1))
      await fillLake(join(dir, name), records)
      const log = await openLog(join(dir, name), { threads: 0, access: 'read-only' })
      const topic = await log.topic('events')
      const read = async (engine: 'duckdb' | 'pyiceberg'): Promise<void> => {
        const { names, rows } = await readTable(engine, join(dir, name, 'tables/shop/events'))
        expect(rows, engine).toHaveLength(2 * records.length)
        expect(rows, engine).toEqual(await plainRows(topic, names))
      }
      await Promise.all([read('duckdb'), read('pyiceberg')])
      await log.close()
    },
    60_000,
  )
})
