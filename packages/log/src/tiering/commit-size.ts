import { isKind } from '@moulin/core'
import type { HotPartition } from '../hot/hot-partition.ts'

/** What a commit may come down to, in write-ahead bytes, however little room its data files find. */
const LEAST_BYTES = 64 * 1024

/**
 * How much one commit takes. Up to twice `commitBytes`, so that what is left over is no small file; and less where the store had no room
 * for the files of a larger one: a small one makes room for the next, since its write-ahead copy can go.
 */
export class CommitSize {
  readonly #mostBytes: number
  #bytes: number
  /** Of the last one, at most. */
  #lastBytes = 0

  constructor(commitBytes: number) {
    this.#mostBytes = commitBytes * 2
    this.#bytes = this.#mostBytes
  }

  /**
   * Exclusive ends, of whole sections, from `from` up to `to` or before it: a like share of each partition, and one section at least.
   * `freeBytes`: what may be taken where little is left.
   */
  cut(
    partitions: readonly HotPartition[],
    from: readonly bigint[],
    to: readonly bigint[],
    freeBytes: number,
  ): readonly bigint[] {
    const sizes = partitions.map(
      (partition, index) => partition.bytesFrom(from[index]!) - partition.bytesFrom(to[index]!),
    )
    const all = sizes.reduce((sum, bytes) => sum + bytes, 0)
    const most = Math.max(LEAST_BYTES, Math.min(this.#bytes, freeBytes))
    this.#lastBytes = Math.min(all, most)
    if (all <= most) return to
    if (most === this.#mostBytes) this.#lastBytes = most / 2
    const share = this.#lastBytes / all
    return partitions.map((partition, index) => {
      const end = partition.endOf(from[index]!, sizes[index]! * share)
      return end < to[index]! ? end : to[index]!
    })
  }

  succeeded(): void {
    this.#bytes = Math.min(this.#mostBytes, this.#bytes * 2)
  }

  failed(error: unknown): void {
    if (isKind(error, 'exhausted', 'NO_SPACE')) this.#bytes = Math.max(LEAST_BYTES, this.#lastBytes / 2)
  }
}
