import { defaultLimits } from '@moulin/core'
import type { TableMetadata } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { emptyEntry, entryFault, entryFromJson, entryToJson, grow } from './ledger.ts'
import type { LedgerEntry } from './ledger.ts'
import { testLog } from '../lake.test-support.ts'
import {
  checkLedger,
  firstMarker,
  markedTopics,
  markerKey,
  mergeLedger,
  parseMarker,
  presentLedger,
  writeMarker,
} from './marker.ts'
import type { Marker } from './marker.ts'
import { MarkerStore } from './marker-store.ts'

const { info } = testLog()
const marker = firstMarker(info, 7n, 'commit-1')
const parse = (text: string): unknown => parseMarker(text, 'the marker', defaultLimits.markerBytes)
const markerText = (of: Marker): string => writeMarker(of, 1e6).text
const wide = (count: number): Marker => ({
  ...marker,
  ledger: Array.from({ length: count }, (_, partition) => ({
    ...emptyEntry(1, partition, 0n),
    frontier: 10n ** 12n,
    lastRow: 10n ** 12n - 1n,
    rows: 10n ** 12n,
    checksum: -(10n ** 12n) * 300_000n,
  })),
})

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
          expired: rows,
          expiredChecksum: checksum,
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
      rows: 6n,
      control: 1n,
      aborted: 1n,
      checksum: -5n,
    })
    expect(first).toEqual({
      incarnation: 1,
      partition: 0,
      start: 10n,
      frontier: 20n,
      lastRow: 18n,
      rows: 6n,
      control: 1n,
      aborted: 1n,
      skipped: 2n,
      checksum: -5n,
      expired: 0n,
      expiredChecksum: 0n,
    })
    const second = grow(first, {
      partition: 0,
      frontier: 23n,
      lastRow: null,
      rows: 0n,
      control: 0n,
      aborted: 2n,
      checksum: 0n,
    })
    expect(second).toMatchObject({ frontier: 23n, lastRow: 18n, rows: 6n, aborted: 3n, skipped: 3n })
    expect(entryFault(second)).toBeUndefined()
  })

  it.each([
    [{ rows: 2n }, 'spans 0 offsets'],
    [{ skipped: -1n, rows: 1n }, 'negative'],
    [{ rows: 1n, frontier: 1n }, 'last row null'],
    [{ rows: 1n, frontier: 1n, lastRow: 1n }, 'out of range'],
    [{ rows: 1n, frontier: 1n, lastRow: 0n, expired: 2n }, '2 of them expired'],
  ] as [Partial<LedgerEntry>, string][])('names what contradicts itself in %o', (change, fault) => {
    expect(entryFault({ ...emptyEntry(1, 0, 0n), ...change })).toContain(fault)
  })
})

describe('marker', () => {
  it('comes back from its text', () => {
    const text = markerText({ ...marker, snapshot: 2n ** 63n - 1n, sequence: 5n })
    expect(parse(text)).toEqual({ ...marker, snapshot: 2n ** 63n - 1n, sequence: 5n })
    expect(text).toContain('"snapshot":"9223372036854775807"')
  })

  it('names a ledger beyond half of its limit, and is small at any number of partitions and any offset', async () => {
    const inline = writeMarker(wide(20), defaultLimits.markerBytes)
    expect(inline.ledger).toBeUndefined()
    expect(writeMarker(wide(20), 1024).ledger).toBeDefined()
    const log = testLog()
    const store = new MarkerStore(log.store, info)
    const many = { ...wide(10_000), snapshot: 2n ** 62n, sequence: 2n ** 40n }
    const written = writeMarker(many, defaultLimits.markerBytes)
    expect(written.text.length).toBeLessThan(1024)
    const metadata = { properties: { [markerKey(info.id)]: written.text } } as unknown as TableMetadata
    const gone = await store.read(metadata)
    expect(gone.own).toMatchObject({ marker: undefined, fault: expect.stringContaining('is gone') as string })
    await store.put(written)
    await store.put(written)
    expect((await store.read(metadata)).own).toMatchObject({ marker: many, objects: [written.ledger!.name] })
    await log.store.put(`log/ledgers/${written.ledger!.name}`, new Uint8Array(9))
    const other = new MarkerStore(log.store, info)
    expect((await other.read(metadata)).own).toMatchObject({ fault: expect.stringContaining('name says') as string })
  })

  it('is refused where the limit does not hold even the rest', () => {
    expect(() => writeMarker(marker, 200)).toThrow(
      expect.objectContaining({ kind: 'exhausted', code: 'MARKER_TOO_LARGE' }),
    )
  })

  it('is read whatever its format, if not its minimum reader, is later', () => {
    const later = markerText(marker)
      .replace('"format":1', '"format":9,"flavour":"new"')
      .replace('"0","0"]', '"0","0","more"]')
    expect(parse(later)).toEqual(marker)
    expect(() => parse(later.replace('"minimumReader":1', '"minimumReader":2'))).toThrow(
      expect.objectContaining({ kind: 'unsupported', code: 'FORMAT_VERSION' }),
    )
  })

  it.each(['', '[]', 'null', '{}', '{"format":1}', '{"minimumReader":1,"log":1}', '{"minimumReader":1}'])(
    'is corrupt as %j',
    (text) => {
      expect(() => parse(text)).toThrow(expect.objectContaining({ kind: 'corrupt' }))
    },
  )

  it('is corrupt with two entries for one place, or a snapshot without a sequence number', () => {
    const entry = marker.ledger[0]!
    expect(() => checkLedger([entry, entry], 'it')).toThrow(/two entries/)
    expect(() => parse(markerText({ ...marker, snapshot: 1n }))).toThrow(/sequence/)
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
