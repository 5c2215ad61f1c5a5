import { defaultLimits, isKind } from '@moulin/core'
import type { TableMetadata } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { emptyEntry, entryFault, entryFromJson, entryToJson, grow } from './ledger.ts'
import type { LedgerEntry } from './ledger.ts'
import { testLog } from './lake.test-support.ts'
import { firstMarker, markedTopics, markerKey, markerText, mergeLedger, parseMarker, presentLedger } from './marker.ts'

const { info } = testLog()
const marker = firstMarker(info, 7n, 'commit-1')
const parse = (text: string): unknown => parseMarker(text, 'the marker', defaultLimits.markerBytes)

const int63 = fc.bigInt({ min: 0n, max: 2n ** 62n })
const entries = fc.record({
  start: int63,
  rows: int63,
  control: int63,
  skipped: int63,
  checksum: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
})

describe('ledger', () => {
  it('survives JSON with 64-bit numbers exact', () => {
    fc.assert(
      fc.property(entries, ({ start, rows, control, skipped, checksum }) => {
        const frontier = BigInt.asIntN(63, start + rows + control + skipped)
        const entry: LedgerEntry = {
          incarnation: 3,
          partition: 9,
          start,
          frontier,
          lastRow: null,
          rows,
          control,
          aborted: 0n,
          skipped,
          checksum,
        }
        expect(entryFromJson(entryToJson(entry))).toEqual(entry)
      }),
    )
  })

  it('grows by what a commit adds, and counts the offsets without a row', () => {
    const first = grow(emptyEntry(1, 0, 10n), {
      partition: 0,
      frontier: 20n,
      lastRow: 18n,
      rows: 7n,
      control: 1n,
      checksum: -5n,
    })
    expect(first).toEqual({
      incarnation: 1,
      partition: 0,
      start: 10n,
      frontier: 20n,
      lastRow: 18n,
      rows: 7n,
      control: 1n,
      aborted: 0n,
      skipped: 2n,
      checksum: -5n,
    })
    const second = grow(first, { partition: 0, frontier: 21n, lastRow: null, rows: 0n, control: 0n, checksum: 0n })
    expect(second).toMatchObject({ frontier: 21n, lastRow: 18n, rows: 7n, skipped: 3n })
    expect(entryFault(second)).toBeUndefined()
  })

  it.each([
    [{ rows: 2n }, 'spans 0 offsets'],
    [{ skipped: -1n, rows: 1n }, 'negative'],
    [{ rows: 1n, frontier: 1n }, 'last row null'],
    [{ rows: 1n, frontier: 1n, lastRow: 1n }, 'out of range'],
  ] as [Partial<LedgerEntry>, string][])('names what contradicts itself in %o', (change, fault) => {
    expect(entryFault({ ...emptyEntry(1, 0, 0n), ...change })).toContain(fault)
  })
})

describe('marker', () => {
  it('comes back from its text', () => {
    const text = markerText({ ...marker, snapshot: 2n ** 63n - 1n, sequence: 5n }, defaultLimits.markerBytes)
    expect(parse(text)).toEqual({ ...marker, snapshot: 2n ** 63n - 1n, sequence: 5n })
    expect(text).toContain('"snapshot":"9223372036854775807"')
  })

  it('is refused above its limit, naming both sizes', () => {
    const many = { ...marker, ledger: Array.from({ length: 300 }, (_, partition) => emptyEntry(1, partition, 0n)) }
    expect(() => markerText(many, defaultLimits.markerBytes)).toThrow(
      /300 ledger entries; the limit markerBytes is 8192/,
    )
    try {
      markerText(many, defaultLimits.markerBytes)
    } catch (error) {
      expect(isKind(error, 'exhausted', 'MARKER_TOO_LARGE')).toBe(true)
    }
    const text = markerText(many, 1e6)
    expect(() => markerText(many, text.length)).not.toThrow()
    expect(() => markerText(many, text.length - 1)).toThrow()
  })

  it.each(['', '[]', 'null', '{}', '{"version":2}', '{"version":1,"log":1}', '{"version":1}'])(
    'is corrupt as %j',
    (text) => {
      expect(() => parse(text)).toThrow(expect.objectContaining({ kind: 'corrupt' }))
    },
  )

  it('is corrupt with two entries for one place, or a snapshot without a sequence number', () => {
    const entry = marker.ledger[0]!
    const twice = markerText({ ...marker, ledger: [entry, entry] }, 1e6)
    expect(() => parse(twice)).toThrow(/two entries/)
    expect(() => parse(markerText({ ...marker, snapshot: 1n }, 1e6))).toThrow(/sequence/)
  })

  it('keeps earlier incarnations and adds new partitions', () => {
    const old = { ...emptyEntry(1, 0, 0n), frontier: 5n, skipped: 5n }
    const merged = mergeLedger({ ...marker, ledger: [old] }, [emptyEntry(2, 1, 0n), emptyEntry(2, 0, 5n)])
    expect(merged.map(({ incarnation, partition }) => [incarnation, partition])).toEqual([
      [1, 0],
      [2, 0],
      [2, 1],
    ])
    const present = presentLedger(
      { ...marker, ledger: merged },
      { ...info, incarnation: 2, startOffsets: [5n, 0n, 7n] },
    )
    expect(present.map(({ start }) => start)).toEqual([5n, 0n, 7n])
  })

  it('is found among other properties', () => {
    const properties = { comment: 'x', [markerKey('a')]: '{}', [markerKey('b')]: '{}' }
    expect(markedTopics({ properties } as unknown as TableMetadata)).toEqual(['a', 'b'])
    expect(markedTopics({} as TableMetadata)).toEqual([])
  })
})
