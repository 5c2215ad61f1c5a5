import {
  invalid,
  isBytes,
  TIMESTAMP_MS_MAX,
  unsupported,
  type Clock,
  type Codec,
  type Header,
  type Limits,
  type ProducerRecord,
  shown,
  dateMs,
} from '@moulin/core'
import { bodySize } from '@moulin/format'

interface RecordFrame {
  readonly key: Uint8Array | null
  readonly headers: readonly Header[]
  readonly timestamp: bigint | number
  readonly partition: number | undefined
}

/** A record whose value is still to be encoded. */
export interface OpenRecord extends RecordFrame {
  /** Without a codec its bytes, or null. */
  readonly value: unknown
  readonly codec: Codec | undefined
}

/** A record as it goes into a batch. */
export interface PreparedRecord extends RecordFrame {
  readonly value: Uint8Array | null
  /** {@link bodySize} of it. */
  readonly bodyBytes: number
}

/** The same in memory of its own, for a record that waits while its sender goes on. */
export function ownCopy({ key, value, headers, ...rest }: PreparedRecord): PreparedRecord {
  return {
    ...rest,
    key: key && new Uint8Array(key),
    value: value && new Uint8Array(value),
    headers: headers.map(([name, content]) => [name, content && new Uint8Array(content)]),
  }
}

export interface RecordInputOptions {
  readonly topic: string
  readonly partitions: number
  readonly valueCodec: Codec | undefined
  readonly keyCodec: Codec | undefined
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  readonly limits: Limits
  readonly clock: Clock
}

const noHeaders: readonly Header[] = []

/** Turns what an application sends into bytes. @throws `invalid`, `unsupported`: nothing of the record was taken. */
export class RecordInput {
  readonly #options: RecordInputOptions

  constructor(options: RecordInputOptions) {
    this.#options = options
  }

  /** All of it, the value's bytes included. */
  prepare(record: ProducerRecord<never> | ProducerRecord): PreparedRecord {
    return this.encoded(this.open(record))
  }

  /** All of it but the value's encoding. */
  open(record: ProducerRecord<never> | ProducerRecord): OpenRecord {
    if (typeof record !== 'object' || record === null) {
      const message = `Topic ${this.#options.topic}: a record is an object with a value, not ${shown(record)}.`
      throw invalid('RECORD', message)
    }
    if ('sequence' in record)
      throw unsupported('SEQUENCE', 'A record with a sequence comes with named producers, later.')
    const key = this.#key(record.key)
    const value: unknown = record.value
    const codec = this.#codecOf(value)
    // Asked once, as all of it: a getter may say something else the next time.
    const given = record.headers
    const headers = given === undefined ? noHeaders : this.#headers(given)
    const timestamp = this.#timestamp(record.timestamp)
    const partition = this.#partition(record.partition)
    return { key, value, headers, timestamp, partition, codec }
  }

  encoded({ codec, value: given, key, headers, timestamp, partition }: OpenRecord): PreparedRecord {
    const value = codec === undefined ? (given as Uint8Array | null) : this.#encoded(codec, given)
    // Last: what the record is made of may be code, which changes what has been looked at.
    const bodyBytes = bodySize({ key, value, headers })
    this.checkBody(bodyBytes)
    return { key, value, headers, timestamp, partition, bodyBytes }
  }

  /** @throws `invalid` code `RECORD_TOO_LARGE`. */
  checkBody(bytes: number): void {
    const { limits, topic } = this.#options
    if (bytes <= limits.maxRecordBytes) return
    throw invalid(
      'RECORD_TOO_LARGE',
      `Topic ${topic}: a record has ${bytes} bytes, the lengths of its parts included; the limit maxRecordBytes is ${limits.maxRecordBytes}. Send less at once, or open the log with a higher limit.`,
      { context: { topic, bytes, maxRecordBytes: limits.maxRecordBytes } },
    )
  }

  /** What is to encode the value; undefined for bytes, and for none. */
  #codecOf(value: unknown): Codec | undefined {
    if (value === null) return undefined
    const { valueCodec, topic } = this.#options
    if (value === undefined) throw invalid('VALUE', `Topic ${topic}: a record has no value; null makes a tombstone.`)
    if (valueCodec !== undefined || isBytes(value)) return valueCodec
    throw invalid('VALUE', `Topic ${topic} has no value codec: a value must be a Uint8Array, not ${shown(value)}.`)
  }

  #key(key: unknown): Uint8Array | null {
    if (key === undefined || key === null) return null
    const { keyCodec, topic } = this.#options
    if (keyCodec !== undefined) return this.#encoded(keyCodec, key)
    if (typeof key === 'string') return utf8(key, `Topic ${topic}: a key`)
    if (isBytes(key)) return key
    throw invalid(
      'KEY_TYPE',
      `Topic ${topic} has no key codec: a key must be a string or a Uint8Array, not ${shown(key)}.`,
    )
  }

  #encoded(codec: Codec, value: unknown): Uint8Array {
    const bytes: unknown = codec.encode(value)
    if (isBytes(bytes)) return bytes
    const message = `Topic ${this.#options.topic}: the codec ${codec.format} encoded a value to ${shown(bytes)}; it must give a Uint8Array.`
    throw invalid('CODEC_BYTES', message)
  }

  #partition(partition: number | undefined): number | undefined {
    const { partitions, topic } = this.#options
    if (partition === undefined || (Number.isInteger(partition) && partition >= 0 && partition < partitions)) {
      return partition
    }
    throw invalid(
      'PARTITION',
      `Topic ${topic} has partitions 0 to ${partitions - 1}; ${shown(partition)} is none of them.`,
      {
        context: { topic, partitions },
      },
    )
  }

  #headers(given: NonNullable<ProducerRecord['headers']>): readonly Header[] {
    const headers = headersOf(given)
    const { limits, topic } = this.#options
    if (headers.length <= limits.maxHeadersPerRecord) return headers
    throw invalid(
      'HEADERS',
      `Topic ${topic}: a record has ${headers.length} headers; the limit maxHeadersPerRecord is ${limits.maxHeadersPerRecord}.`,
    )
  }

  #timestamp(given: Date | number | bigint | undefined): bigint | number {
    const { clock, timestampBeforeMaxMs, timestampAfterMaxMs, topic } = this.#options
    const now = clock.now()
    if (given === undefined) return now
    const timestamp = typeof given === 'object' ? dateMs(given) : given
    const isInt64 =
      typeof timestamp === 'bigint' ? BigInt.asIntN(64, timestamp) === timestamp : Number.isSafeInteger(timestamp)
    if (!isInt64) {
      throw invalid('TIMESTAMP', `Topic ${topic}: the timestamp ${shown(given)} is no 64-bit integer of milliseconds.`)
    }
    checkTimestampRange(timestamp, topic)
    checkTimestampBounds(timestamp, now, { topic, timestampBeforeMaxMs, timestampAfterMaxMs })
    return timestamp
  }
}

/** Outside of this, a timestamp has no microseconds in 64 bits (DETAILS, "Columns"). */
export function checkTimestampRange(timestamp: bigint | number, topic: string): void {
  if (timestamp <= TIMESTAMP_MS_MAX && timestamp >= -TIMESTAMP_MS_MAX) return
  throw invalid('TIMESTAMP_RANGE', `Topic ${topic}: the timestamp ${timestamp} is outside ±${TIMESTAMP_MS_MAX} ms.`, {
    context: { topic, timestamp },
  })
}

export interface TimestampBounds {
  readonly topic: string
  /** -1: no bound. */
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
}

/** @throws `invalid` when the timestamp is too far from now for the topic. */
export function checkTimestampBounds(timestamp: bigint | number, now: number, bounds: TimestampBounds): void {
  const { topic, timestampBeforeMaxMs, timestampAfterMaxMs } = bounds
  if (timestampBeforeMaxMs >= 0 && timestamp < now - timestampBeforeMaxMs) {
    throw outOfBounds(timestamp, 'before', 'timestampBeforeMaxMs', timestampBeforeMaxMs, topic)
  }
  if (timestampAfterMaxMs >= 0 && timestamp > now + timestampAfterMaxMs) {
    throw outOfBounds(timestamp, 'after', 'timestampAfterMaxMs', timestampAfterMaxMs, topic)
  }
}

function outOfBounds(timestamp: bigint | number, side: string, option: string, bound: number, topic: string): Error {
  return invalid(
    'TIMESTAMP_BOUND',
    `Topic ${topic}: the timestamp ${timestamp} is more than ${option} ${bound} ms ${side} now. Create the topic with another bound, or -1 for none.`,
    { context: { topic, timestamp, [option]: bound } },
  )
}

/** Headers in order. A string value is its UTF-8. @throws `invalid` for a key or string with half a surrogate pair. */
function headersOf(headers: NonNullable<ProducerRecord['headers']>): readonly Header[] {
  if (typeof headers !== 'object' || headers === null) {
    throw invalid('HEADERS', `headers is ${shown(headers)}; it must be an object, or an array of pairs.`)
  }
  // A Map or the Headers of a request has no members: they would all be left out.
  if (!Array.isArray(headers) && Symbol.iterator in headers) {
    throw invalid('HEADERS', `headers is ${shown(headers)}; give an array of pairs, such as [...headers].`)
  }
  const pairs: readonly unknown[] = Array.isArray(headers) ? headers : Object.entries(headers)
  const own: Header[] = []
  // No method of what may be a subclass, nor its iterator: they may say something else each time.
  for (let at = 0; at < pairs.length; at++) own.push(headerOf(pairs[at]))
  return own
}

function headerOf(pair: unknown): Header {
  if (!Array.isArray(pair) || pair.length !== 2) {
    throw invalid('HEADERS', `${shown(pair)} is no header: each is a pair of key and value.`)
  }
  const key: unknown = pair[0]
  const value: unknown = pair[1]
  if (typeof key !== 'string' || !key.isWellFormed()) {
    throw invalid('HEADER_KEY', `The header key ${shown(key)} has no UTF-8: it must be a whole string.`)
  }
  if (value === null || isBytes(value)) return [key, value]
  if (typeof value === 'string') return [key, utf8(value, `The value of header ${key}`)]
  throw invalid(
    'HEADER_VALUE',
    `The value of header ${key} must be a string, a Uint8Array or null, not ${shown(value)}.`,
  )
}

function utf8(text: string, what: string): Uint8Array {
  if (!text.isWellFormed()) throw invalid('UTF8', `${what} holds half a surrogate pair, which has no UTF-8.`)
  // A TextEncoder costs several times as much for short texts.
  return Buffer.from(text, 'utf8')
}
