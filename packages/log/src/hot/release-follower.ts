import type { Clock, WalSession } from '@moulin/core'
import type { CheckpointStore } from '../stored/checkpoint-store.ts'
import type { HotLog } from './hot-log.ts'

/** Below the second after which a follower looks around anyway. */
const MIN_WAIT_MS = 500
const MAX_WAIT_MS = 60_000
/** Of the time since anything has changed. */
const WAIT_SHARE = 0.2

export interface ReleaseFollowerParts {
  readonly hot: HotLog
  readonly wal: WalSession
  readonly checkpoints: CheckpointStore
  readonly clock: Clock
}

/**
 * How a reader beside a writer learns what has been released: from the newest checkpoint. While the log grows or shrinks it looks
 * about once a second or twice; while nothing happens more and more rarely, down to once a minute; and never while it holds nothing that
 * could be released, so that an idle log makes no requests. Call it as often as you like.
 */
export function releaseFollower({ hot, wal, checkpoints, clock }: ReleaseFollowerParts): () => Promise<void> {
  let lookedMs = clock.monotonic()
  let changedMs = lookedMs
  let heldBytes = 0
  let isLooking = false

  return async () => {
    const { liveBytes } = wal.usage()
    const nowMs = clock.monotonic()
    if (liveBytes !== heldBytes) changedMs = nowMs
    heldBytes = liveBytes
    const waitMs = Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, (nowMs - changedMs) * WAIT_SHARE))
    if (isLooking || liveBytes === 0 || nowMs - lookedMs < waitMs) return
    isLooking = true
    try {
      hot.begin(await checkpoints.newest())
    } finally {
      isLooking = false
      lookedMs = clock.monotonic()
    }
  }
}
