// Of the reflected polynomial, as in `crc32c.ts`: the highest bit is the coefficient of x^0.
const POLYNOMIAL = 0x82f63b78
const ONE = 0x80000000 | 0
/** x^8: what one byte behind it does to a sum. */
const A_BYTE = 0x00800000

/** The product of two polynomials, modulo that of the checksum. */
function times(a: number, b: number): number {
  let product = 0
  for (let bit = 31; bit >= 0; bit--) {
    product ^= b & -((a >>> bit) & 1)
    b = (b >>> 1) ^ (POLYNOMIAL & -(b & 1))
  }
  return product
}

/** What so many bytes behind it do to a sum, by the four digits of their number to the base of 256. */
const powers: Int32Array = new Int32Array(4 * 256)
for (let digit = 0, step = A_BYTE; digit < 4; digit++) {
  let power = ONE
  for (let value = 0; value < 256; value++) {
    powers[digit * 256 + value] = power
    power = times(power, step)
  }
  step = power
}

// Batches of one producer are mostly of one size.
let lastBytes = 0
let lastPower = ONE

function powerOf(bytes: number): number {
  if (bytes === lastBytes) return lastPower
  let power = powers[bytes & 0xff]!
  if (bytes > 0xff) power = times(power, powers[0x100 + ((bytes >>> 8) & 0xff)]!)
  if (bytes > 0xffff) power = times(power, powers[0x200 + ((bytes >>> 16) & 0xff)]!)
  if (bytes > 0xffffff) power = times(power, powers[0x300 + (bytes >>> 24)]!)
  lastBytes = bytes
  lastPower = power
  return power
}

/**
 * CRC32C of bytes whose first part has the sum `first` and whose other part, `secondBytes` long, has the sum `second`; unsigned. It takes
 * as long for a gigabyte as for one byte.
 */
export function crc32cJoined(first: number, second: number, secondBytes: number): number {
  return (times(first, powerOf(secondBytes)) ^ second) >>> 0
}
