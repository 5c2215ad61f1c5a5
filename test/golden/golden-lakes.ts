import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { avro, json } from '@moulin/format'
import { byValue, day, systemFiles } from '@moulin/core'
import { virtualClock, virtualRuntime } from '@moulin/testing'
import type { VirtualRuntime } from '@moulin/testing'
import { deleted } from './deleted-lake.ts'
import { every, Flat, raw, rawTopic, send } from './golden-records.ts'
import { openGolden } from './golden-store.ts'

/** One golden folder: how it comes to be. What must be read from it stands beside it, in `<name>.json`. */
export interface GoldenLake {
  readonly name: string
  /** Writes the lake into an empty folder. */
  make(dir: string, runtime: VirtualRuntime): Promise<void>
}

/** A process whose chance and clock are the same at every run: what it writes is the same, byte for byte, but for its place. */
export function goldenRuntime(seed: number): VirtualRuntime {
  const clock = virtualClock({ startMs: Date.UTC(2026, 10, 29) })
  return virtualRuntime({ seed, clock, files: systemFiles() })
}

/** Every state that a topic may be in, over three epochs. */
async function states(dir: string, runtime: VirtualRuntime): Promise<void> {
  const first = await openGolden(dir, runtime)
  const codecs = { avro: avro(Flat), json: json(Flat) }
  for (const [name, value] of Object.entries(codecs)) {
    const topic = await first.ensureTopic(`types-${name}`, {
      value,
      partitionBy: [day('timestamptz'), byValue('int')],
    })
    await send(topic, every(0, 12))
    await topic.tier()
  }
  const released = await rawTopic(first, 'released', 2)
  await send(released, raw(0, 20))
  await released.tier()
  const wide = await rawTopic(first, 'wide', 60)
  await send(
    wide,
    raw(0, 60).map((record, partition) => ({ ...record, partition })),
  )
  await wide.tier()
  await first.releaseNow()
  await first.close()

  const second = await openGolden(dir, runtime)
  await send(await rawTopic(second, 'hot', 2), raw(0, 10))
  await send(await rawTopic(second, 'released', 2), raw(20, 30))
  const tiered = await rawTopic(second, 'tiered')
  await send(tiered, raw(0, 10))
  await tiered.tier()
  await second.close()

  const third = await openGolden(dir, runtime)
  await send(await rawTopic(third, 'hot', 2), raw(10, 15))
  await send(await rawTopic(third, 'tiered'), raw(10, 14))
  await send(await third.topic('types-json'), every(12, 15))
  await send(await rawTopic(third, 'wide', 60), raw(60, 62))
  await third.close()
}

/** What a killed process leaves: an open epoch behind a closed one. */
async function killed(dir: string, runtime: VirtualRuntime): Promise<void> {
  const first = await openGolden(dir, runtime)
  const topic = await rawTopic(first, 'events', 2)
  await send(topic, raw(0, 12))
  await topic.tier()
  await send(topic, raw(12, 20))
  await first.close()
  const living = `${dir}.living`
  await cp(dir, living, { recursive: true })
  const second = await openGolden(living, runtime)
  await send(await rawTopic(second, 'events', 2), raw(20, 40))
  await cp(living, dir, { recursive: true, force: true })
  await second.close()
  await rm(living, { recursive: true })
}

/** The same, cut off in the middle of its last write. */
async function torn(dir: string, runtime: VirtualRuntime): Promise<void> {
  await killed(dir, runtime)
  const folder = join(dir, 'log/wal/epoch-2')
  for (const name of (await readdir(folder)).filter((each) => each.endsWith('.wal')).sort()) {
    const bytes = await readFile(join(folder, name))
    if (!bytes.includes('MWLF')) continue
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1
    await writeFile(join(folder, name), bytes.fill(0, end - 12, end))
  }
}

export const goldenLakes: readonly GoldenLake[] = [
  { name: 'states', make: states },
  { name: 'killed', make: killed },
  { name: 'torn', make: torn },
  { name: 'deleted', make: deleted },
]
