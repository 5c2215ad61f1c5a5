import type { Header } from '@moulin/core'
import { invalid, lengthOf } from '@moulin/core'
import { ByteSink, varintSize } from '../bytes/byte-sink.ts'
import { crc32cOf } from '../bytes/crc32c.ts'
import type { RecordCursor } from './record-cursor.ts'

/** Key, value and headers: the part of a record that `_kafka_crc` covers behind what it binds them to. */
export interface RecordBody {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly Header[]
}

/**
 * Bytes of {@link writeBody}: what `maxRecordBytes` bounds. Timestamp and offset are written before the body, in as many bytes
 * as the record's place in its batch takes.
 */
export function bodySize({ key, value, headers }: RecordBody): number {
  return nullableSize(key) + nullableSize(value) + headersSize(headers)
}

/** Bytes of {@link writeHeaders}. */
export function headersSize(headers: readonly Header[]): number {
  let size = varintSize(headers.length)
  for (const [name, content] of headers) {
    const nameBytes = Buffer.byteLength(name)
    size += varintSize(nameBytes) + nameBytes + nullableSize(content)
  }
  return size
}

/** Bytes of {@link writeNullable}. */
export function nullableSize(bytes: Uint8Array | null): number {
  if (bytes === null) return 1
  const length = lengthOf(bytes)
  return varintSize(length) + length
}

/** Key, value and headers as a v2 record has them, all varints minimal. @throws `invalid` for half a surrogate pair in a header key. */
export function writeBody(sink: ByteSink, { key, value, headers }: RecordBody): void {
  writeNullable(sink, key)
  writeNullable(sink, value)
  writeHeaders(sink, headers)
}

export function writeHeaders(sink: ByteSink, headers: readonly Header[]): void {
  sink.varint(headers.length)
  for (const [name, content] of headers) {
    if (!name.isWellFormed()) {
      throw invalid('HEADER_KEY', `The header key ${JSON.stringify(name)} is not whole Unicode, so it has no UTF-8.`)
    }
    sink.string(name)
    writeNullable(sink, content)
  }
}

export function writeNullable(sink: ByteSink, bytes: Uint8Array | null): void {
  if (bytes === null) sink.byte(1)
  else sink.bytes(bytes)
}

const scratch = new ByteSink()

/**
 * Continues `place`, the sum that a {@link RecordPlace} gives, to `_kafka_crc` of the record that the cursor stands on:
 * CRC32C, as a signed int, over the record from its keyLength varint to its end. A producer's longer varints are re-framed
 * first, so equal contents have equal checksums.
 */
export function recordCrc(cursor: RecordCursor, place: number): number {
  if (cursor.isMinimal) return crc32cOf(cursor.bytes, cursor.bodyStart, cursor.bodyEnd, place) | 0
  scratch.reset()
  reframe(cursor, scratch)
  return crc32cOf(scratch.buffer, 0, scratch.length, place) | 0
}

/** {@link recordCrc} of a key, value and headers that are not in a batch. */
export function recordCrcOf(body: RecordBody, place: number): number {
  scratch.reset()
  writeBody(scratch, body)
  return crc32cOf(scratch.buffer, 0, scratch.length, place) | 0
}

function reframe(cursor: RecordCursor, sink: ByteSink): void {
  const range = (start: number, end: number): void => {
    if (start < 0) sink.byte(1)
    else sink.bytes(cursor.bytes.subarray(start, end))
  }
  range(cursor.keyStart, cursor.keyEnd)
  range(cursor.valueStart, cursor.valueEnd)
  sink.varint(cursor.headerCount)
  cursor.rewindHeaders()
  while (cursor.nextHeader()) {
    range(cursor.headerKeyStart, cursor.headerKeyEnd)
    range(cursor.headerValueStart, cursor.headerValueEnd)
  }
  cursor.rewindHeaders()
}
