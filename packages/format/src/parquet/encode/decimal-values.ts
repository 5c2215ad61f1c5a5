import { invalid } from '@moulin/core'
import type { Leaf } from '../parquet-schema.ts'
import { Bounds } from './bounds.ts'
import type { LeafValues } from './leaf-values.ts'
import type { ScratchMemory } from './scratch.ts'

/**
 * Values as the file stores them: decimals of at most 9 digits are 64-bit in columns and INT32 in files.
 * @throws `invalid` for a decimal with more digits than its precision.
 */
export function storedValues(leaf: Leaf, values: LeafValues, scratch: ScratchMemory): LeafValues {
  const { type } = leaf
  if (type.kind !== 'decimal') return values
  const bounds = new Bounds(leaf)
  bounds.scan(values, 0, values.count)
  const limit = 10n ** BigInt(type.precision)
  for (const bound of [bounds.lower, bounds.upper]) {
    if (typeof bound === 'bigint' && (bound >= limit || bound <= -limit)) {
      const message = `Column ${leaf.path.join('.')} holds ${bound}, which has more than ${type.precision} digits.`
      throw invalid('DECIMAL_PRECISION', message)
    }
  }
  if (values.kind !== 'int64' || leaf.element.type !== 'INT32') return values
  const narrow = scratch.ints(values.count)
  for (let i = 0; i < values.count; i++) narrow[i] = values.halves[i * 2]!
  return { kind: 'int32', count: values.count, values: narrow }
}
