/** The proleptic Gregorian calendar over days since 1970-01-01, exact for every 32-bit day. */

export interface CivilDate {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
}

// Years that begin in March put the leap day last; 400 of them are always 146 097 days.
const daysTo1970 = 719468

export function civilDate(days: number): CivilDate {
  const shifted = days + daysTo1970
  const era = Math.floor(shifted / 146097)
  const dayOfEra = shifted - era * 146097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day }
}

/** Undefined when there is no such day. */
export function daysOf({ year, month, day }: CivilDate): number | undefined {
  const marchYear = month <= 2 ? year - 1 : year
  const era = Math.floor(marchYear / 400)
  const yearOfEra = marchYear - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  const days = era * 146097 + dayOfEra - daysTo1970
  const back = civilDate(days)
  return back.year === year && back.month === month && back.day === day ? days : undefined
}

/** Months since 1970-01. */
export function monthsOf(days: number): number {
  const { year, month } = civilDate(days)
  return (year - 1970) * 12 + month - 1
}
