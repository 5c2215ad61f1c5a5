import { schema, t } from '@moulin/core'
import type { Codec, ProducerRecord } from '@moulin/core'
import { avro, json } from '@moulin/format'
import { randomOf } from './random.ts'
import type { Random } from './random.ts'

export const producedFormats = ['raw', 'avro', 'json'] as const
export type ProducedFormat = (typeof producedFormats)[number]

/** Values of about 200 bytes each. */
export interface Produced {
  /** Of the topic's values; raw ones have none. */
  readonly codec: Codec | undefined
  /** Differing ones, to be sent round and round: making them is not what is measured. */
  readonly values: readonly unknown[]
  /** So many records without key: they go to one partition a batch, round robin. */
  records(count: number): Generator<ProducerRecord<never>>
}

export const producedBytes = 200
const distinct = 4096
const row = schema({ id: t.int53, at: t.timestamp, origin: t.string, delay: t.int53, note: t.string })
/** What is left of {@link producedBytes} for the note, beside what else the value has. */
const noteBytes = { avro: 185, json: 122 }
const origins = ['AMS', 'BRU', 'CDG', 'DUS', 'FRA', 'LHR', 'MAD', 'ZRH']

export function produced(format: ProducedFormat): Produced {
  const random = randomOf(42)
  const values =
    format === 'raw'
      ? Array.from({ length: distinct }, () => new Uint8Array(Buffer.from(letters(random, producedBytes))))
      : Array.from({ length: distinct }, (_, id) => rowOf(random, id, noteBytes[format]))
  const codec = format === 'raw' ? undefined : format === 'avro' ? avro(row) : json(row)
  const sent = values.map((value) => ({ value })) as unknown as readonly ProducerRecord<never>[]
  return {
    codec: codec as Codec | undefined,
    values,
    *records(count) {
      for (let n = 0; n < count; n++) yield sent[n % distinct]!
    },
  }
}

function rowOf(random: Random, id: number, noteLength: number): object {
  const at = new Date(1_700_000_000_000 + random.below(1e9))
  const origin = origins[random.below(origins.length)]!
  return { id, at, origin, delay: random.below(60), note: letters(random, noteLength) }
}

/** Words of small letters. */
function letters(random: Random, length: number): string {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at++) bytes[at] = random.below(6) === 0 ? 32 : 97 + random.below(26)
  return bytes.toString('latin1')
}
