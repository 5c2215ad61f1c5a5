import { invalid, placeOf, systemRuntime } from '@moulin/core'
import type { BucketPlace } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import { planRepair, repairLog } from '@moulin/log'
import type { RepairLogOptions, RepairPlan } from '@moulin/log'
import { catalogOf } from './bucket-log.ts'
import { withFolderParts } from './embedded.ts'
import type { StorageOptions } from './store-adapters.ts'
import { layeredStore, urlOf } from './store-adapters.ts'

/** A log that may not open, and what opens it. */
export interface RepairPlace {
  readonly where: string
  /** Folder of the write-ahead data of a log in a bucket, which needs it; a folder holds its own. */
  readonly wal?: string | undefined
  /** Of a bucket: options of the adapter. */
  readonly storage?: StorageOptions | undefined
}

/**
 * What is damaged in the log of a place, and what {@link repairPlace} would give up. Changes nothing.
 * @throws what `planRepair` of `@moulin/log` throws; `not-found` for a missing folder; `invalid` code `OPTION` for a bucket without `wal`, and
 * a folder with it.
 */
export async function planPlaceRepair(place: RepairPlace): Promise<RepairPlan> {
  return withParts(place, planRepair)
}

/** Does exactly what the plan says; nothing that was damaged is deleted. @throws what `repairLog` of `@moulin/log` throws. */
export async function repairPlace(place: RepairPlace, plan: RepairPlan): Promise<void> {
  await withParts(place, (parts) => repairLog(parts, plan))
}

async function withParts<T>(given: RepairPlace, use: (parts: RepairLogOptions) => Promise<T>): Promise<T> {
  const { where, wal, storage } = given
  const place = placeOf('repair', where)
  if (place.kind !== 'folder') return withBucketParts(place, given, use)
  for (const [name, value] of Object.entries({ wal, storage })) {
    if (value === undefined) continue
    const message = `repair: --${name} belongs to a log in a bucket; a folder holds all of its log. Leave it out.`
    throw invalid('OPTION', message, { context: { option: `--${name}` } })
  }
  return withFolderParts(where, use)
}

async function withBucketParts<T>(
  place: BucketPlace,
  { wal, storage = {} }: RepairPlace,
  use: (parts: RepairLogOptions) => Promise<T>,
): Promise<T> {
  if (wal === undefined) {
    // Which records are given up, only that tells.
    const message = `repair: ${urlOf(place)} holds no write-ahead data: give the folder of it, --wal DIR.`
    throw invalid('OPTION', message, { context: { option: '--wal' } })
  }
  const runtime = systemRuntime()
  const store = await layeredStore('repair', { place, storage, runtime })
  const tier = icebergTier({ catalog: catalogOf(store, runtime, 'read-only'), threads: 0 })
  try {
    return await use({ store, walDir: wal, tier, runtime })
  } finally {
    await tier.close()
  }
}
