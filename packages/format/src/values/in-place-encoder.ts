import type { Codec } from '@moulin/core'
import { type ByteSink, Lender } from '../bytes/byte-sink.ts'

/** The ways to encode of a codec that writes in place. */
export type InPlaceEncoder = Required<Pick<Codec, 'encode' | 'encodeInto'>>

/** Both ways to encode what `write` writes. */
export function encoderBy<S extends ByteSink>(make: () => S, write: (sink: S, value: unknown) => void): InPlaceEncoder {
  const copied = new Lender(make)
  const placed = new Lender(make)
  return {
    encode(value) {
      const sink = copied.take()
      try {
        sink.reset()
        write(sink, value)
        return sink.finish()
      } finally {
        copied.giveBack(sink)
      }
    },
    encodeInto(value, target, position) {
      const sink = placed.take()
      try {
        sink.openIn(target, position)
        write(sink, value)
        return sink.endIn()
      } finally {
        placed.giveBack(sink)
      }
    },
  }
}
