/** A file that cannot be opened once: waited for, or tried again by the next call, and never remembered. */
import { unavailable, type Files, type MoulinError } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { bytesOf, machine, openIn, valuesOf, WAL, type Machine } from './machine.ts'

/** The disk's files, of which some calls fail for want of handles. */
interface Scarcity {
  readonly files: Files
  failing: (call: string, path: string) => boolean
}

function scarce(on: Machine): Scarcity {
  const tooMany = (path: string): MoulinError => unavailable('EMFILE', `open of ${path} failed: too many open files`)
  const { files } = on.disk
  const scarcity: Scarcity = {
    failing: () => false,
    files: {
      ...files,
      open: (...given: Parameters<Files['open']>) => {
        const [path, mode] = given
        return scarcity.failing(mode, path) ? Promise.reject(tooMany(path)) : files.open(...given)
      },
      stat: (path: string) => (scarcity.failing('stat', path) ? Promise.reject(tooMany(path)) : files.stat(path)),
      statNow: (path: string) => {
        if (scarcity.failing('stat', path)) throw tooMany(path)
        return files.statNow(path)
      },
    },
  }
  return scarcity
}

/** Time passes until the promise has settled. */
async function inTime<T>({ clock }: Machine, promise: Promise<T>): Promise<T | Error> {
  let ended: { value: T | Error } | undefined
  promise.then(
    (value) => (ended = { value }),
    (error: Error) => (ended = { value: error }),
  )
  for (let turn = 0; ended === undefined && turn < 2_000; turn++) await clock.advance(10)
  return ended!.value
}

describe('too many open files', () => {
  it('hold up an append, and end nothing', async () => {
    const on = machine()
    const scarcity = scarce(on)
    const log = await openIn(on.runtime(scarcity.files))
    const topic = await log.createTopic('orders')
    const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
    const sent: string[] = []
    for (const [call, path] of [
      ['create', `${WAL}/epoch-1/`],
      // The second handle of a segment.
      ['write', `${WAL}/epoch-1/`],
      ['stat', `${WAL}/epoch-2`],
    ] as const) {
      for (let round = 0; round < 25; round++) {
        const value = `${call}-${round}`.padEnd(900, '.')
        let failures = 0
        scarcity.failing = (what, where) => what === call && where.startsWith(path) && ++failures < 8
        expect(await inTime(on, producer.send({ value: bytesOf(value) }))).toMatchObject({ partition: 0 })
        sent.push(value)
      }
    }
    expect(await valuesOf(topic)).toEqual(sent)
    await inTime(on, log.close())
    scarcity.failing = () => false
    const again = await openIn(on.runtime())
    expect(await valuesOf(await again.topic('orders'))).toEqual(sent)
    await again.close()
  })

  it('that stay are told after a while', async () => {
    const on = machine()
    const scarcity = scarce(on)
    const log = await openIn(on.runtime(scarcity.files))
    const topic = await log.createTopic('orders')
    scarcity.failing = (call, path) => call === 'stat' && path.startsWith(WAL)
    const before = on.clock.monotonic()
    const producer = topic.producer({ lingerMs: 0 })
    expect(await inTime(on, producer.send({ value: bytesOf('x') }))).toMatchObject({ code: 'EMFILE' })
    expect(on.clock.monotonic() - before).toBeGreaterThan(9_000)
    scarcity.failing = () => false
    await inTime(on, log.close())
  })

  it('fail one read of what an earlier writer left, not the next', async () => {
    const on = machine()
    const before = await openIn(on.runtime())
    const producer = (await before.createTopic('orders')).producer({ lingerMs: 0, batchBytes: 1 })
    const sent = Array.from({ length: 40 }, (_, at) => `${at}`.padEnd(900, '.'))
    for (const value of sent) await producer.send({ value: bytesOf(value) })
    await before.close()
    const scarcity = scarce(on)
    const log = await openIn(on.runtime(scarcity.files))
    const topic = await log.topic('orders')
    let failures = 0
    scarcity.failing = (call, path) => call === 'read' && path.startsWith(`${WAL}/epoch-1/`) && ++failures === 1
    await expect(valuesOf(topic)).rejects.toMatchObject({ code: 'EMFILE' })
    expect(await valuesOf(topic)).toEqual(sent)
    await log.close()
  })
})
