/**
 * The JavaScript forms of the scalar kinds (`t` of core) and the numbers and bytes behind them. Parsers return undefined
 * for what is not of the kind, so that each caller names the field in its own error.
 */

/** A day of the proleptic Gregorian calendar. */
export interface CivilDate {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
}

// Years that begin in March put the leap day last; 400 of them are always as many days.
const DAYS_PER_ERA = 146_097
const DAYS_TO_1970 = 719_468
const monthDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** Of days since 1970-01-01; exact for every 32-bit day. */
export function civilDate(days: number): CivilDate {
  const shifted = days + DAYS_TO_1970
  const era = Math.floor(shifted / DAYS_PER_ERA)
  const dayOfEra = shifted - era * DAYS_PER_ERA
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day }
}

/** The inverse of {@link civilDate}; undefined where there is no such day. */
export function daysOf(year: number, month: number, day: number): number | undefined {
  if (month < 1 || month > 12 || day < 1 || day > monthDays[month - 1]!) return undefined
  if (month === 2 && day === 29 && (year % 4 !== 0 || (year % 100 === 0 && year % 400 !== 0))) return undefined
  const marchYear = month <= 2 ? year - 1 : year
  const era = Math.floor(marchYear / 400)
  const yearOfEra = marchYear - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * DAYS_PER_ERA + dayOfEra - DAYS_TO_1970
}

/** Days since 1970-01-01 as `YYYY-MM-DD`, proleptic Gregorian; years outside 0 to 9999 as a sign and six or more digits. */
export function dateText(days: number): string {
  const { year, month, day } = civilDate(days)
  return `${yearText(year)}-${twoDigits(month)}-${twoDigits(day)}`
}

function yearText(year: number): string {
  if (year >= 0 && year <= 9999) return String(year).padStart(4, '0')
  return `${year < 0 ? '-' : '+'}${String(Math.abs(year)).padStart(6, '0')}`
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}

const datePattern = /^(\d{4}|[+-]\d{6,7})-(\d{2})-(\d{2})$/

/** The inverse of {@link dateText}. */
export function parseDate(text: string): number | undefined {
  const match = datePattern.exec(text)
  if (match === null) return undefined
  const days = daysOf(Number(match[1]), Number(match[2]), Number(match[3]))
  // A year in a second spelling does not come out as it went in.
  return days !== undefined && days === (days | 0) && dateText(days) === text ? days : undefined
}

/** Microseconds as milliseconds, downwards, however large. */
export function floorMillis(micros: bigint): bigint {
  const millis = micros / 1000n
  return micros % 1000n < 0n ? millis - 1n : millis
}

/** An unscaled decimal as text with exactly `scale` digits behind the point. */
export function decimalText(unscaled: bigint, scale: number): string {
  if (scale === 0) return unscaled.toString()
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

const decimalPattern = /^(-?)(\d{1,100})(?:\.(\d{1,100}))?$/

/** The unscaled value of a decimal; undefined where it has more digits than the type. */
export function parseDecimal(text: string, precision: number, scale: number): bigint | undefined {
  const match = decimalPattern.exec(text)
  if (match === null) return undefined
  const fraction = match[3] ?? ''
  if (fraction.length > scale) return undefined
  const magnitude = BigInt(match[2]! + fraction.padEnd(scale, '0'))
  if (magnitude >= 10n ** BigInt(precision)) return undefined
  return match[1] === '-' ? -magnitude : magnitude
}

/** Big-endian two's complement of `bytes[start, end)`. */
export function bigIntOf(bytes: Uint8Array, start: number, end: number): bigint {
  let value = 0n
  for (let at = start; at < end; at++) value = (value << 8n) | BigInt(bytes[at]!)
  return BigInt.asIntN(8 * (end - start), value)
}

/** {@link bigIntOf} reversed, in `width` bytes. */
export function bigIntBytes(value: bigint, width: number): Uint8Array {
  const bytes = new Uint8Array(width)
  let rest = value
  for (let at = width - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return bytes
}

/** The fewest bytes that hold a value as two's complement, at least one. */
export function bigIntWidth(value: bigint): number {
  let width = 1
  for (let rest = value < 0n ? ~value : value; rest >= 128n; rest >>= 8n) width++
  return width
}

const hexDigits = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))
/** A digit's value, 16 more for an upper-case one, -1 for no digit. */
const hexValues = new Int8Array(256).fill(-1)
hexDigits.forEach((code, value) => {
  hexValues[code] = value
  if (value > 9) hexValues[code - 32] = value | 16
})

export const UUID_TEXT_BYTES = 36
const DASH = 0x2d
/** Where the digits of each byte lie in the text, and the dashes. */
const pairs = Int32Array.of(0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34)
const dashes = [8, 13, 18, 23] as const

/** Reads the text `[start, start + 36)`: -1 not a UUID, 0 one with upper-case digits, 1 one in lower case. */
export function parseUuid(text: Uint8Array, start: number, target: Uint8Array): -1 | 0 | 1 {
  for (const dash of dashes) if (text[start + dash] !== DASH) return -1
  let seen = 0
  for (let byte = 0; byte < 16; byte++) {
    const at = start + pairs[byte]!
    const high = hexValues[text[at]!]!
    const low = hexValues[text[at + 1]!]!
    seen |= high | low
    target[byte] = (high << 4) | (low & 15)
  }
  if (seen < 0) return -1
  return (seen & 16) === 0 ? 1 : 0
}

/** Writes the lower-case text of the 16 bytes from `start`. */
export function writeUuid(bytes: Uint8Array, start: number, target: Uint8Array, position: number): void {
  for (const dash of dashes) target[position + dash] = DASH
  for (let byte = 0; byte < 16; byte++) {
    const at = position + pairs[byte]!
    target[at] = hexDigits[bytes[start + byte]! >> 4]!
    target[at + 1] = hexDigits[bytes[start + byte]! & 15]!
  }
}

export const MS_PER_DAY = 86_400_000
export const MICROS_PER_DAY = 86_400_000_000
/** Beyond this a Date does not exist (ECMA-262, "Time Values"). */
export const MAX_DATE_MS = 8.64e15
