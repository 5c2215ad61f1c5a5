import { createHash } from 'node:crypto'
import { compareKeys } from '@moulin/core'

/**
 * In which order a bucket lists.
 *
 * - `bytes`: of UTF-8, as Amazon and Google promise.
 * - `tree`: folder by folder, as SeaweedFS does: `a/b` comes before `a b` and `a-b`. Start-after goes by that order too, so whoever
 *   believes in bytes loses keys.
 * - `none`: an order that means nothing, as of a directory bucket; pages still go on by their tokens.
 */
export type FakeListOrder = 'bytes' | 'tree' | 'none'

/** Below, equal, above, like `compareKeys`. */
export const keyOrders: Readonly<Record<FakeListOrder, (a: string, b: string) => number>> = {
  bytes: compareKeys,
  tree: compareTrees,
  none: (a, b) => compareKeys(hashOf(a), hashOf(b)) || compareKeys(a, b),
}

function compareTrees(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const order = compareKeys(left[i]!, right[i]!)
    if (order !== 0) return order
  }
  return left.length - right.length
}

function hashOf(key: string): string {
  return createHash('md5').update(key).digest('hex')
}

/** Where `key` is in `keys`, which are in `order`, or where it would be. */
export function placeOf(keys: readonly string[], key: string, order: (a: string, b: string) => number): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (order(keys[middle]!, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
