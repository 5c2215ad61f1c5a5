import { dateText, daysOf, MICROS_PER_DAY } from '../values/scalars.ts'
import type { JsonCursor } from './json-cursor.ts'
import type { TextTarget } from './json-sink.ts'

/** A time of day: `HH:MM:SS` and 3 digits (milliseconds) or 6 (microseconds). */
function timeText(microsOfDay: number, digits: 3 | 6): string {
  const seconds = Math.floor(microsOfDay / 1e6)
  const fraction = microsOfDay % 1e6
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  return digits === 6
    ? `${clock}.${String(fraction).padStart(6, '0')}`
    : `${clock}.${String(Math.floor(fraction / 1000)).padStart(3, '0')}`
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}

/** Microseconds since the epoch as `YYYY-MM-DDTHH:MM:SS` with 3 or 6 digits, without a zone. */
function timestampText(micros: bigint | number, digits: 3 | 6): string {
  let days: number
  let rest: number
  if (typeof micros === 'number') {
    days = Math.floor(micros / MICROS_PER_DAY)
    rest = micros - days * MICROS_PER_DAY
  } else {
    const day = BigInt(MICROS_PER_DAY)
    const within = ((micros % day) + day) % day
    days = Number((micros - within) / day)
    rest = Number(within)
  }
  return `${dayText(days)}T${timeText(rest, digits)}`
}

// Times near each other are of few days.
const KEPT_DAYS = 32
const keptDays = new Array<number>(KEPT_DAYS).fill(0)
const keptDates = new Array<string>(KEPT_DAYS).fill(dateText(0))

/** {@link dateText}, of days asked for lately for nothing. */
function dayText(day: number): string {
  const slot = day & (KEPT_DAYS - 1)
  if (keptDays[slot] !== day) {
    keptDates[slot] = dateText(day)
    keptDays[slot] = day
  }
  return keptDates[slot]!
}

/** {@link timeText} without the text. */
export function writeTime(writer: TextTarget, microsOfDay: number, digits: 3 | 6): void {
  // Only SQL puts what is no time of a day into a column of times.
  if (!(microsOfDay >= 0 && microsOfDay < MICROS_PER_DAY)) return writer.ascii(timeText(microsOfDay, digits))
  const seconds = Math.floor(microsOfDay / 1e6)
  const fraction = (microsOfDay - seconds * 1e6) | 0
  const minutes = (seconds / 60) | 0
  const hours = (minutes / 60) | 0
  writer.digits(hours, 2)
  writer.byte(COLON)
  writer.digits(minutes - hours * 60, 2)
  writer.byte(COLON)
  writer.digits(seconds - minutes * 60, 2)
  writer.byte(POINT)
  writer.digits(digits === 6 ? fraction : (fraction / 1000) | 0, digits)
}

const COLON = 0x3a
const POINT = 0x2e

/** {@link timestampText} without the text. */
export function writeTimestamp(writer: TextTarget, micros: bigint | number, digits: 3 | 6): void {
  if (typeof micros !== 'number') return writer.ascii(timestampText(micros, digits))
  const days = Math.floor(micros / MICROS_PER_DAY)
  writer.ascii(dayText(days))
  writer.byte(0x54)
  writeTime(writer, micros - days * MICROS_PER_DAY, digits)
}

const datePart = /^(\d{4}|[+-]\d{6})-(\d\d)-(\d\d)T/
const clockPart = /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?/
const zonePart = /^(?:Z|[+-]\d\d:\d\d)$/

/**
 * Microseconds of the text that the cursor holds: a time of day, or with `isDated` a timestamp, with `isZoned` one that
 * must say its zone (without, it may: only `Z`, which is taken as nothing). `digits` is what the canonical form has.
 * Undefined for what is none, and for digits below the microsecond that are not 0.
 */
export function parseTime(
  cursor: JsonCursor,
  { isDated, isZoned, digits }: { isDated: boolean; isZoned: boolean; digits: 3 | 6 },
): number | bigint | undefined {
  const usual = isDated ? parseUsual(cursor, isZoned, digits) : undefined
  if (usual !== undefined) return usual
  let text = cursor.text.latin1Slice(cursor.textStart, cursor.textEnd)
  let days: number | undefined = 0
  if (isDated) {
    const date = datePart.exec(text)
    if (date === null) return undefined
    // The year of another spelling: a 0 with a minus, or a sign where none is needed.
    if (date[1]!.length > 4 && !isExpanded(date[1]!)) cursor.isCanonical = false
    days = daysOf(Number(date[1]), Number(date[2]), Number(date[3]))
    text = text.slice(date[0].length)
  }
  const clock = clockPart.exec(text)
  if (clock === null || days === undefined) return undefined
  const [hour, minute, second] = [Number(clock[1]), Number(clock[2]), Number(clock[3] ?? 0)]
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const fraction = clock[4] ?? ''
  if (fraction.length !== digits) cursor.isCanonical = false
  const nanos = Number(fraction.padEnd(9, '0'))
  if (nanos % 1000 !== 0) return undefined

  const zone = text.slice(clock[0].length)
  const offset = zoneMinutes(zone, isZoned)
  if (offset === undefined) return undefined
  if (zone !== (isZoned ? 'Z' : '')) cursor.isCanonical = false
  if (!isDated && offset !== 0) return undefined

  const micros = (hour * 3600 + (minute - offset) * 60 + second) * 1e6 + nanos / 1000
  const total = days * MICROS_PER_DAY + micros
  return Number.isSafeInteger(total) ? total : BigInt(days) * BigInt(MICROS_PER_DAY) + BigInt(micros)
}

/** The canonical form with a year of four digits, digit by digit; undefined for any other. */
function parseUsual({ text, textStart, textEnd }: JsonCursor, isZoned: boolean, digits: 3 | 6): number | undefined {
  if (textEnd - textStart !== 20 + digits + (isZoned ? 1 : 0)) return undefined
  if (isZoned && text[textEnd - 1] !== 0x5a) return undefined
  for (const [at, mark] of marks) if (text[textStart + at] !== mark) return undefined
  const year = digitsAt(text, textStart, 4)
  const month = digitsAt(text, textStart + 5, 2)
  const day = digitsAt(text, textStart + 8, 2)
  const hour = digitsAt(text, textStart + 11, 2)
  const minute = digitsAt(text, textStart + 14, 2)
  const second = digitsAt(text, textStart + 17, 2)
  const fraction = digitsAt(text, textStart + 20, digits)
  const areDigits = year >= 0 && month >= 0 && day >= 0 && hour >= 0 && minute >= 0 && second >= 0 && fraction >= 0
  if (!areDigits || hour > 23 || minute > 59 || second > 59) return undefined
  const days = daysOf(year, month, day)
  if (days === undefined) return undefined
  const seconds = (hour * 60 + minute) * 60 + second
  const micros = days * MICROS_PER_DAY + seconds * 1e6 + (digits === 3 ? fraction * 1000 : fraction)
  // Exact until the year 2255; later ones take the other way.
  return Number.isSafeInteger(micros) ? micros : undefined
}

const marks = [
  [4, 0x2d],
  [7, 0x2d],
  [10, 0x54],
  [13, 0x3a],
  [16, 0x3a],
  [19, 0x2e],
] as const

/** -1 when one of them is no digit. */
function digitsAt(text: Uint8Array, start: number, count: number): number {
  let value = 0
  for (let at = start; at < start + count; at++) {
    const digit = text[at]! - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

function isExpanded(year: string): boolean {
  const value = Number(year)
  return value > 9999 || value < 0
}

function zoneMinutes(zone: string, isZoned: boolean): number | undefined {
  if (zone === '') return isZoned ? undefined : 0
  if (!zonePart.test(zone)) return undefined
  if (zone === 'Z') return 0
  if (!isZoned) return undefined
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(4))]
  if (hours > 23 || minutes > 59) return undefined
  return (hours * 60 + minutes) * (zone[0] === '-' ? -1 : 1)
}
