import type { WalLocation } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SectionTable, type SectionRow } from './section-table.ts'

type Row = SectionRow & { readonly location: WalLocation; readonly durableMs: number }

const rowAt = (lastOffset: bigint, segment: number): Row => ({
  lastOffset,
  location: { segment: `epoch-1/${segment}.wal`, position: 4096 + segment * 7, sizeBytes: 100 + segment },
  durableMs: Number(lastOffset) / 2,
  valueSchemaId: segment % 3,
  keySchemaId: segment % 5,
})

const push = (table: SectionTable, row: Row, bytesBefore: number): void =>
  table.push(row, row.location, row.durableMs, bytesBefore)

describe('SectionTable', () => {
  it('is a queue of sections, whatever comes and goes', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('push' as const), records: fc.integer({ min: 1, max: 9 }) }),
      fc.record({ kind: fc.constant('drop' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
      fc.record({ kind: fc.constant('move' as const), share: fc.double({ min: 0, max: 0.999, noNaN: true }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = new SectionTable()
        let model: (Row & { readonly bytesBefore: number })[] = []
        let lastOffset = -1n
        let segment = 0
        for (const [at, what] of steps.entries()) {
          if (what.kind === 'push') {
            lastOffset += BigInt(what.records)
            if (at % 4 === 0) segment++
            const row = rowAt(lastOffset, segment)
            push(table, row, at * 1e12)
            model.push({ ...row, bytesBefore: at * 1e12 })
          } else if (what.kind === 'drop') {
            const count = Math.round(model.length * what.share)
            expect(table.drop(count)).toEqual(model.slice(0, count).map(({ location }) => location))
            model = model.slice(count)
          } else if (model.length > 0) {
            const index = Math.floor(model.length * what.share)
            const location = { segment: `epoch-2/${at % 3}.wal`, position: at, sizeBytes: at }
            table.move(index, location)
            model[index] = { ...model[index]!, location }
          }
          expect(table.length).toBe(model.length)
          const seen = model.map((_, index) => ({
            lastOffset: table.lastOffset(index),
            location: table.location(index),
            durableMs: table.durableMs(index),
            valueSchemaId: table.valueSchemaId(index),
            keySchemaId: table.keySchemaId(index),
            bytesBefore: table.bytesBefore(index),
          }))
          expect(seen).toEqual(model)
          for (const offset of [0n, lastOffset / 2n, lastOffset, lastOffset + 1n]) {
            const found = model.findIndex((row) => row.lastOffset >= offset)
            expect(table.indexOf(offset)).toBe(found < 0 ? model.length : found)
          }
        }
      }),
      { numRuns: 50 },
    )
  })

  it('takes tens of bytes a section, and gives them back', () => {
    const table = new SectionTable()
    expect(table.memoryBytes).toBe(0)
    for (let at = 0; at < 100_000; at++) push(table, rowAt(BigInt(at), at >> 10), at)
    expect(table.memoryBytes / table.length).toBeLessThan(96)
    table.drop(99_990)
    expect(table.memoryBytes).toBeLessThan(2_000)
    // Ever more of them, a few at a time: nothing grows with all that there have been.
    for (let at = 100_000; at < 200_000; at++) {
      push(table, rowAt(BigInt(at), at >> 4), at)
      if (table.length > 50) table.drop(25)
    }
    expect(table.memoryBytes).toBeLessThan(20_000)
  })

  it('forgets the segments that its sections have left', () => {
    const table = new SectionTable()
    for (let at = 0; at < 8; at++) push(table, rowAt(BigInt(at), 0), at)
    table.drop(5)
    for (let at = 1; at < 10_000; at++) {
      const before = table.location(at % 3)
      expect(table.move(at % 3, rowAt(0n, at).location)).toEqual(before)
    }
    expect(table.memoryBytes).toBeLessThan(2_000)
    expect([0, 1, 2].map((index) => table.location(index).segment)).toEqual(
      [9_999, 9_997, 9_998].map((segment) => `epoch-1/${segment}.wal`),
    )
  })
})
