import type { Column, ColumnarCodec, RowsEncoder } from '@moulin/core'
import { isKind } from '@moulin/core'
import { copyRange, ViewOf } from '../bytes/copy-range.ts'
import { doubled } from '../bytes/doubled.ts'

/** What a sum of sizes becomes where a row has no encoding: it stays below 0 whatever is added. */
export const NO_ENCODING = -0x80000000

/** Larger memory is not kept for the next rows. */
const KEPT_BYTES = 1024 * 1024

/** Writes a row at `position`; returns the end, or beyond the target's when there is no room. @throws `invalid`. */
export type RowEncoding<S> = (source: S, row: number, target: Uint8Array, position: number) => number

/** The encoder of many rows at a time of a codec, which may have none of its own. */
export function rowsEncoderOf(codec: ColumnarCodec): RowsEncoder {
  const { sizes, encodeRows } = codec
  if (sizes !== undefined && encodeRows !== undefined) return codec as RowsEncoder
  const rows = new RowByRow<readonly Column[]>((columns, row, target, position) => {
    const end = codec.encodeRow(columns, row, target, position)
    return end < 0 ? target.length + 1 : end
  })
  return {
    sizes(columns, of, into) {
      into.fill(0)
      rows.addSizes(columns, of, into)
      for (let at = 0; at < into.length; at++) if (into[at]! < 0) into[at] = -1
    },
    encodeRows: (columns, of, target, places) => rows.write(columns, of, target, places),
  }
}

/**
 * Encodes rows one by one for who asks for their sizes first. The bytes that were made to learn a size are kept, and
 * copied when the row is asked for; where they are not there (other rows, another order) it is encoded again.
 */
export class RowByRow<S> {
  readonly #encode: RowEncoding<S>
  readonly #views = [new ViewOf(), new ViewOf()] as const
  #source: S | undefined
  #bytes = new Uint8Array(256)
  #rows: Int32Array = new Int32Array(64)
  #ends: Int32Array = new Int32Array(64)
  #length = 0
  /** The kept row that is asked for next, probably. */
  #next = 0

  constructor(encode: RowEncoding<S>) {
    this.#encode = encode
  }

  addSizes(source: S, rows: Int32Array, sizes: Int32Array): void {
    this.#source = source
    this.#length = this.#next = 0
    let position = 0
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at]!
      const end = this.#keep(source, row, position)
      if (end < 0) {
        sizes[at] = NO_ENCODING
        continue
      }
      sizes[at]! += end - position
      if (this.#length === this.#rows.length) {
        this.#rows = doubled(this.#rows)
        this.#ends = doubled(this.#ends)
      }
      this.#rows[this.#length] = row
      this.#ends[this.#length++] = position = end
    }
  }

  write(source: S, rows: Int32Array, target: Uint8Array, places: Int32Array): void {
    if (source !== this.#source) this.#length = 0
    const from = this.#views[0].of(this.#bytes)
    const to = this.#views[1].of(target)
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at]!
      while (this.#next < this.#length && this.#rows[this.#next] !== row) this.#next++
      const place = places[at]!
      if (this.#next < this.#length) {
        const start = this.#next === 0 ? 0 : this.#ends[this.#next - 1]!
        const end = this.#ends[this.#next++]!
        copyRange(target, to, place, this.#bytes, from, start, end)
        places[at] = place + end - start
      } else places[at] = this.#encode(source, row, target, place)
    }
    if (this.#next < this.#length) return
    this.#source = undefined
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = new Uint8Array(256)
  }

  // Where the row's bytes end; -1 where it has none.
  #keep(source: S, row: number, position: number): number {
    try {
      for (;;) {
        const end = this.#encode(source, row, this.#bytes, position)
        if (end <= this.#bytes.length) return end
        const larger = new Uint8Array(this.#bytes.length * 2)
        larger.set(this.#bytes)
        this.#bytes = larger
      }
    } catch (error) {
      if (isKind(error, 'invalid')) return -1
      throw error
    }
  }
}
