import type { Codec, Column, Schema, ValueFidelity } from '@moulin/core'
import { Arena, isMoulinError, isValid } from '@moulin/core'
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
