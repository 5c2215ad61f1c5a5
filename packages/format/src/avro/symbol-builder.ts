import { BytesBuilder, type Arena } from '@moulin/core'

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
}
