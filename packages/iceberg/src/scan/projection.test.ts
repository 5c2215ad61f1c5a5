import { eq, gte, isIn, lt, lte } from '@moulin/core'
import type { Expression } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { bindPartitionSpec } from '../partitions/partition-fields.ts'
import { bindExpression } from './predicate.ts'
import { partitionMightMatch } from './pruning.ts'
import { projectPredicate } from './projection.ts'
import { column } from './scan-plan.test-support.ts'

const schema = { type: 'struct' as const, 'schema-id': 0, fields: [column(1, 'at', 'timestamp')] }

/** Of days -2 to 2 those whose files may have rows that match. */
function days(where: Expression, transform = 'day'): number[] {
  const field = { 'source-id': 1, 'field-id': 1000, name: 'd', transform }
  const spec = bindPartitionSpec({ 'spec-id': 0, fields: [field] }, [schema])
  const projected = projectPredicate(bindExpression(where, schema.fields), spec)
  return [-2, -1, 0, 1, 2].filter((day) => partitionMightMatch(projected, [day]))
}

describe('times before 1970', () => {
  const [noon, dayAfter] = [new Date('1969-12-31T12:00:00Z'), new Date('1970-01-02T00:00:00Z')]

  it('are looked for where old writers put them, too: rounded up', () => {
    expect(days(eq('at', noon))).toEqual([-1, 0])
    expect(days(isIn('at', [noon, dayAfter]))).toEqual([-1, 0, 1])
    expect(days(lt('at', noon))).toEqual([-2, -1, 0])
    expect(days(lte('at', noon))).toEqual([-2, -1, 0])
    expect(days(eq('at', noon), 'hour')).toEqual([])
    expect(days(eq('at', noon), 'month')).toEqual([-1, 0])
    expect(days(eq('at', noon), 'year')).toEqual([-1, 0])
  })

  it('change nothing for those from then on', () => {
    expect(days(eq('at', dayAfter))).toEqual([1])
    expect(days(lt('at', dayAfter))).toEqual([-2, -1, 0])
    expect(days(gte('at', noon))).toEqual([-1, 0, 1, 2])
  })
})
