/** A folder whose schema ledger has lost an entry, and what still works in it. */
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLog, schema, t, avro, json } from 'moulin'
import type { Log, LogRecord, Topic } from 'moulin'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const Tide = avro(schema({ cm: t.int, at: t.string }))
const Wind = json(schema({ knots: t.int }))

let root: string
const open: Log[] = []
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'moulin-lost-schema-'))
})
afterEach(async () => {
  for (const log of open.splice(0)) await log.close()
  await rm(root, { recursive: true })
})

const lake = (): string => join(root, 'lake')
async function openHere(access: 'read-write' | 'read-only' = 'read-write'): Promise<Log> {
  const log = await openLog(lake(), { access })
  open.push(log)
  return log
}

async function allOf(topic: Topic): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  for await (const record of topic.read({ from: 'earliest', to: 'end' })) records.push(record)
  return records
}

/** Per record its key, and its kind of error, value, or that it has none. */
async function seen(topic: Topic): Promise<string[]> {
  return (await allOf(topic)).map(({ key, value, bytes, error }) => {
    const kind = (error as (Error & { kind: string; code: string }) | undefined) ?? undefined
    const what = kind === undefined ? (bytes === null ? 'none' : JSON.stringify(value)) : `${kind.kind} ${kind.code}`
    return `${Buffer.from(key!).toString()} ${what}`
  })
}

describe('a log whose schema ledger has lost an entry', () => {
  it('reads and shows all that does not need it, refuses what does, and is whole once the entry is back', async () => {
    const log = await openHere()
    const tides = await log.ensureTopic('tides', { value: Tide })
    const producer = tides.producer()
    await producer.send({ key: 'a', value: { cm: 120, at: 'pier' } })
    await producer.send({ key: 'b', value: null })
    await producer.flush()
    await tides.tier()
    await log.releaseNow()
    await producer.send({ key: 'c', value: { cm: -7, at: 'lock' } })
    await producer.send({ key: 'd', value: null })
    await producer.close()
    const [entry] = await readdir(join(lake(), 'log/schemas'))
    const winds = await log.ensureTopic('winds', { value: Wind })
    await winds.producer().send({ key: 'w', value: { knots: 9 } })
    await log.close()
    await rename(join(lake(), 'log/schemas', entry!), join(root, entry!))

    for (const access of ['read-only', 'read-write'] as const) {
      const lost = await openHere(access)
      const topic = await lost.topic('tides')
      expect(await seen(topic)).toEqual(['a not-found SCHEMA_ID', 'b none', 'c not-found SCHEMA_ID', 'd none'])
      expect(await topic.scan({ columns: ['_kafka_offset'] }).count()).toBe(4)
      expect(await topic.scan({ columns: ['_kafka_offset'] }).toArray()).toHaveLength(4)
      expect((await topic.audit()).clean).toBe(true)
      if (access === 'read-write') {
        const needed = { kind: 'not-found', code: 'SCHEMA_ID' }
        await expect(topic.tier()).rejects.toMatchObject(needed)
        expect(() => topic.producer()).toThrow(/log\/schemas|no entry 1/)
        await expect(lost.ensureTopic('tides', { value: Tide })).rejects.toMatchObject(needed)
        await expect(lost.topic('tides', { value: Tide })).rejects.toMatchObject(needed)
        const other = await lost.topic('winds', { value: Wind })
        await other.producer().send({ key: 'x', value: { knots: 11 } })
        expect((await other.tier()).rows).toBe(2)
      }
      expect((await seen(await lost.topic('winds')))[0]).toBe('w {"knots":9}')
      await lost.close()
    }

    await rename(join(root, entry!), join(lake(), 'log/schemas', entry!))
    const again = await openHere()
    const topic = await again.topic('tides')
    const whole = ['a {"cm":120,"at":"pier"}', 'b none', 'c {"cm":-7,"at":"lock"}', 'd none']
    expect(await seen(topic)).toEqual(whole)
    expect((await topic.tier()).rows).toBe(2)
    await again.releaseNow()
    expect(await seen(topic)).toEqual(whole)
    expect(await topic.scan({ columns: ['_kafka_offset'] }).count()).toBe(4)
  })
})
