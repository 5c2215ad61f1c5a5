import { isValid, valueArrays } from '@moulin/core'
import type { Arena, BytesColumn, Column, FixedColumn, ListColumn, PrimitiveColumn, StructColumn } from '@moulin/core'

/** A column that grows by ranges of others of its kind. */
export interface GatheredColumn {
  /** Copies the rows `[from, to)`. */
  append(column: Column, from: number, to: number): void
  /** Over the memory of the column itself: good until the next `append` or `clear`. */
  view(): Column
  /** Forgets the rows, keeps the memory. */
  clear(): void
}

/** An empty column like this one; its bytes go to `arena`. */
export function gather(like: Column, arena: Arena): GatheredColumn {
  switch (like.storage) {
    case 'bytes':
      return new GatheredBytes(arena)
    case 'fixed':
      return new GatheredFixed(like.width)
    case 'list':
      return new GatheredList(gather(like.element, arena))
    case 'struct':
      return new GatheredStruct(like.fields.map(({ name, column }) => ({ name, gathered: gather(column, arena) })))
    default:
      return new GatheredNumbers(like.storage)
  }
}

/** Which rows have a value; nothing is kept while all have. */
class Validity {
  #bits = new Uint8Array(0)
  #hasNulls = false

  /** Rows `[from, to)` of `column`, after the `length` rows so far. */
  append(column: Column, from: number, to: number, length: number): void {
    const { validity } = column
    if (validity === undefined && !this.#hasNulls) return
    const rows = to - from
    const bytes = (length + rows + 7) >> 3
    if (bytes > this.#bits.length) this.#bits = grown(this.#bits, bytes)
    if (!this.#hasNulls) this.#bits.fill(0xff, 0, (length + 7) >> 3)
    this.#hasNulls = true
    const bits = this.#bits
    // Where both begin at a byte, whole bytes; the bits behind the last row are set anew by whoever follows.
    if (validity !== undefined && (from & 7) === 0 && (length & 7) === 0) {
      bits.set(validity.subarray(from >> 3, (to + 7) >> 3), length >> 3)
      return
    }
    for (let row = from, at = length; row < to; row++, at++) {
      if (isValid(column, row)) bits[at >> 3]! |= 1 << (at & 7)
      else bits[at >> 3]! &= ~(1 << (at & 7))
    }
  }

  view(length: number): Uint8Array | undefined {
    if (!this.#hasNulls) return undefined
    if ((length & 7) !== 0) this.#bits[length >> 3]! &= (1 << (length & 7)) - 1
    return this.#bits.subarray(0, (length + 7) >> 3)
  }

  clear(): void {
    this.#hasNulls = false
  }
}

type Numbers = PrimitiveColumn['values']

/** Length and validity, which every kind has; the values are its own. */
abstract class Gathered implements GatheredColumn {
  protected length = 0
  readonly #validity = new Validity()

  append(column: Column, from: number, to: number): void {
    this.#validity.append(column, from, to, this.length)
    this.copy(column, from, to)
    this.length += to - from
  }

  view(): Column {
    return this.over(this.length, this.#validity.view(this.length))
  }

  clear(): void {
    this.#validity.clear()
    this.length = 0
  }

  /** Copies the values of `[from, to)` behind the {@link length} rows so far. */
  protected abstract copy(column: Column, from: number, to: number): void
  protected abstract over(length: number, validity: Uint8Array | undefined): Column
}

class GatheredNumbers extends Gathered {
  readonly #storage: PrimitiveColumn['storage']
  #values: Numbers

  constructor(storage: PrimitiveColumn['storage']) {
    super()
    this.#storage = storage
    this.#values = new valueArrays[storage](0)
  }

  protected override copy(column: Column, from: number, to: number): void {
    const end = this.length + to - from
    if (end > this.#values.length) this.#values = grown(this.#values, end)
    const rows = (column as PrimitiveColumn).values.subarray(from, to)
    this.#values.set(rows as never, this.length)
  }

  protected override over(length: number, validity: Uint8Array | undefined): Column {
    const values = this.#values.subarray(0, length)
    return { storage: this.#storage, length, validity, values } as PrimitiveColumn
  }
}

class GatheredFixed extends Gathered {
  readonly #width: number
  #values = new Uint8Array(0)

  constructor(width: number) {
    super()
    this.#width = width
  }

  protected override copy(column: Column, from: number, to: number): void {
    const width = this.#width
    const end = this.length + to - from
    if (end * width > this.#values.length) this.#values = grown(this.#values, end * width)
    this.#values.set((column as FixedColumn).values.subarray(from * width, to * width), this.length * width)
  }

  protected override over(length: number, validity: Uint8Array | undefined): Column {
    const width = this.#width
    const values = this.#values.subarray(0, length * width)
    return { storage: 'fixed', length, validity, width, values }
  }
}

class GatheredBytes extends Gathered {
  readonly #arena: Arena
  #starts = new Int32Array(0)
  #ends = new Int32Array(0)

  constructor(arena: Arena) {
    super()
    this.#arena = arena
  }

  protected override copy(column: Column, from: number, to: number): void {
    const { data, starts, ends } = column as BytesColumn
    const last = this.length + to - from
    if (last > this.#starts.length) {
      this.#starts = grown(this.#starts, last)
      this.#ends = grown(this.#ends, last)
    }
    // Values that lie back to back are copied as one.
    let runStart = 0
    let runEnd = 0
    let target = this.#arena.length
    const copyRun = (): void => {
      if (runEnd > runStart)
        this.#arena.append(runEnd - runStart === data.length ? data : data.subarray(runStart, runEnd))
    }
    for (let row = from, at = this.length; row < to; row++, at++) {
      const start = starts[row]!
      const end = ends[row]!
      if (!isValid(column, row) || end <= start) {
        this.#starts[at] = this.#ends[at] = target
        continue
      }
      if (start !== runEnd) {
        copyRun()
        runStart = start
      }
      runEnd = end
      this.#starts[at] = target
      this.#ends[at] = target += end - start
    }
    copyRun()
  }

  protected override over(length: number, validity: Uint8Array | undefined): Column {
    return {
      storage: 'bytes',
      length,
      validity,
      data: this.#arena.bytes,
      starts: this.#starts.subarray(0, length),
      ends: this.#ends.subarray(0, length),
    }
  }
}

class GatheredList extends Gathered {
  readonly #element: GatheredColumn
  #offsets = new Int32Array(1)

  constructor(element: GatheredColumn) {
    super()
    this.#element = element
  }

  protected override copy(column: Column, from: number, to: number): void {
    const { offsets, element } = column as ListColumn
    const end = this.length + to - from
    if (end + 1 > this.#offsets.length) this.#offsets = grown(this.#offsets, end + 1)
    const shift = this.#offsets[this.length]! - offsets[from]!
    for (let row = from, at = this.length; row < to; row++) this.#offsets[++at] = offsets[row + 1]! + shift
    this.#element.append(element, offsets[from]!, offsets[to]!)
  }

  protected override over(length: number, validity: Uint8Array | undefined): Column {
    const offsets = this.#offsets.subarray(0, length + 1)
    return { storage: 'list', length, validity, offsets, element: this.#element.view() }
  }

  override clear(): void {
    super.clear()
    this.#element.clear()
  }
}

class GatheredStruct extends Gathered {
  readonly #fields: readonly { readonly name: string; readonly gathered: GatheredColumn }[]

  constructor(fields: readonly { readonly name: string; readonly gathered: GatheredColumn }[]) {
    super()
    this.#fields = fields
  }

  protected override copy(column: Column, from: number, to: number): void {
    this.#fields.forEach(({ gathered }, at) => gathered.append((column as StructColumn).fields[at]!.column, from, to))
  }

  protected override over(length: number, validity: Uint8Array | undefined): Column {
    const fields = this.#fields.map(({ name, gathered }) => ({ name, column: gathered.view() }))
    return { storage: 'struct', length, validity, fields }
  }

  override clear(): void {
    super.clear()
    for (const { gathered } of this.#fields) gathered.clear()
  }
}

function grown<A extends Numbers>(array: A, length: number): A {
  const larger = new (array.constructor as new (length: number) => A)(Math.max(length, array.length * 2, 1024))
  larger.set(array as never)
  return larger
}
