import { lengthOf } from '@moulin/core'

const SEED = 0x9747b28c
const MULTIPLIER = 0x5bd1e995

/**
 * Kafka's murmur2 of `bytes`, as a signed 32-bit integer. The partition of a key is `(murmur2(key) & 0x7fffffff) %
 * partitions`, as the Java client has it.
 *
 * Spec: MurmurHash2, 32 bits, seed 0x9747b28c, as in `org.apache.kafka.common.utils.Utils`.
 */
export function murmur2(bytes: Uint8Array): number {
  const length = lengthOf(bytes)
  let hash = SEED ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    hash = Math.imul(hash, MULTIPLIER) ^ mixed(word)
  }
  const left = length - at
  if (left >= 3) hash ^= bytes[at + 2]! << 16
  if (left >= 2) hash ^= bytes[at + 1]! << 8
  if (left >= 1) hash = Math.imul(hash ^ bytes[at]!, MULTIPLIER)
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER)
  return hash ^ (hash >>> 15)
}

function mixed(word: number): number {
  const product = Math.imul(word, MULTIPLIER)
  return Math.imul(product ^ (product >>> 24), MULTIPLIER)
}
