import avsc from 'avsc'

const { Type, types } = avsc

/** Dates as the codec has them. */
class Milliseconds extends types.LogicalType {
  protected override _fromValue(ms: number): Date {
    return new Date(ms)
  }

  protected override _toValue(date: unknown): number | undefined {
    return date instanceof Date ? date.getTime() : undefined
  }
}

/** avsc's encoder of a schema. */
export interface AvscEncoder {
  encode(value: unknown): Uint8Array
  /** All values into one buffer, over and over: no bytes of its own for any of them. */
  encodeAll(values: Iterable<unknown>): void
}

/** @param definition An Avro schema as JSON text. */
export function avscEncoder(definition: string): AvscEncoder {
  const logicalTypes = { 'local-timestamp-millis': Milliseconds as never }
  const type = Type.forSchema(JSON.parse(definition) as Parameters<typeof Type.forSchema>[0], { logicalTypes })
  const buffer = Buffer.alloc(64 * 1024)
  return {
    encode: (value) => type.toBuffer(value),
    encodeAll(values) {
      let end = 0
      for (const value of values) {
        end = type.encode(value, buffer, end)
        // Below 0: it did not fit.
        if (end < 0) end = type.encode(value, buffer, 0)
      }
    },
  }
}
