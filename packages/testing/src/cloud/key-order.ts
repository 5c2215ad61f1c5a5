import { crc32 } from 'node:zlib'
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
  tree: (a, b) => compareTrees(a, b, compareKeys),
  none: (a, b) => compareTrees(a, b, compareByHash),
}

/** Folder by folder: what lies in one comes together, so that a page may end at it. */
function compareTrees(a: string, b: string, compareNames: (a: string, b: string) => number): number {
  const [left, right] = [a.split('/'), b.split('/')]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const order = compareNames(left[i]!, right[i]!)
    if (order !== 0) return order
  }
  return left.length - right.length
}

/** The empty name first: it is where a folder begins. */
function compareByHash(a: string, b: string): number {
  if (a === '' || b === '') return a.length - b.length
  return crc32(a) - crc32(b) || compareKeys(a, b)
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
