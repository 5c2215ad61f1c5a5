import type { Codec, Column, Schema, ValueFidelity } from '@moulin/core'
import { Arena, INT64_MAX, INT64_MIN, isMoulinError, isValid, schema, t } from '@moulin/core'
import fc from 'fast-check'
import { expect } from 'vitest'

/** Helpers of the codecs' tests. */

export const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(Buffer.from(hex.replaceAll(/[^0-9a-f]/g, ''), 'hex'))

/** What `run` throws, if it is one of ours. */
export const errorOf = (run: () => unknown): { kind: string; code: string; message: string } | undefined => {
  try {
    run()
  } catch (error) {
    if (!isMoulinError(error) || error.kind === 'internal') throw error
    return error
  }
  return undefined
}

/** Decodes values into columns from an arena where they lie among other bytes, and encodes each row again. */
export const throughColumns = (
  codec: Codec,
  values: readonly Uint8Array[],
): { fidelity: ValueFidelity; bytes: Uint8Array | undefined }[] => {
  const columnar = codec.columnar!
  const arena = new Arena(8)
  const places = values.map((bytes) => {
    arena.append(Uint8Array.of(0xff))
    const start = arena.append(bytes)
    return [start, arena.length] as const
  })
  const builders = columnar.builders(arena)
  const fidelity = places.map(([start, end]) => columnar.decodeRow(arena, start, end, builders))
  for (const builder of builders) expect(builder.length).toBe(values.length)
  const columns = builders.map((builder) => builder.finish())
  return fidelity.map((of, row) => {
    if (of === 'unreadable') {
      expect(columns.every((column) => !isValid(column, row))).toBe(true)
      return { fidelity: of, bytes: undefined }
    }
    return { fidelity: of, bytes: encodeRow(codec, columns, row) }
  })
}

const encodeRow = (codec: Codec, columns: readonly Column[], row: number): Uint8Array => {
  const room = new Uint8Array(4096)
  const end = codec.columnar!.encodeRow(columns, row, room, 7)
  // One byte less has no room, exactly as much has.
  expect(codec.columnar!.encodeRow(columns, row, new Uint8Array(end - 1), 7)).toBe(-1)
  expect(codec.columnar!.encodeRow(columns, row, new Uint8Array(end), 7)).toBe(end)
  return room.slice(7, end)
}

export function kinds({ fields }: Schema): string[] {
  return fields.map(({ name, type: { spec, isOptional } }) => {
    const as = 'as' in spec ? ` ${spec.as}` : ''
    return `${name} ${spec.kind}${as}${isOptional ? '?' : ''}`
  })
}

/** One field of every kind. */
export const every = schema({
  boolean: t.boolean,
  int: t.int,
  int53: t.int53,
  long: t.long,
  float: t.float,
  double: t.double,
  string: t.string,
  binary: t.binary,
  uuid: t.uuid,
  fixed: t.fixed(3),
  date: t.date,
  small: t.decimal(9, 2),
  large: t.decimal(30, 5),
  time: t.time,
  timeMicros: t.time.micros,
  timestamp: t.timestamp,
  timestampMicros: t.timestamp.micros,
  timestamptz: t.timestamptz,
  timestamptzMicros: t.timestamptz.micros,
  note: t.string.optional(),
  count: t.long.optional(),
})

const int64 = fc.oneof(
  fc.bigInt({ min: INT64_MIN, max: INT64_MAX }),
  fc.integer().map(BigInt),
  fc.constantFrom(INT64_MIN, INT64_MAX),
)
const decimal = (digits: number, scale: number) =>
  fc.bigInt({ min: -(10n ** BigInt(digits)) + 1n, max: 10n ** BigInt(digits) - 1n }).map((unscaled) => {
    const text = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
    return `${unscaled < 0n ? '-' : ''}${text.slice(0, -scale)}.${text.slice(-scale)}`
  })
const ms = fc.oneof(
  fc.date({ noInvalidDate: true }),
  fc.integer({ min: -8.64e15, max: 8.64e15 }).map((at) => new Date(at)),
  fc.constantFrom(new Date(8.64e15), new Date(-8.64e15), new Date(-1)),
)
/** Its values. */
export const everyValue = fc.record({
  boolean: fc.boolean(),
  int: fc.integer(),
  int53: fc.maxSafeInteger(),
  long: int64,
  float: fc.float(),
  double: fc.double(),
  string: fc.string({ unit: 'grapheme', maxLength: 120 }),
  binary: fc.uint8Array(),
  uuid: fc.uuid(),
  fixed: fc.uint8Array({ minLength: 3, maxLength: 3 }),
  date: fc.date({ noInvalidDate: true }).map((date) => date.toISOString().slice(0, -14)),
  small: decimal(9, 2),
  large: decimal(30, 5),
  time: fc.nat(86_399_999),
  timeMicros: fc.nat(86_399_999).map((at) => BigInt(at) * 1000n + 7n),
  timestamp: ms,
  timestampMicros: int64,
  timestamptz: ms,
  timestamptzMicros: int64,
  note: fc.option(fc.string({ unit: 'grapheme' })),
  count: fc.option(int64),
})
