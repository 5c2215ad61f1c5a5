/**
 * Whether signed and unsigned comparison of the halves order these UUIDs alike. The specification orders them by their bytes;
 * Iceberg's Java library compares two signed longs, so that with other bounds Spark finds no rows, and says nothing.
 */
export function isOrderedAlike(topBits: number | undefined): boolean {
  return topBits !== undefined && (topBits & 3) !== 3 && (topBits & 12) !== 12
}

/** Whether it is of version 7 and the variant of RFC 9562: these begin with the time, and with a bit that is 0 for long. */
export function isTimeOrdered(uuid: Uint8Array | undefined): boolean {
  return uuid?.length === 16 && uuid[6]! >> 4 === 7 && uuid[8]! >> 6 === 2 && uuid[0]! < 0x80
}
