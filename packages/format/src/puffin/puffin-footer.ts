import { checkOptions, corrupt, exhausted, jsonChecks, option, parseJson, unsupported } from '@moulin/core'
import type { CallOptions, JsonObject, OptionTable } from '@moulin/core'
import { lz4Frame } from '../bytes/lz4-frame.ts'
import type { RangeReader } from '../parquet/range-reader.ts'

/** One blob, as the footer of a Puffin file describes it. Spec: Puffin, "BlobMetadata". */
export interface PuffinBlob {
  readonly type: string
  /** Field ids that it was made of. */
  readonly fields: readonly number[]
  readonly snapshotId: bigint
  readonly sequenceNumber: bigint
  /** Where it lies in the file, compressed. */
  readonly offset: number
  readonly sizeBytes: number
  /** `lz4`, `zstd`, or what another version of the format has; undefined: none. */
  readonly compression: string | undefined
  readonly properties: ReadonlyMap<string, string>
}

const MAGIC = 0x31414650
/** Size of the payload, flags and magic behind it. */
const END_BYTES = 12
/** Fetched at once from a file's end. */
const TAIL_BYTES = 16 * 1024
/** A footer as JSON. It has some 300 bytes for each blob. */
const MAX_FOOTER_BYTES = 2 * 1024 * 1024

const check = jsonChecks('PUFFIN')
const callTable: OptionTable<CallOptions> = { signal: option.abortSignal }

/**
 * The blobs of a Puffin file: one small request, or two where its footer is long.
 * @throws `corrupt` code `PUFFIN` for what is none, or whose blobs lie outside of it; `unsupported` for flags that no version of today has;
 * `exhausted` for a footer above 2 MiB; what the reader throws.
 *
 * Spec: Puffin, "File structure".
 */
export async function readPuffinFooter(file: RangeReader, call: CallOptions = {}): Promise<readonly PuffinBlob[]> {
  checkOptions('readPuffinFooter', call, callTable)
  const { size, name } = file
  const context = { file: name, sizeBytes: size }
  const fail = (how: string): Error => corrupt('PUFFIN', `${name} is not a Puffin file: ${how}.`, { context })
  if (size < 2 * 4 + END_BYTES) throw fail(`it has ${size} bytes`)
  const tailStart = Math.max(0, size - TAIL_BYTES)
  const tail = await file.read(tailStart, size, call)
  const view = new DataView(tail.buffer, tail.byteOffset + tail.length - END_BYTES, END_BYTES)
  if (view.getUint32(8, true) !== MAGIC) throw fail('it lacks the mark PFA1 at its end')
  const length = view.getInt32(0, true)
  const start = size - END_BYTES - length
  if (length < 0 || start < 2 * 4) throw fail(`it states a footer of ${length} bytes, but has only ${size}`)
  if (length > MAX_FOOTER_BYTES) throw tooLarge(name, length, context)
  const footer = start - 4 >= tailStart ? tail.subarray(start - 4 - tailStart) : await file.read(start - 4, size, call)
  if (new DataView(footer.buffer, footer.byteOffset, 4).getUint32(0, true) !== MAGIC)
    throw fail('its footer does not begin with the mark PFA1')
  const flags = view.getUint32(4, true)
  if (flags > 1) throw unsupported('PUFFIN_FLAGS', `${name} has the unknown flags ${flags}.`, { context })
  const payload = footer.subarray(4, 4 + length)
  return blobsOf(flags === 0 ? payload : lz4Frame(payload, MAX_FOOTER_BYTES), start - 4, name)
}

function blobsOf(json: Uint8Array, end: number, name: string): readonly PuffinBlob[] {
  const what = `The footer of ${name}`
  const { blobs } = check.object(parseJson(json, what, MAX_FOOTER_BYTES), what)
  return check.array(blobs, what, 'blobs').map((each, index) => {
    const where = `Blob ${index} of ${name}`
    const blob = check.object(each, where)
    const offset = check.count(blob['offset'], where, 'offset')
    const sizeBytes = check.count(blob['length'], where, 'length')
    if (offset < 4 || offset + sizeBytes > end) {
      const message = `${where} lies at ${offset} with ${sizeBytes} bytes, outside of the ${end} before the footer.`
      throw corrupt('PUFFIN', message, { context: { file: name, offset, sizeBytes } })
    }
    const codec = blob['compression-codec'] ?? undefined
    return {
      type: check.string(blob['type'], where, 'type'),
      fields: check.array(blob['fields'], where, 'fields').map((id) => check.int(id, where, 'fields')),
      snapshotId: check.int64(blob['snapshot-id'], where, 'snapshot-id'),
      sequenceNumber: check.int64(blob['sequence-number'], where, 'sequence-number'),
      offset,
      sizeBytes,
      compression: codec === undefined ? undefined : check.string(codec, where, 'compression-codec'),
      properties: propertiesOf(blob, where),
    }
  })
}

function propertiesOf({ properties = {} }: JsonObject, where: string): ReadonlyMap<string, string> {
  const entries = Object.entries(check.object(properties ?? {}, where, 'properties'))
  return new Map(entries.map(([key, value]) => [key, check.string(value, where, `properties.${key}`)]))
}

function tooLarge(name: string, sizeBytes: number, context: { readonly file: string }): Error {
  const message = `The footer of ${name} has ${sizeBytes} bytes; at most ${MAX_FOOTER_BYTES} are read.`
  return exhausted('PUFFIN_FOOTER', message, { context })
}
