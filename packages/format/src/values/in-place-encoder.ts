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

/**
 * Freezes the codec, with `encodeInto` where no copy of its members takes it along: a codec that somebody makes of this one with an
 * `encode` of his own, `{ ...codec, encode }`, is asked for that.
 */
export function frozenCodec<C extends object>(
  codec: C,
  encodeInto: InPlaceEncoder['encodeInto'],
): C & Pick<InPlaceEncoder, 'encodeInto'> {
  // Behind the others: a member that is hidden would make the object slow to look into, for each record.
  return Object.freeze(Object.assign(Object.create(Object.freeze({ encodeInto })) as object, codec)) as C &
    Pick<InPlaceEncoder, 'encodeInto'>
}
