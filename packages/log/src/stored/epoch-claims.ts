import {
  formatCaps,
  isKind,
  loadStored,
  storedBytes,
  stringField,
  type EpochOpener,
  type ObjectStore,
} from '@moulin/core'
import { claimKind } from './stored-kinds.ts'

const PREFIX = 'log/epochs/'
/** Of a put whose answer was lost, and that left nothing. */
const ATTEMPTS = 3

/**
 * Claims an epoch in the store for one opening, for ever: false when another one has it. Layout: docs/formats/log.md, "Epochs".
 * @throws what the store throws when the outcome stays unknown; the claim may then be there.
 */
export type ClaimEpoch = (epoch: bigint, opener: EpochOpener) => Promise<boolean>

export function epochClaims(store: ObjectStore): ClaimEpoch {
  return async (epoch, opener) => {
    const key = `${PREFIX}${String(epoch).padStart(10, '0')}`
    const bytes = storedBytes(claimKind, { epoch, ...opener })
    for (let attempt = 1; ; attempt++) {
      try {
        await store.put(key, bytes, { mode: 'create' })
        return true
      } catch (error) {
        if (!isKind(error, 'exists') && (error as { outcome?: string }).outcome !== 'unknown') throw error
        const holder = await holderOf(store, key)
        if (holder !== undefined) return holder === opener.id
        // Still on its way, or never sent. The same bytes once more: whichever is first, the claim is ours.
        if (attempt === ATTEMPTS) throw error
      }
    }
  }
}

/** The id of the opening that holds the claim; what we cannot read is not ours. Undefined when there is none. */
async function holderOf(store: ObjectStore, key: string): Promise<string | undefined> {
  try {
    const json = await loadStored(store, claimKind, key, formatCaps.maxJsonBytes)
    return json === undefined ? undefined : stringField(json, 'id', key)
  } catch (error) {
    if (isKind(error, 'corrupt') || isKind(error, 'unsupported')) return 'unreadable'
    throw error
  }
}
