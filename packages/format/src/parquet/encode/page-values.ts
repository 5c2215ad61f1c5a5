import { internal } from '@moulin/core'
import { writeByteStreamSplit } from './byte-stream-split.ts'
import { writeDeltaByteArray, writeDeltaLength } from './delta-bytes-encoder.ts'
import { writeDeltaInts, writeDeltaLongs } from './delta-encoder.ts'
import { indexWidth } from './dictionary.ts'
import type { LeafValues } from './leaf-values.ts'
import type { PageBuffer } from './page-buffer.ts'
import type { PageEncoding } from './parquet-codes.ts'
import { writePlain } from './plain-encoder.ts'
import { writeRuns } from './rle-encoder.ts'
import type { EncodeScratch } from './scratch.ts'

/** Values `[from, to)` in an encoding; `dictionary` writes the indexes in the scratch. */
export function writeValues(
  out: PageBuffer,
  encoding: PageEncoding,
  values: LeafValues,
  from: number,
  to: number,
  scratch: EncodeScratch,
  dictionarySize: number,
): void {
  switch (encoding) {
    case 'plain':
      return writePlain(out, values, from, to)
    case 'dictionary': {
      const width = indexWidth(dictionarySize)
      out.byte(width)
      return writeRuns(out, scratch.indexes(to), from, to, width)
    }
    case 'rle': {
      if (values.kind !== 'boolean') break
      const start = out.length
      out.int32(0)
      const bits = scratch.memory.ints(to - from)
      for (let i = from; i < to; i++) bits[i - from] = values.values[i]! & 1
      writeRuns(out, bits, 0, to - from, 1)
      out.view.setInt32(start, out.length - start - 4, true)
      return
    }
    case 'delta-binary-packed':
      if (values.kind === 'int32') return writeDeltaInts(out, values.values, from, to)
      if (values.kind === 'int64') return writeDeltaLongs(out, values.halves, from, to)
      break
    case 'delta-length-byte-array':
      if (values.kind === 'bytes') return writeDeltaLength(out, values, from, to, scratch.memory)
      break
    case 'delta-byte-array':
      if (values.kind === 'bytes' || values.kind === 'fixed')
        return writeDeltaByteArray(out, values, from, to, scratch.memory)
      break
    case 'byte-stream-split':
      return writeByteStreamSplit(out, values, from, to)
  }
  throw internal('PARQUET_WRITE', `Values of ${values.kind} have no encoding ${encoding}.`)
}
