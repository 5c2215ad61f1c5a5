import { BytesBuilder, type Arena } from '@moulin/core'
import type { AvroEnum } from './avro-schema.ts'

/** A string column of an enum: each symbol lies in the arena once, however many rows have it. */
export class SymbolBuilder extends BytesBuilder {
  readonly #symbols: readonly Uint8Array[]
  readonly #starts: Int32Array

  constructor(arena: Arena, symbols: readonly Uint8Array[]) {
    super(arena)
    this.#symbols = symbols
    this.#starts = new Int32Array(symbols.length).fill(-1)
  }

  appendSymbol(index: number): void {
    const symbol = this.#symbols[index]!
    let start = this.#starts[index]!
    if (start < 0) this.#starts[index] = start = this.arena.append(symbol)
    this.appendPosition(start, start + symbol.length)
  }

  /** The arena is cleared with its builders, and the symbols in it. */
  override clear(): void {
    super.clear()
    this.#starts.fill(-1)
  }
}

export function symbolBytes({ symbols }: AvroEnum): Uint8Array[] {
  return symbols.map((symbol) => new TextEncoder().encode(symbol))
}
