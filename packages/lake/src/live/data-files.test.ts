/** How much of data files is kept open, by the bytes that it takes. */
import { schema, t } from '@moulin/core'
import type { Codec } from '@moulin/core'
import { avro } from '@moulin/format'
import type { ParquetFile } from '@moulin/format'
import { hookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { settled, testLog, utf8 } from '../lake.test-support.ts'
import { FileRoom } from './data-files.ts'

const FILES = 8

/** Commits of one file each, of a topic with so many columns of its own; and how often a file is opened anew then. */
async function opened(columns: number, openFileBytes: number): Promise<(rows: number) => Promise<number>> {
  const fields = Object.fromEntries(Array.from({ length: columns }, (_, at) => [`column${at}`, t.string]))
  const codec = avro(schema(fields)) as Codec
  const value = codec.encode(Object.fromEntries(Object.keys(fields).map((name) => [name, 'x'])))
  const store = hookedStore()
  const log = testLog({ store, codec, info: { partitions: 1, partitionBy: [] }, limits: { openFileBytes } })
  const topic = await log.attach()
  for (let at = 0; at < FILES; at++) {
    log.hot.send(0, [{ key: utf8('k'), value }])
    await settled(log.runtime, topic.tier({ upTo: log.hot.committedOffsets() }))
  }
  // The pages of a file are one request, its footer is another one.
  return async (rows) => {
    const before = store.calls.length
    for await (const run of topic.read({ partition: 0, from: BigInt(FILES - rows), to: BigInt(FILES) })) void run
    return store.calls.slice(before).filter(({ op, key }) => op === 'get' && key.endsWith('.parquet')).length - rows
  }
}

describe('open data files', () => {
  it('are kept up to so many bytes, whatever their number, and the last one always', async () => {
    // 13 system columns and the topic's own, at about 1.7 kB each, and the bytes behind the pages.
    const narrow = await opened(2, 110_000)
    expect(await narrow(3)).toBe(0)
    expect(await narrow(FILES)).toBeGreaterThan(0)
    const wide = await opened(40, 110_000)
    expect(await wide(1)).toBe(0)
    expect(await wide(3)).toBeGreaterThan(0)
    expect(await (await opened(40, 1))(1)).toBe(0)
    const roomy = await opened(40, 2_000_000)
    expect(await roomy(FILES)).toBe(0)
  })

  it('of several tables share their room, and are not taken for each other', () => {
    const file = (name: string): ParquetFile => ({ name }) as ParquetFile
    const room = new FileRoom(100)
    const [one, other] = [room.share(), room.share()]
    room.add(`${one}x`, file('first'), 60)
    expect(room.get(`${other}x`)).toBeUndefined()
    room.add(`${other}x`, file('second'), 40)
    expect([room.get(`${one}x`)?.name, room.get(`${other}x`)?.name]).toEqual(['first', 'second'])
    room.add(`${other}y`, file('third'), 50)
    expect(room.get(`${one}x`)).toBeUndefined()
    expect([room.get(`${other}x`)?.name, room.get(`${other}y`)?.name]).toEqual(['second', 'third'])
  })
})
