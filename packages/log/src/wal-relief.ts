import { isMoulinError, type Logger } from '@moulin/core'
import type { WalPressure } from './log-core.ts'
import type { TopicState } from './topic-state.ts'

/** Write-ahead bytes after which a checkpoint is due, so that a later loss of files is noticed. */
const CHECKPOINT_EVERY_BYTES = 256 * 1024 * 1024

export interface WalReliefOptions {
  readonly maxWalBytes: number
  readonly liveBytes: () => number
  readonly topics: () => Iterable<TopicState>
  readonly checkpoint: () => Promise<void>
  readonly logger: Logger
}

/**
 * Above `maxWalBytes` the grace ends early: confirmed data goes first, oldest first; if that is not enough, topics are
 * tiered ahead of time. Also writes a checkpoint every so often.
 */
export function walRelief({ maxWalBytes, liveBytes, topics, checkpoint, logger }: WalReliefOptions): WalPressure {
  let checkpointAt = liveBytes() + CHECKPOINT_EVERY_BYTES
  let working: Promise<void> | undefined

  const relieve = async (): Promise<void> => {
    while (liveBytes() > maxWalBytes) {
      const before = liveBytes()
      for (const topic of topics()) {
        while (liveBytes() > maxWalBytes && (await topic.tiering.releaseOldest()));
      }
      if (liveBytes() <= maxWalBytes) return
      for (const topic of topics()) if (topic.tiering.untieredBytes > 0) await topic.tiering.tier()
      for (const topic of topics()) await topic.tiering.releaseNow()
      if (liveBytes() >= before) return
    }
  }
  const inBackground = (work: () => Promise<void>): void => {
    working = work()
      .catch((error: unknown) => {
        if (isMoulinError(error) && error.kind === 'closed') return
        logger.warn({ err: error, liveBytes: liveBytes(), maxWalBytes }, 'Making room in the write-ahead tier failed')
      })
      .finally(() => (working = undefined))
  }
  return {
    appended() {
      if (working !== undefined) return
      const bytes = liveBytes()
      if (bytes > maxWalBytes) inBackground(relieve)
      else if (bytes > checkpointAt) {
        checkpointAt = bytes + CHECKPOINT_EVERY_BYTES
        inBackground(checkpoint)
      }
    },
  }
}
