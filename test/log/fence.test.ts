import { isKind, isMoulinError, type Log, type Topic } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, collect, machine, openIn, textOf, valuesOf, type Machine } from './machine.ts'

const long = process.env['MOULIN_LONG'] === '1'

interface Sent {
  readonly acked: Map<string, string>
  readonly errors: unknown[]
}

async function send(topic: Topic<Uint8Array>, name: string, count: number, sent: Sent): Promise<void> {
  const producer = topic.producer({ lingerMs: 0, batchBytes: 2_000 })
  await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const text = `${name}-${i}`.padEnd(700, '.')
      try {
        const { offset } = await producer.send({ value: bytesOf(text) })
        sent.acked.set(String(offset), text)
      } catch (error) {
        sent.errors.push(error)
      }
    }),
  )
}

/** A writer that produces, rolls, tiers, recycles and produces again. */
async function writer(log: Log, sent: Sent): Promise<void> {
  const topic = await log.ensureTopic('orders')
  await send(topic, 'a', 5, sent)
  await send(topic, 'b', 40, sent)
  try {
    await topic.tier()
    await log.releaseNow()
  } catch (error) {
    sent.errors.push(error)
  }
  await send(topic, 'c', 40, sent)
}

async function expectWhole(log: Log, acked: Iterable<[string, string]>, where: string): Promise<void> {
  const topic = await log.ensureTopic('orders')
  const records = await collect(topic.read({ partition: 0, to: 'end' }))
  expect(
    records.map(({ offset }) => offset),
    `${where}: dense`,
  ).toEqual(records.map((_, index) => BigInt(index)))
  for (const [offset, text] of acked) {
    expect(textOf(records[Number(offset)]!).slice(0, 12), `${where}: acked ${offset}`).toBe(text.slice(0, 12))
  }
  const values = records.map(textOf)
  expect(new Set(values).size, `${where}: nothing twice`).toBe(values.length)
}

const newSent = (): Sent => ({ acked: new Map(), errors: [] })

describe('the fence', () => {
  it.each([true, false])(
    'keeps a writer that was paused anywhere from acking or overwriting after the takeover (O_DSYNC %s)',
    { timeout: 120_000 },
    async (syncedWrites) => {
      const whole = machine(1, { syncedWrites })
      const setUp = await openIn(whole.runtime())
      await setUp.ensureTopic('orders')
      await setUp.close()
      const { files } = whole.disk.process('zombie')
      const effectsOf = (): number => whole.disk.effects.filter(({ process }) => process === 'zombie').length
      const log = await openIn(whole.runtime(files), { tier: fakeColdTier(fakeTables()), graceMs: 0 })
      const opened = effectsOf()
      await writer(log, newSent())
      const effects = effectsOf()
      await log.close()

      for (let effect = opened + 1; effect <= effects; effect += 1) {
        for (const when of ['before', 'after'] as const) {
          if (!long && (when === 'before' || !syncedWrites) && effect % 3 !== 0) continue
          await pausedAt(machine(effect, { syncedWrites }), { effect, when })
        }
      }
    },
  )

  it('lets one of two openers write, whichever interleaving', { timeout: 120_000 }, async () => {
    for (let effect = 1; ; effect++) {
      const one = machine(effect)
      const setUp = await openIn(one.runtime())
      await setUp.ensureTopic('orders')
      await setUp.close()
      const [a, b] = [one.disk.process('a'), one.disk.process('b')]
      a.pauseAt({ effect, when: 'after' })
      const sentA = newSent()
      const opening = openIn(one.runtime(a.files)).then(async (log) => {
        await send(await log.ensureTopic('orders'), 'a', 3, sentA)
        return log
      })
      opening.catch(() => undefined)
      await Promise.race([opening, a.halted()])
      // Past its last effect.
      if (a.state !== 'paused') break

      const second = await openIn(one.runtime(b.files), { takeover: 'newest' })
      const { highWatermark } = (await second.ensureTopic('orders')).offsets()[0]!
      const heldByB = new Set(Array.from({ length: Number(highWatermark) }, (_, offset) => String(offset)))
      const sentB = newSent()
      await send(await second.ensureTopic('orders'), 'b', 3, sentB)
      expect(sentB.errors).toEqual([])
      a.resume()
      const first = await opening.catch((error: unknown) => error)
      for (const offset of sentA.acked.keys()) expect(heldByB.has(offset), `effect ${effect}: late ack`).toBe(true)
      if (isMoulinError(first)) {
        expect(['fenced', 'conflict'], `effect ${effect}: ${first.message}`).toContain(first.kind)
      } else {
        const late = newSent()
        await send(await (first as Log).ensureTopic('orders'), 'late', 2, late)
        expect(late.acked.size, `effect ${effect}: no ack after the takeover`).toBe(0)
        await (first as Log).close()
      }
      await second.close()

      const last = await openIn(one.runtime())
      await expectWhole(last, [...sentA.acked, ...sentB.acked], `effect ${effect}`)
      await last.close()
    }
  })
})

async function pausedAt(
  { disk, runtime }: Machine,
  point: { readonly effect: number; readonly when: 'before' | 'after' },
): Promise<void> {
  const where = `paused ${point.when} effect ${point.effect}`
  const tables = fakeTables()
  const zombie = disk.process('zombie')
  zombie.pauseAt(point)
  const sent = newSent()
  const setUp = await openIn(runtime())
  await setUp.ensureTopic('orders')
  await setUp.close()
  const log = await openIn(runtime(zombie.files), { tier: fakeColdTier(tables), graceMs: 0 })
  const writing = writer(log, sent)
  await Promise.race([writing, zombie.halted()])
  expect(zombie.state, where).toBe('paused')
  const ackedBefore = new Map(sent.acked)
  const pausedIn = disk.effects.findLast(({ process }) => process === 'zombie')?.kind

  const heirRuntime = runtime(disk.process('heir').files)
  const heir = await openIn(heirRuntime, { takeover: 'newest', tier: fakeColdTier(tables), graceMs: 0 })
  const heldByHeir = Number((await heir.ensureTopic('orders')).offsets()[0]!.highWatermark)
  const heirs = newSent()
  await send(await heir.ensureTopic('orders'), 'heir', 20, heirs)
  expect(heirs.errors, where).toEqual([])

  zombie.resume()
  await writing
  const ackedLate = new Map(sent.acked)
  await send(await log.ensureTopic('orders'), 'late', 2, sent)
  expect([...sent.acked.keys()], `${where}: nothing new`).toEqual([...ackedLate.keys()])
  // Only what had passed the fence check before the takeover may be acked late; the heir then holds it (see below).
  const late = [...sent.acked.keys()].filter((offset) => !ackedBefore.has(offset))
  if ((pausedIn === 'datasync' || pausedIn === 'syncedWrite') && point.when === 'after') expect(late, where).toEqual([])
  for (const offset of late) expect(Number(offset), `${where}: late`).toBeLessThan(heldByHeir)
  expect(sent.errors.length, where).toBeGreaterThan(0)
  await log.close()
  await send(await heir.ensureTopic('orders'), 'heir again', 20, heirs)
  expect(heirs.errors, where).toEqual([])
  await expectWhole(heir, [...sent.acked, ...heirs.acked], where)
  await heir.close()

  const last = await openIn(runtime(), { tier: fakeColdTier(tables) })
  await expectWhole(last, [...sent.acked, ...heirs.acked], `${where}, reopened`)
  await last.close()
}

describe('takeover', () => {
  it('is refused while the writer runs, in another process and in this one', async () => {
    const { runtime } = machine()
    const owner = runtime()
    const log = await openIn(owner)
    for (const process of [runtime(), owner]) {
      await expect(openIn(process)).rejects.toMatchObject({
        kind: 'conflict',
        code: 'WRITER_ALIVE',
        message: expect.stringContaining(String(owner.process.pid)) as string,
      })
    }
    await log.close()
    await (await openIn(owner)).close()
  })

  it('is taken at once when the writer was killed', async () => {
    const one = machine()
    const owner = one.runtime()
    const log = await openIn(owner)
    const sent = newSent()
    await send(await log.ensureTopic('orders'), 'x', 3, sent)
    one.disk.kill()
    owner.exit()
    const heir = await openIn(one.runtime())
    expect(heir.epoch).toBe(2n)
    expect(await valuesOf(await heir.topic('orders'))).toHaveLength(3)
    await heir.close()
  })

  it('opens the same folder twice at once: one writes, the other is refused or fenced', async () => {
    const { runtime } = machine()
    const owner = runtime()
    const results = await Promise.allSettled([openIn(owner), openIn(owner)])
    const opened = results.filter((result) => result.status === 'fulfilled')
    expect(opened).toHaveLength(1)
    const refused = results.find((result) => result.status === 'rejected')!.reason as unknown
    expect(isKind(refused, 'fenced') || isKind(refused, 'conflict', 'WRITER_ALIVE'), String(refused)).toBe(true)
    const sent = newSent()
    await send(await opened[0]!.value.ensureTopic('orders'), 'x', 3, sent)
    expect(sent.acked.size).toBe(3)
    await opened[0]!.value.close()
  })
})
