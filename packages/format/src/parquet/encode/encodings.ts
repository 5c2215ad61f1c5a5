import { invalid, unsupported } from '@moulin/core'
import type { LeafEncoding } from '../file-writer.ts'
import type { Leaf, PhysicalType } from '../parquet-schema.ts'
import type { PageEncoding } from './parquet-codes.ts'

/** How the pages of a leaf are encoded. */
export interface LeafPlan {
  /** `auto` gives up early where it does not pay; `always` only when the dictionary is full. */
  readonly dictionary: 'auto' | 'always' | 'never'
  /** Of pages without a dictionary. */
  readonly encoding: Exclude<PageEncoding, 'dictionary'>
}

const numbers = ['plain', 'dictionary', 'delta-binary-packed', 'byte-stream-split'] as const
const fractions = ['plain', 'dictionary', 'byte-stream-split'] as const

const allowed: Readonly<Record<PhysicalType, readonly PageEncoding[]>> = {
  BOOLEAN: ['plain', 'rle'],
  INT32: numbers,
  INT64: numbers,
  FLOAT: fractions,
  DOUBLE: fractions,
  BYTE_ARRAY: ['plain', 'dictionary', 'delta-length-byte-array', 'delta-byte-array'],
  FIXED_LEN_BYTE_ARRAY: ['plain', 'dictionary', 'byte-stream-split', 'delta-byte-array'],
}

/**
 * The plan of every leaf. @throws `unsupported` for an encoding that Parquet does not have for the leaf's type; `invalid`
 * for a path that is no leaf's.
 */
export function leafPlans(
  leaves: readonly Leaf[],
  encodings: Readonly<Record<string, LeafEncoding>> = {},
  deltas = false,
): readonly LeafPlan[] {
  const wanted = new Map(Object.entries(encodings))
  const plans = leaves.map((leaf) => {
    const path = leaf.path.join('.')
    const encoding = wanted.get(path) ?? 'auto'
    wanted.delete(path)
    return leafPlan(leaf, path, encoding, deltas)
  })
  for (const path of wanted.keys()) throw notALeaf('encodings', path)
  return plans
}

export function notALeaf(option: string, path: string): Error {
  return invalid(
    'PARQUET_OPTION',
    `The option ${option} names ${JSON.stringify(path)}, which is no leaf of the schema.`,
  )
}

function leafPlan(leaf: Leaf, path: string, encoding: LeafEncoding, deltas: boolean): LeafPlan {
  const { type } = leaf.element
  const integer = type === 'INT32' || type === 'INT64'
  const usual = integer && deltas ? 'delta-binary-packed' : 'plain'
  if (encoding === 'auto') return { dictionary: type === 'BOOLEAN' ? 'never' : 'auto', encoding: usual }
  if (!allowed[type].includes(encoding)) {
    const message = `Column ${path} is ${type}, which cannot be encoded as ${encoding}: use ${allowed[type].join(', ')} or auto.`
    throw unsupported('PARQUET_ENCODING', message, { context: { column: path, encoding } })
  }
  return encoding === 'dictionary' ? { dictionary: 'always', encoding: usual } : { dictionary: 'never', encoding }
}
