import { formatCaps, isKind, loadStored, mayBeThere, storedBytes, stringField, type ObjectStore } from '@moulin/core'
import { claimKind } from './stored-kinds.ts'
import { tenDigits } from './ten-digits.ts'

const PREFIX = 'log/epochs/'
/** Of a put whose answer was lost, and that left nothing. */
const ATTEMPTS = 3

/** Who takes an epoch. */
export interface EpochOpener {
  /** A UUID of this one attempt to take one. */
  readonly id: string
  readonly logId: string
  readonly owner: EpochOwner
  /** When it began, in milliseconds since 1970 by its own clock: to be read by people. */
  readonly timeMs: number
}

/** A process, by the members of `Runtime.process` that tell it from all others. */
export interface EpochOwner {
  readonly bootId: string
  readonly pidSpace: string
  readonly pid: number
  readonly startTime: string
}

/**
 * Claims an epoch in the store for one opening, for ever: false when another one has it. Layout: docs/formats/log.md, "Epochs".
 * @throws what the store throws when the outcome stays unknown; the claim may then be there.
 */
export type ClaimEpoch = (epoch: bigint, opener: EpochOpener) => Promise<boolean>

export function epochClaims(store: ObjectStore): ClaimEpoch {
  return async (epoch, opener) => {
    const key = PREFIX + tenDigits(epoch)
    const bytes = storedBytes(claimKind, { epoch, ...opener })
    for (let attempt = 1; ; attempt++) {
      try {
        await store.put(key, bytes, { mode: 'create' })
        return true
      } catch (error) {
        if (!mayBeThere(error)) throw error
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
