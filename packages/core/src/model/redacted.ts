import { inspect } from 'node:util'

/** Wraps a secret so that printing, JSON and inspect show a placeholder. `reveal()` is the only way to it. */
export class Redacted<T = string> {
  readonly #value: T
  static {
    Object.defineProperty(this.prototype, inspect.custom, { value: () => '<redacted>' })
  }
  constructor(value: T) {
    this.#value = value
  }
  reveal(): T {
    return this.#value
  }
  toString(): string {
    return '<redacted>'
  }
  toJSON(): string {
    return '<redacted>'
  }
}

export function redacted<T>(value: T): Redacted<T> {
  return new Redacted(value)
}
