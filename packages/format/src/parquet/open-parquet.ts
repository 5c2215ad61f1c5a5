import {
  checkOptions,
  type Column,
  type ColumnBatch,
  type FileCaps,
  formatCaps,
  type IcebergField,
  type IcebergType,
  invalid,
  isKind,
  systemRuntime,
  throwIfAborted,
  unsupported,
  waitFor,
  withDefaults,
} from '@moulin/core'
import { bloomBlockBytes, bloomBlocks, bloomKey, bloomProbe, maxHeaderBytes } from './bloom-filter.ts'
import { bytesIn, type LoadedRange, loadSpans } from './byte-ranges.ts'
import { readColumnIndex } from './column-index.ts'
import {
  type DecodeChunk,
  type DecodeColumn,
  decodeDictionary,
  decodeRowGroup,
  type DecodeTask,
  spansOfDictionaries,
} from './decode/decode-row-group.ts'
import { defaultColumn } from './decode/default-column.ts'
import { nullColumn } from './decode/null-column.ts'
import { fieldConversion, leavesUsed, type ReadContext } from './decode/read-field.ts'
import { statedBounds } from './file-bounds.ts'
import type { RowRange } from './decode/leaf-decoder.ts'
import { type FileFields, fileFields, leafField, topLevelField } from './file-fields.ts'
import { type FileNode, leavesOf } from './file-node.ts'
import { checkRowGroups, fileSchema, isAllNull } from './file-schema.ts'
import { isUnknown } from './footer-element.ts'
import { indexBytes, readFooterBytes } from './footer-bytes.ts'
import { type Footer, type FooterRowGroup, parseFooter } from './footer.ts'
import { type IgnoredStatistics, ignoredStatistics, placeIn } from './ignored-statistics.ts'
import { type OffsetIndexes, offsetIndexes } from './offset-indexes.ts'
import { chunkSpan, pageSpans } from './page-index.ts'
import type {
  OpenParquetOptions,
  ParquetBounds,
  ParquetFile,
  ParquetPageBounds,
  ParquetPageBoundsRequest,
  ParquetReadRequest,
} from './parquet-file.ts'
import { dictionaryTable, mightContainTable, openTable, pageBoundsTable, readTable } from './parquet-file-options.ts'
import { UNKNOWN } from './primitive-type.ts'
import type { RangeReader } from './range-reader.ts'
import { withSoundStatistics } from './sound-statistics.ts'

/** A bloom filter of no more bytes is fetched whole. */
const smallFilterBytes = 4096
/** A dictionary of no more bytes is not worth another request. */
const doubtfulBytes = 32 * 1024
const noDictionary = { dictionary: undefined }

/**
 * Reads and checks a file's footer: two small requests.
 * @throws `corrupt` when it is not a Parquet file or its footer contradicts itself; `exhausted` above a limit;
 * `unsupported` for an encrypted file, or one without field ids when no name mapping is given; what the reader throws.
 *
 * Spec: parquet-format, "File format".
 */
export async function openParquet(file: RangeReader, options: OpenParquetOptions = {}): Promise<ParquetFile> {
  checkOptions('openParquet', options, openTable)
  const { nameMapping, signal } = options
  const caps = withDefaults<FileCaps>(formatCaps, options.caps)
  throwIfAborted(signal)
  const { bytes, pagesEnd, before } = await readFooterBytes(file, caps, signal)
  const footer = parseFooter(bytes, caps, file.name)
  const root = fileSchema(footer, file.name, nameMapping)
  const fields = fileFields(root, file.name)
  checkRowGroups(footer, root, pagesEnd, caps, file.name)
  const ignored = ignoredStatistics(file.name, () => (options.runtime ?? systemRuntime()).logger)
  const sound = withSoundStatistics(footer, root.children.length === 0 ? [] : leavesOf(root), pagesEnd, ignored)
  const indexes = offsetIndexes({ file, ignored, before: indexBytes(sound, before) })
  return new OpenFile({ file, footer: sound, root, fields, caps, options, indexes, ignored })
}

interface OpenFileParts {
  readonly file: RangeReader
  readonly footer: Footer
  readonly root: FileNode
  readonly fields: FileFields
  readonly caps: FileCaps
  readonly options: OpenParquetOptions
  readonly indexes: OffsetIndexes
  readonly ignored: IgnoredStatistics
}

class OpenFile implements ParquetFile {
  readonly name: string
  readonly rowCount: number
  readonly keyValue: ReadonlyMap<string, string>
  readonly fields: ParquetFile['fields']
  readonly rowGroups: ParquetFile['rowGroups']
  readonly #file: RangeReader
  readonly #footer: Footer
  readonly #fields: FileFields
  readonly #leaves: readonly FileNode[]
  readonly #caps: FileCaps
  readonly #options: OpenParquetOptions
  readonly #indexes: OffsetIndexes
  readonly #ignored: IgnoredStatistics

  constructor({ file, footer, root, fields, caps, options, indexes, ignored }: OpenFileParts) {
    this.name = file.name
    this.rowCount = footer.rowCount
    this.keyValue = footer.keyValue
    this.fields = root.children.flatMap(({ fieldId, element }) =>
      fieldId === undefined ? [] : [{ id: fieldId, name: element.name, physicalType: element.type }],
    )
    this.#leaves = root.children.length === 0 ? [] : leavesOf(root)
    let firstRow = 0
    this.rowGroups = footer.rowGroups.map(({ rowCount, sizeBytes, columns }, index) => {
      const bounds = (fieldId: number, type?: IcebergType): ParquetBounds => {
        if (!fields.has(fieldId) || type === UNKNOWN) return { nullCount: rowCount }
        const leaf = leafField(fields, fieldId)
        if (leaf === undefined) return {}
        const place = placeIn(leaf, index, 'bounds')
        return statedBounds(columns[leaf.firstLeaf]!, leaf, type, (reason) => ignored.ignore(place, reason))
      }
      const rowGroup = { rowCount, firstRow, sizeBytes, bounds }
      firstRow += rowCount
      return rowGroup
    })
    this.#file = file
    this.#footer = footer
    this.#fields = fields
    this.#caps = caps
    this.#options = options
    this.#indexes = indexes
    this.#ignored = ignored
  }

  has(fieldId: number): boolean {
    return this.#fields.has(fieldId)
  }

  async read(request: ParquetReadRequest): Promise<ColumnBatch> {
    checkOptions(`${this.name}: read`, request, readTable)
    const { signal, fieldIds } = request
    throwIfAborted(signal)
    const rowGroup = this.#footer.rowGroups[request.rowGroup]
    const { start, end } = request.rows ?? { start: 0, end: rowGroup?.rowCount ?? 0 }
    if (rowGroup === undefined || !(start >= 0 && start <= end && end <= rowGroup.rowCount)) {
      const message = `${this.name} has no rows ${start} to ${end} in row group ${request.rowGroup}.`
      throw invalid('PARQUET_ROWS', message, { context: { file: this.name, rowGroup: request.rowGroup, start, end } })
    }
    const wanted = request.types.filter(({ id }) => fieldIds?.includes(id) ?? true)
    const length = end - start
    const columns = new Map<string, ColumnBatch['columns'][number]['column']>()
    if (length > 0) {
      const decoded = await this.#decoded({ ...request, types: wanted, rows: { start, end } }, rowGroup)
      for (const { name, column } of decoded) columns.set(name, column)
    }
    // A field that the file has and that was not read is null throughout.
    const unread = (field: IcebergField): Column =>
      this.#has(field) ? nullColumn(field.type, length) : defaultColumn(field, length)
    return {
      length,
      columns: wanted.map((field) => ({ name: field.name, column: columns.get(field.name) ?? unread(field) })),
    }
  }

  #has({ id }: IcebergField): boolean {
    return topLevelField(this.#fields, id, this.name) !== undefined
  }

  /** By pages where offset indexes say which hold the rows; where that ends in nonsense, without them. */
  async #decoded(request: TaskRequest, rowGroup: FooterRowGroup): Promise<ColumnBatch['columns']> {
    const { rowGroup: index, rows } = request
    // Of this read: another one may doubt them before it ends.
    const isDoubted = this.#indexes.isDoubted(index)
    try {
      return await this.#decodedOnce(request, rowGroup)
    } catch (error) {
      const isIndexed =
        (rows.start > 0 || rows.end < rowGroup.rowCount) &&
        !isDoubted &&
        rowGroup.columns.some(({ offsetIndex }) => offsetIndex !== undefined)
      if (!isIndexed || !isKind(error, 'corrupt') || error.code === 'PARQUET_WORKER') throw error
      this.#indexes.doubt(index)
      try {
        const columns = await this.#decodedOnce(request, rowGroup)
        const column = String(error.context['column'])
        this.#ignored.ignore({ statistic: 'offset index', column, rowGroup: index }, error.message)
        return columns
      } catch (damage) {
        // It was not the indexes.
        this.#indexes.trust(index)
        throw damage
      }
    }
  }

  async #decodedOnce(request: TaskRequest, rowGroup: FooterRowGroup): Promise<ColumnBatch['columns']> {
    const { signal, fetched } = request
    const task = await this.#task(request, rowGroup)
    fetched?.(task.ranges.reduce((sum, { bytes }) => sum + bytes.length, 0))
    if (task.columns.length === 0) return []
    const { workers } = this.#options
    if (workers === undefined) return decodeRowGroup(task).columns
    return (await workers.decode(task, signal === undefined ? {} : { signal })).columns
  }

  async #task(request: TaskRequest, rowGroup: FooterRowGroup): Promise<DecodeTask> {
    const { rowGroup: index, types: wanted, rows, signal } = request
    const { rowCount } = rowGroup
    const nodes = wanted.flatMap((field) => {
      const node = topLevelField(this.#fields, field.id, this.name)
      const isNull = node === undefined || field.type === UNKNOWN || isAllNull(node, rowGroup)
      return isNull ? [] : [{ field, node }]
    })
    const isNarrow = rows.start > 0 || rows.end < rowCount
    const indexes = isNarrow && nodes.length > 0 ? await waitFor(this.#indexes.load(index, rowGroup), signal) : []
    const context = this.#context
    const columns: DecodeColumn[] = nodes.map(({ field, node }) => {
      const conversion = fieldConversion(field.type, node, context)
      const chunks = [...leavesUsed(conversion)].map(([leaf, use]) =>
        this.#chunk(index, rowGroup, this.#leaves[leaf]!, use === 'levels', rows, indexes),
      )
      return { name: field.name, type: field.type, conversion, chunks }
    })
    const spans = columns.flatMap(({ chunks }) => chunks.flatMap((chunk) => chunk.spans))
    const ranges = await loadSpans(this.#file, spans, signal)
    const { maxParquetPageBytes: maxPageBytes } = this.#caps
    const task = { file: this.name, rowGroup: index, rows, maxPageBytes, columns, ranges }
    const missing = spansOfDictionaries(task)
    return missing.length === 0
      ? task
      : { ...task, ranges: [...ranges, ...(await loadSpans(this.#file, missing, signal))] }
  }

  #chunk(
    index: number,
    { columns, rowCount }: FooterRowGroup,
    leaf: FileNode,
    levelsOnly: boolean,
    rows: RowRange,
    indexes: readonly LoadedRange[],
  ): DecodeChunk {
    const { firstLeaf, path, element, definition, repetition } = leaf
    const column = columns[firstLeaf]!
    const name = path.join('.')
    const where = `column ${name} in row group ${index} of ${this.name}`
    if (column.isElsewhere) {
      const context = { file: this.name, rowGroup: index, column: name }
      throw unsupported('PARQUET_COLUMN', `The pages of ${where} are encrypted or in another file.`, { context })
    }
    const chunk = {
      leaf: firstLeaf,
      path: name,
      physicalType: column.type,
      typeLength: element.typeLength ?? 0,
      codec: column.codec,
      maxDefinition: definition,
      maxRepetition: repetition,
      isFlat: path.length === 1 && element.repetition !== 'REPEATED',
      valueCount: column.valueCount,
      levelsOnly,
    }
    const pages = this.#indexes.pagesOf({ column, leaf, rowGroup: index, rowCount }, indexes)
    if (pages === undefined)
      return { ...chunk, ...noDictionary, spans: [chunkSpan(column)], rows: { start: 0, end: rowCount }, isWhole: true }
    const { dictionary, data, rows: held } = pageSpans(pages, column, rows, rowCount)
    const found = { ...chunk, rows: held, isWhole: false }
    if (dictionary === undefined) return { ...found, ...noDictionary, spans: [data] }
    // A large dictionary that some pages do without is fetched once they are known to need it.
    const isDoubtful = !column.isDictionaryOnly && dictionary.end - dictionary.start > doubtfulBytes
    if (isDoubtful) return { ...found, spans: [data], dictionary }
    return { ...found, ...noDictionary, spans: [dictionary, data] }
  }

  async pageBounds(request: ParquetPageBoundsRequest): Promise<readonly ParquetPageBounds[] | undefined> {
    checkOptions(`${this.name}: pageBounds`, request, pageBoundsTable)
    const { rowGroup: index, fieldId, type, signal } = request
    throwIfAborted(signal)
    const rowGroup = this.#rowGroup(index)
    const leaf = leafField(this.#fields, fieldId)
    const column = leaf === undefined ? undefined : rowGroup.columns[leaf.firstLeaf]
    if (leaf === undefined || column?.columnIndex === undefined || column.offsetIndex === undefined) return undefined
    const [offsets, bounds] = await Promise.all([
      waitFor(this.#indexes.load(index, rowGroup), signal),
      loadSpans(this.#file, [column.columnIndex], signal),
    ])
    const { rowCount } = rowGroup
    const pages = this.#indexes.pagesOf({ column, leaf, rowGroup: index, rowCount }, offsets)
    if (pages === undefined) return undefined
    const what = `The column index of column ${leaf.path.join('.')} in row group ${index} of ${this.name}`
    const bytes = bytesIn(bounds, column.columnIndex)!
    return this.#ignored.attempt(placeIn(leaf, index, 'column index'), () =>
      readColumnIndex(bytes, pages, { rowCount, nullCount: column.nullCount }, leaf, type, what),
    )
  }

  async dictionary(request: Parameters<ParquetFile['dictionary']>[0]): Promise<Column | undefined> {
    checkOptions(`${this.name}: dictionary`, request, dictionaryTable)
    const { rowGroup: index, field, signal } = request
    throwIfAborted(signal)
    const rowGroup = this.#rowGroup(index)
    const node = topLevelField(this.#fields, field.id, this.name)
    if (node?.element.type === undefined || isUnknown(node.element) || node.element.repetition === 'REPEATED')
      return undefined
    const column = rowGroup.columns[node.firstLeaf]!
    const { dictionaryPageOffset: start, dataPageOffset: end } = column
    if (!column.isDictionaryOnly || start === undefined || start >= end) return undefined
    const conversion = fieldConversion(field.type, node, this.#context)
    if (conversion.kind !== 'leaf') return undefined
    const chunk = this.#chunk(index, rowGroup, node, false, { start: 0, end: rowGroup.rowCount }, [])
    const ranges = await loadSpans(this.#file, [{ start, end }], signal)
    const { maxParquetPageBytes: maxPageBytes } = this.#caps
    const task = { file: this.name, rowGroup: index, maxPageBytes, ranges }
    return this.#ignored.attempt(placeIn(node, index, 'dictionary'), () =>
      decodeDictionary(task, { ...chunk, spans: [{ start, end }] }, conversion),
    )
  }

  async mightContain(request: Parameters<ParquetFile['mightContain']>[0]): Promise<boolean> {
    checkOptions(`${this.name}: mightContain`, request, mightContainTable)
    const { rowGroup: index, fieldId, value, signal } = request
    throwIfAborted(signal)
    const rowGroup = this.#rowGroup(index)
    const leaf = leafField(this.#fields, fieldId)
    const filter = leaf === undefined ? undefined : rowGroup.columns[leaf.firstLeaf]!.bloomFilter
    const key = filter === undefined ? undefined : bloomKey(value, leaf!)
    if (filter === undefined || key === undefined) return true
    const what = `The bloom filter of column ${leaf!.path.join('.')} in row group ${index} of ${this.name}`
    const { start } = filter
    // A small filter comes with its header; of another one only the block that matters.
    const known = filter.end - start
    const first = { start, end: start + (known > 0 && known <= smallFilterBytes ? known : maxHeaderBytes) }
    first.end = Math.min(first.end, this.#file.size)
    const ranges = await loadSpans(this.#file, [first], signal)
    const header = bytesIn(ranges, first)!
    const blocks = this.#ignored.attempt(placeIn(leaf!, index, 'bloom filter'), () =>
      bloomBlocks(header, start, this.#file.size, what),
    )
    if (blocks === undefined) return true
    const { block, isIn } = bloomProbe(key, blocks.end - blocks.start)
    const span = { start: blocks.start + block, end: blocks.start + block + bloomBlockBytes }
    return isIn(bytesIn(ranges, span) ?? bytesIn(await loadSpans(this.#file, [span], signal), span)!)
  }

  #rowGroup(index: number): FooterRowGroup {
    const rowGroup = this.#footer.rowGroups[index]
    if (rowGroup !== undefined) return rowGroup
    const message = `${this.name} has no row group ${index}.`
    throw invalid('PARQUET_ROWS', message, { context: { file: this.name, rowGroup: index } })
  }

  get #context(): ReadContext {
    return { file: this.name, readsInt96: this.#options.int96 === 'timestamp' }
  }
}

interface TaskRequest extends ParquetReadRequest {
  readonly rows: RowRange
}
