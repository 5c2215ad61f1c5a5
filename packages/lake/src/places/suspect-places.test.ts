import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { claimsOf } from './claimed-places.ts'
import { emptyEntry } from '../table/ledger.ts'
import { PlaceMarks } from './place-marks.ts'
import { suspectPlaces } from './suspect-places.ts'

interface Row {
  readonly incarnation: number
  readonly partition: number
  readonly offset: number
}
const rowArb = (most: number): fc.Arbitrary<Row> =>
  fc.record({ incarnation: fc.nat(1), partition: fc.nat(1), offset: fc.nat(most) })
const place = ({ incarnation, partition, offset }: Row): string => `${incarnation}.${partition}.${offset}`

/** Rows as identity columns; every tenth row has none. */
function identities(rows: readonly Row[]): Parameters<typeof claimsOf>[0] {
  return {
    length: rows.length,
    isKnown: (row) => row % 10 !== 9,
    partition: (row) => rows[row]!.partition,
    incarnation: (row) => rows[row]!.incarnation,
    offset: (row) => BigInt(rows[row]!.offset),
  }
}
const known = (rows: readonly Row[]): Row[] => rows.filter((_, at) => at % 10 !== 9)

describe('claims of a row group', () => {
  it('are all places that its rows have, and say where that is exact', () => {
    fc.assert(
      fc.property(fc.array(rowArb(60), { maxLength: 150 }), (rows) => {
        const { spans, isExact, repeats } = claimsOf(identities(rows))
        const within = spans.flatMap(({ incarnation, partition, from, to }) =>
          Array.from({ length: Number(to - from) }, (_, at) =>
            place({ incarnation, partition, offset: Number(from) + at }),
          ),
        )
        const places = new Set(known(rows).map(place))
        expect(repeats).toBe(places.size < known(rows).length)
        expect(new Set(within).size).toBe(within.length)
        if (isExact) expect(new Set(within)).toEqual(places)
        for (const each of places) expect(within).toContain(each)
      }),
    )
  })

  it('are hulls where offsets lie scattered, and tell of repeats to the end', () => {
    const scattered = Array.from({ length: 400 }, (_, at) => ({ incarnation: 0, partition: 0, offset: 2 * at }))
    const all = [...scattered, { incarnation: 0, partition: 0, offset: 798 }]
    const rows = all.map((_, at) => all[(at * 7) % all.length]!)
    const { spans, isExact, repeats } = claimsOf({ ...identities(rows), isKnown: () => true })
    expect({ isExact, repeats, count: spans.length }).toEqual({ isExact: false, repeats: true, count: 1 })
    expect(spans[0]).toMatchObject({ from: 0n, to: 799n })
  })
})

describe('suspect places', () => {
  it('are those that several row groups claim, one of them a target, and no others', () => {
    const group = fc.record({ rows: fc.array(rowArb(30), { maxLength: 20 }), isTarget: fc.boolean() })
    const ledger = [0, 1].map((partition) => ({ ...emptyEntry(1, partition, 3n), frontier: 25n }))
    fc.assert(
      fc.property(fc.array(group, { maxLength: 5 }), (groups) => {
        const claimants = groups.map(({ rows, isTarget }) => {
          return { claims: claimsOf(identities(rows)), isTarget, apart: undefined }
        })
        fc.pre(claimants.every(({ claims }) => claims.isExact))
        const found = suspectPlaces(claimants, ledger).flatMap(({ incarnation, partition, from, to }) =>
          Array.from({ length: Number(to - from) }, (_, at) =>
            place({ incarnation, partition, offset: Number(from) + at }),
          ),
        )
        const expected = new Set<string>()
        for (const { rows, isTarget } of groups) {
          for (const row of known(rows)) {
            const isLive = row.incarnation === 1 && row.offset >= 3 && row.offset < 25
            const claiming = groups.filter((other) => known(other.rows).some((one) => place(one) === place(row)))
            // One that repeats is asked about as a whole.
            const repeats = new Set(known(rows).map(place)).size < known(rows).length
            const isRival = claiming.length > 1 && claiming.some((one) => one.isTarget)
            if (isLive && (isRival || (repeats && isTarget))) expected.add(place(row))
          }
        }
        expect(new Set(found)).toEqual(expected)
        expect(found).toHaveLength(expected.size)
      }),
    )
  })

  it('leave out what was compared before', () => {
    const rows = [1, 2, 3].map((offset) => ({ incarnation: 1, partition: 0, offset }))
    const ledger = [{ ...emptyEntry(1, 0, 0n), frontier: 9n }]
    const claims = claimsOf(identities(rows))
    const [one, other] = [{}, {}]
    const both = (a: object, b: object): number =>
      suspectPlaces(
        [a, b].map((apart) => ({ claims, isTarget: true, apart })),
        ledger,
      ).length
    expect([both(one, one), both(one, other)]).toEqual([0, 1])
  })
})

describe('PlaceMarks', () => {
  it('knows which offsets have several rows, whether they came one by one or as ranges', () => {
    const range = fc.tuple(fc.nat(90), fc.nat(90))
    fc.assert(
      fc.property(fc.array(range), fc.array(fc.nat(90)), (ranges, offsets) => {
        const marks = new PlaceMarks(10n, 77n)
        const counts = new Map<number, number>()
        const count = (offset: number): void => {
          if (offset >= 10 && offset < 77) counts.set(offset, (counts.get(offset) ?? 0) + 1)
        }
        for (const [from, to] of ranges) {
          marks.addRange(BigInt(from), BigInt(to))
          for (let offset = from; offset < to; offset++) count(offset)
        }
        for (const offset of offsets) {
          marks.add(BigInt(offset))
          count(offset)
        }
        const doubled = [...counts].filter(([, rows]) => rows > 1).map(([offset]) => BigInt(offset))
        expect([...marks.doubled()]).toEqual(doubled.sort((a, b) => Number(a - b)))
      }),
    )
  })
})
