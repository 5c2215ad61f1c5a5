import { randomOf } from './random.ts'
import type { Random } from './random.ts'
import { inRowGroups, TextColumn } from './shape.ts'
import type { Shape } from './shape.ts'

export const eventRows = 1_000_000

const types = [
  'page_view',
  'click',
  'scroll',
  'search',
  'add_to_cart',
  'login',
  'logout',
  'purchase',
  'share',
  'signup',
  'refund',
  'error',
].map((name) => Buffer.from(name))
const foreignWords = ['Übergröße', 'déjà-vu', 'naïveté', 'señorita', 'façade', '東京', 'привет', 'smörgåsbord']

/**
 * Rows of a web shop's event log, from mulberry32 with seed 42: `offset` dense, `ts` some microseconds apart, `user_id` a
 * random UUID as text, each another, `type` one of 12 and skewed, `value` with two decimals and a long tail, `code` with
 * a fifth of nulls, `text` of 90 to 150 characters out of 2 000 words, some of them much more often, one text in twenty beyond ASCII.
 */
export function events(rows: number = eventRows): Shape {
  const random = randomOf(42)
  const vocabulary = Array.from({ length: 2000 }, () => word(random))
  const offset = new BigInt64Array(rows)
  const ts = new BigInt64Array(rows)
  const userId = new TextColumn(rows, 36)
  const type = new TextColumn(rows, 9)
  const value = new Float64Array(rows)
  const code = new Int32Array(rows)
  const codeValidity = new Uint8Array((rows + 7) >> 3)
  const text = new TextColumn(rows, 125)
  let micros = 1_700_000_000_000_000
  for (let row = 0; row < rows; row++) {
    offset[row] = BigInt(5_000_000_000 + row)
    micros += random.below(2000)
    ts[row] = BigInt(micros)
    userId.append(uuid(random))
    type.appendBytes(types[Math.floor(random.unit() ** 2 * types.length)]!)
    value[row] = Math.round(Math.exp(normal(random) + 3) * 100) / 100
    if (random.unit() >= 0.2) {
      code[row] = random.below(10_000)
      codeValidity[row >> 3]! |= 1 << (row & 7)
    }
    text.append(sentence(random, vocabulary))
  }
  const whole = { length: rows, validity: undefined }
  return {
    name: 'events',
    schema: {
      type: 'struct',
      fields: [
        { id: 1, name: 'offset', required: true, type: 'long' },
        { id: 2, name: 'ts', required: true, type: 'timestamp' },
        { id: 3, name: 'user_id', required: true, type: 'string' },
        { id: 4, name: 'type', required: true, type: 'string' },
        { id: 5, name: 'value', required: true, type: 'double' },
        { id: 6, name: 'code', required: false, type: 'int' },
        { id: 7, name: 'text', required: true, type: 'string' },
      ],
    },
    rows,
    batches: inRowGroups([
      { name: 'offset', column: { storage: 'int64', ...whole, values: offset } },
      { name: 'ts', column: { storage: 'int64', ...whole, values: ts } },
      { name: 'user_id', column: userId.finish() },
      { name: 'type', column: type.finish() },
      { name: 'value', column: { storage: 'float64', ...whole, values: value } },
      { name: 'code', column: { storage: 'int32', length: rows, validity: codeValidity, values: code } },
      { name: 'text', column: text.finish() },
    ]),
    tuned: { delta: ['offset', 'ts'], dictionary: ['type', 'code'] },
  }
}

function word(random: Random): string {
  const length = 2 + random.below(9)
  let letters = ''
  for (let at = 0; at < length; at++) letters += String.fromCharCode(97 + random.below(26))
  return letters
}

function uuid({ word }: Random): string {
  const hex = (): string => word().toString(16).padStart(8, '0')
  const [a, b, c, d] = [hex(), hex(), hex(), hex()]
  return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-a${c.slice(1, 4)}-${c.slice(4)}${d}`
}

// The sum of four uniform ones is near enough, and cheap.
function normal({ unit }: Random): number {
  return (unit() + unit() + unit() + unit() - 2) * 1.7
}

function sentence(random: Random, vocabulary: readonly string[]): string {
  const least = 90 + random.below(55)
  let text = random.unit() < 0.05 ? foreignWords[random.below(foreignWords.length)]! : ''
  while (text.length < least)
    text += (text === '' ? '' : ' ') + vocabulary[Math.floor(random.unit() ** 2 * vocabulary.length)]!
  return text.length > 150 ? text.slice(0, 150) : text
}
