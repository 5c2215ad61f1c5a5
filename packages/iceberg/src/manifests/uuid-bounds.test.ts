import { describe, expect, it } from 'vitest'
import { eq, gt, lt, notNull } from '@moulin/core'
import type { Expression, IcebergSchema } from '@moulin/core'
import type { DataFile, ManifestFile } from './data-file.ts'
import { dataFile } from './manifest.test-support.ts'
import { bindPartitionSpec } from '../partitions/partition-fields.ts'
import { partitionSummaries } from './partition-tuple.ts'
import { bindExpression } from '../scan/predicate.ts'
import { projectPredicate } from '../scan/projection.ts'
import { manifestMightMatch, metricsMightMatch } from '../scan/pruning.ts'

const uuid = (hex: string): Uint8Array => Buffer.from(hex.replaceAll('-', ''), 'hex')

const schema: IcebergSchema = {
  type: 'struct',
  'schema-id': 0,
  fields: [{ id: 1, name: 'id', required: false, type: 'uuid' }],
}
const spec = bindPartitionSpec(
  { 'spec-id': 0, fields: [{ 'source-id': 1, 'field-id': 1000, name: 'id', transform: 'identity' }] },
  [schema],
)

// By the top bit of the first half and of the second: 0 or 1 each.
const at = {
  low: uuid('0a000000-0000-7000-8000-000000000001'),
  middle: uuid('4a000000-0000-7000-9000-000000000002'),
  high: uuid('ca000000-0000-7000-a000-000000000003'),
  otherHalf: uuid('4a000000-0000-7000-1000-000000000004'),
}

describe('the summary of a UUID partition field', () => {
  const summary = (...values: (Uint8Array | null)[]) =>
    partitionSummaries(
      values.map((value) => [value]),
      spec,
    )[0]!

  it('has bounds where each half has one top bit in all values', () => {
    expect(summary(at.middle, null, at.low)).toEqual({
      containsNull: true,
      containsNan: false,
      lowerBound: at.low,
      upperBound: at.middle,
    })
    expect(summary(at.high)).toMatchObject({ lowerBound: at.high, upperBound: at.high })
  })

  it.each([
    ['first', [at.low, at.high]],
    ['first, by a value between the two ends', [at.middle, at.high, at.middle]],
    ['second', [at.low, at.otherHalf]],
    ['second, by a value between the two ends', [at.low, uuid('2a000000-0000-7000-1000-000000000000'), at.middle]],
  ])('has none where the %s half has both', (_, values) => {
    expect(summary(...values)).toEqual({
      containsNull: false,
      containsNan: false,
      lowerBound: undefined,
      upperBound: undefined,
    })
  })
})

/** What a file's metrics and a manifest's summary with these bounds let through. */
function mightMatch(lower: Uint8Array, upper: Uint8Array, expression: Expression): [boolean, boolean] {
  const predicate = bindExpression(expression, schema.fields)
  const file: DataFile = {
    ...dataFile(spec, [lower]),
    recordCount: 9n,
    nullValueCounts: new Map([[1, 0n]]),
    lowerBounds: new Map([[1, lower]]),
    upperBounds: new Map([[1, upper]]),
  }
  const summary = { containsNull: false, containsNan: false, lowerBound: lower, upperBound: upper }
  const manifest = { addedFiles: 1, existingFiles: 0, partitions: [summary] } as unknown as ManifestFile
  return [metricsMightMatch(predicate, file), manifestMightMatch(projectPredicate(predicate, spec), manifest)]
}

describe('bounds of UUIDs in a manifest', () => {
  const text = (bytes: Uint8Array): string =>
    Buffer.from(bytes)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')

  it('prune where both orders agree', () => {
    expect(mightMatch(at.low, at.middle, eq('id', text(at.high)))).toEqual([false, false])
    expect(mightMatch(at.low, at.middle, lt('id', text(at.low)))).toEqual([false, false])
    expect(mightMatch(at.low, at.middle, eq('id', text(at.middle)))).toEqual([true, true])
  })

  // As Iceberg's Java library orders them: a first half with its top bit is negative.
  it.each([
    ['first half', at.high, at.middle],
    ['second half', at.low, at.otherHalf],
  ])('are not believed where the top bits of the %s differ', (_, lower, upper) => {
    const expressions: Expression[] = [
      eq('id', text(at.low)),
      eq('id', 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
      lt('id', '00000000-0000-0000-0000-000000000001'),
      gt('id', 'fffffff0-ffff-ffff-ffff-ffffffffffff'),
      notNull('id'),
    ]
    for (const expression of expressions) expect(mightMatch(lower, upper, expression)).toEqual([true, true])
  })
})
