import type { Compression } from '../../bytes/compression.ts'
import { compareMetricValues } from '../leaf-bounds.ts'
import type { Leaf } from '../parquet-schema.ts'
import { BlockList } from './block-list.ts'
import { Bounds } from './bounds.ts'
import { BloomBuilder } from './bloom-filter.ts'
import { DictionaryTrial } from './dictionary-trial.ts'
import { encodedLower, encodedUpper } from './encoded-bound.ts'
import type { LeafPlan } from './encodings.ts'
import type { FileOutput } from './file-output.ts'
import { countLevels, type Cut, cutPage, type LevelCounts, noLevels, writeLevels } from './levels.ts'
import { stringBytes } from './leaf-values.ts'
import { writeValues } from './page-values.ts'
import type { ByteTarget, ChunkCodec, PageWriter } from './page-writer.ts'
import type { PageEncoding } from './parquet-codes.ts'
import type { EncodeScratch } from './scratch.ts'
import type { LeafRows } from './shred.ts'

export interface ChunkOptions {
  readonly pages: PageWriter
  readonly compression: Compression
  readonly pageBytes: number
  readonly pageVersion: 1 | 2
  readonly boundBytes: number
}

export interface LeafOptions {
  readonly plan: LeafPlan
  /** Bounds of every page are wanted. */
  readonly hasColumnIndex: boolean
  /** Rate of false positives; undefined: no filter. */
  readonly bloomFpp: number | undefined
}

/** A data page in the indexes. */
export interface WrittenPage {
  /** From the first data page on. */
  readonly offset: number
  /** With its header. */
  readonly sizeBytes: number
  readonly firstRow: number
  readonly nullCount: number
  readonly isNull: boolean
  readonly stringBytes: number
  readonly levels: LevelCounts
  readonly nanCount: number
  /** Only where a column index is wanted; undefined as well in a page of nulls and NaNs. */
  readonly lower: Uint8Array | undefined
  readonly upper: Uint8Array | undefined
}

/** A closed column chunk: what footer and indexes say about it. */
export interface WrittenChunk {
  readonly leaf: Leaf
  readonly codec: Compression
  /** Where it begins in the file. */
  readonly offset: number
  /** Of the dictionary page with its header; 0: there is none. */
  readonly dictionaryBytes: number
  readonly compressedBytes: number
  readonly uncompressedBytes: number
  readonly slotCount: number
  readonly valueCount: number
  readonly stringBytes: number
  readonly levels: LevelCounts
  readonly encodings: ReadonlyMap<PageEncoding, number>
  readonly pages: readonly WrittenPage[]
  readonly bounds: Bounds
  readonly hasColumnIndex: boolean
  readonly boundaryOrder: BoundaryOrder
  readonly bloomFilter: Uint8Array | undefined
}

export type BoundaryOrder = 'unordered' | 'ascending' | 'descending'

/**
 * The open column chunk of one leaf. Pages are compressed as soon as they are full. Rows of several batches are kept as
 * finished pages until the row group is closed; those of a row group that is written at once go straight to the file.
 */
export class ColumnChunk {
  readonly leaf: Leaf
  readonly #options: ChunkOptions
  readonly #leafOptions: LeafOptions
  readonly #trial: DictionaryTrial
  readonly #buffer = new BlockList()
  readonly #pageBounds: Bounds
  readonly #bloom: BloomBuilder | undefined
  // Of the open chunk:
  #codec: ChunkCodec
  #bounds: Bounds
  #levels: LevelCounts
  #pages: WrittenPage[] = []
  #encodings = new Map<PageEncoding, number>()
  #rowCount = 0
  #slotCount = 0
  #valueCount = 0
  #stringBytes = 0
  #compressedBytes = 0
  #uncompressedBytes = 0
  #lastPage: { lower: Bounds['lower']; upper: Bounds['upper'] } | undefined
  #isAscending = true
  #isDescending = true
  /** The file, its position and the dictionary page, where pages go there at once. */
  #direct: { readonly output: FileOutput; readonly offset: number; dictionaryBytes: number | undefined } | undefined

  constructor(leaf: Leaf, options: ChunkOptions, leafOptions: LeafOptions) {
    this.leaf = leaf
    this.#options = options
    this.#leafOptions = leafOptions
    this.#trial = new DictionaryTrial(leaf, leafOptions.plan)
    this.#pageBounds = new Bounds(leaf)
    this.#bounds = new Bounds(leaf)
    this.#levels = noLevels(leaf)
    this.#codec = { codec: options.compression, isDecided: false }
    this.#bloom = leafOptions.bloomFpp === undefined ? undefined : new BloomBuilder(leafOptions.bloomFpp)
  }

  /** Compressed bytes so far, the dictionary as it lies in memory. */
  get sizeBytes(): number {
    return this.#compressedBytes + this.#trial.sizeBytes
  }

  /** Rows of an open row group. */
  append(rows: LeafRows, scratch: EncodeScratch): void {
    const indexed = this.#trial.index(rows.values, scratch, false)
    this.#writePages(rows, indexed, this.#buffer, scratch)
  }

  /** All rows of a row group: their pages go to `output` one by one. */
  appendWhole(rows: LeafRows, output: FileOutput, scratch: EncodeScratch): void {
    this.#direct = { output, offset: output.length, dictionaryBytes: undefined }
    const indexed = this.#trial.index(rows.values, scratch, true)
    this.#direct.dictionaryBytes = this.#writeDictionary(output)
    this.#writePages(rows, indexed, output, scratch)
  }

  /** Ends the chunk, writes what is not yet in `output`, and makes ready for the next one. */
  close(output: FileOutput): WrittenChunk {
    const direct = this.#direct
    const offset = direct?.offset ?? output.length
    const dictionaryBytes = direct?.dictionaryBytes ?? this.#writeDictionary(output)
    if (direct === undefined) this.#buffer.copyTo(output)
    const entries = this.#trial.entries()
    if (entries !== undefined) {
      if (this.#boundsByEntries(entries.kind)) this.#bounds.scan(entries, 0, entries.count)
      this.#bloom?.add(entries, 0, entries.count)
    }
    const chunk: WrittenChunk = {
      leaf: this.leaf,
      codec: this.#codec.codec,
      offset,
      dictionaryBytes,
      compressedBytes: this.#compressedBytes,
      uncompressedBytes: this.#uncompressedBytes,
      slotCount: this.#slotCount,
      valueCount: this.#valueCount,
      stringBytes: this.#stringBytes,
      levels: this.#levels,
      encodings: this.#encodings,
      pages: this.#pages,
      bounds: this.#bounds,
      hasColumnIndex: this.#leafOptions.hasColumnIndex,
      boundaryOrder: this.#isAscending ? 'ascending' : this.#isDescending ? 'descending' : 'unordered',
      bloomFilter: this.#bloom?.finish(),
    }
    this.#clear()
    return chunk
  }

  #clear(): void {
    this.#trial.clear()
    this.#buffer.clear()
    this.#codec = { codec: this.#options.compression, isDecided: false }
    this.#bounds = new Bounds(this.leaf)
    this.#levels = noLevels(this.leaf)
    this.#pages = []
    this.#encodings = new Map()
    this.#rowCount = this.#slotCount = this.#valueCount = 0
    this.#stringBytes = this.#compressedBytes = this.#uncompressedBytes = 0
    this.#lastPage = undefined
    this.#isAscending = this.#isDescending = true
    this.#direct = undefined
  }

  // The entries have the chunk's bounds in fewer steps; NaNs must be counted value by value.
  #boundsByEntries(kind: string): boolean {
    return !this.#leafOptions.hasColumnIndex && kind !== 'float' && kind !== 'double'
  }

  #writeDictionary(output: FileOutput): number {
    const { page, size } = this.#trial.page()
    if (size === 0) return 0
    const { compressed, uncompressed } = this.#options.pages.dictionary(output, page, size, this.#codec)
    this.#compressedBytes += compressed
    this.#uncompressedBytes += uncompressed
    return compressed
  }

  /** Values before `indexed` go by their dictionary index. */
  #writePages(rows: LeafRows, indexed: number, target: ByteTarget, scratch: EncodeScratch): void {
    const { plan } = this.#leafOptions
    const { pageBytes } = this.#options
    let [slot, value, end] = [0, 0, indexed]
    while (slot < rows.slotCount) {
      const isIndexed = value < end
      const encoding = isIndexed ? 'dictionary' : plan.encoding
      const width = isIndexed ? 2 : this.#valueWidth(rows, plan.encoding)
      const cut = cutPage(rows, slot, value, isIndexed ? end : rows.values.count, width, pageBytes)
      // The rest of a row that reaches over the dictionary's end goes with the others.
      if (cut.rowCount === 0) end = value
      else {
        this.#writePage(rows, slot, value, cut, encoding, target, scratch)
        slot = cut.slotEnd
        value = cut.valueEnd
      }
    }
  }

  /** About how many bytes a value takes in a page; undefined: as long as it is. */
  #valueWidth({ values }: LeafRows, encoding: PageEncoding): number | undefined {
    switch (values.kind) {
      case 'boolean':
        return 1 / 8
      case 'int32':
      case 'float':
        return encoding === 'delta-binary-packed' ? 2 : 4
      case 'int64':
      case 'double':
        return encoding === 'delta-binary-packed' ? 3 : 8
      case 'fixed':
        return values.width
      case 'bytes':
        return undefined
    }
  }

  #writePage(
    rows: LeafRows,
    slot: number,
    value: number,
    cut: Cut,
    encoding: PageEncoding,
    target: ByteTarget,
    scratch: EncodeScratch,
  ): void {
    const { leaf } = this
    const { slotEnd, valueEnd } = cut
    const valueCount = valueEnd - value
    const slotCount = slotEnd - slot
    // Decoders stumble over an encoding's header where there are no values.
    const used = valueCount === 0 ? 'plain' : encoding
    // Its dictionary page may come later, but is compressed in any case.
    if (used === 'dictionary') this.#codec.isDecided = true
    const body = scratch.page
    body.clear()
    const levelBytes = writeLevels(body, rows, leaf, slot, slotEnd, valueCount, this.#options.pageVersion)
    writeValues(body, used, rows.values, value, valueEnd, scratch, this.#trial.size)
    const page = {
      encoding: used,
      slotCount,
      rowCount: cut.rowCount,
      nullCount: slotCount - valueCount,
      ...levelBytes,
    }
    const { compressed, uncompressed } = this.#options.pages.data(target, body, page, this.#codec)
    this.#count(rows, slot, value, cut, used, compressed)
    this.#compressedBytes += compressed
    this.#uncompressedBytes += uncompressed
  }

  #count(rows: LeafRows, slot: number, value: number, cut: Cut, encoding: PageEncoding, sizeBytes: number): void {
    const { leaf } = this
    const { slotEnd, valueEnd } = cut
    const { hasColumnIndex } = this.#leafOptions
    const bounds = this.#pageBounds
    bounds.clear()
    if (encoding !== 'dictionary' || !this.#boundsByEntries(rows.values.kind)) {
      bounds.scan(rows.values, value, valueEnd)
      this.#bounds.absorb(bounds)
    }
    if (encoding !== 'dictionary') this.#bloom?.add(rows.values, value, valueEnd)
    const levels = noLevels(leaf)
    countLevels(rows, leaf, slot, slotEnd, valueEnd - value, levels)
    for (let i = 0; i < levels.repetition.length; i++) this.#levels.repetition[i]! += levels.repetition[i]!
    for (let i = 0; i < levels.definition.length; i++) this.#levels.definition[i]! += levels.definition[i]!
    const strings = stringBytes(rows.values, value, valueEnd)
    const { lower, upper } = bounds
    const { boundBytes } = this.#options
    const isBounded = hasColumnIndex && lower !== undefined && upper !== undefined
    this.#pages.push({
      offset: this.#pagesBytes,
      sizeBytes,
      firstRow: this.#rowCount,
      nullCount: slotEnd - slot - (valueEnd - value),
      isNull: valueEnd === value,
      stringBytes: strings,
      levels,
      nanCount: bounds.nanCount,
      lower: isBounded ? encodedLower(lower, leaf, boundBytes)?.bytes : undefined,
      upper: isBounded ? encodedUpper(upper, leaf, boundBytes)?.bytes : undefined,
    })
    if (isBounded) this.#follow(lower, upper)
    this.#encodings.set(encoding, (this.#encodings.get(encoding) ?? 0) + 1)
    this.#rowCount += cut.rowCount
    this.#slotCount += slotEnd - slot
    this.#valueCount += valueEnd - value
    this.#stringBytes += strings
  }

  get #pagesBytes(): number {
    const last = this.#pages.at(-1)
    return last === undefined ? 0 : last.offset + last.sizeBytes
  }

  #follow(lower: NonNullable<Bounds['lower']>, upper: NonNullable<Bounds['upper']>): void {
    if (this.#lastPage !== undefined) {
      const byLower = compareMetricValues(lower, this.#lastPage.lower!)
      const byUpper = compareMetricValues(upper, this.#lastPage.upper!)
      if (byLower < 0 || byUpper < 0) this.#isAscending = false
      if (byLower > 0 || byUpper > 0) this.#isDescending = false
    }
    this.#lastPage = { lower, upper }
  }
}
