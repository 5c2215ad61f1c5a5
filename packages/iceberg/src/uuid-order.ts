/** The top bits of a UUID's halves, as `FieldMetrics.topBits` of the file writer counts them. */
export function topBitsAt(bytes: Uint8Array, start: number): number {
  return ((bytes[start]! & 0x80) === 0 ? 1 : 2) | ((bytes[start + 8]! & 0x80) === 0 ? 4 : 8)
}

/**
 * Whether signed and unsigned comparison of the halves order these UUIDs alike. The specification orders them by their bytes;
 * Iceberg's Java library compares two signed longs, so that with other bounds Spark finds no rows, and says nothing.
 */
export function isOrderedAlike(topBits: number | undefined): boolean {
  return topBits !== undefined && (topBits & 3) !== 3 && (topBits & 12) !== 12
}
