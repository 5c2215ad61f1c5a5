/** Where one number of a Thrift struct lies, in the compact protocol. */
export interface ThriftNumber {
  /** Field ids from the root down; elements of a list by position. */
  readonly path: readonly number[]
  readonly start: number
  readonly end: number
}

/**
 * Walks a struct of Thrift's compact protocol and finds its numbers, knowing nothing of its schema.
 * Spec: thrift-compact-protocol. Only for bytes that are sound.
 */
export function thriftNumbers(bytes: Uint8Array, start: number): { numbers: ThriftNumber[]; end: number } {
  const numbers: ThriftNumber[] = []
  let at = start
  const varint = (): number => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++]!
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
  }
  const number = (path: readonly number[]): void => {
    const from = at
    varint()
    numbers.push({ path, start: from, end: at })
  }
  const value = (type: number, path: readonly number[]): void => {
    if (type === 3) at++
    else if (type >= 4 && type <= 6) number(path)
    else if (type === 7) at += 8
    else if (type === 8) {
      const length = varint()
      at += length
    } else if (type === 9 || type === 10) list(path)
    else if (type === 12) struct(path)
    else if (type > 2) throw new Error(`Thrift type ${type}`)
  }
  const list = (path: readonly number[]): void => {
    const head = bytes[at++]!
    const count = head >> 4 === 15 ? varint() : head >> 4
    for (let i = 0; i < count; i++) {
      if ((head & 15) <= 2) at++
      else value(head & 15, [...path, i])
    }
  }
  const struct = (path: readonly number[]): void => {
    let id = 0
    for (;;) {
      const head = bytes[at++]!
      if (head === 0) return
      if (head >> 4 === 0) {
        const zigzag = varint()
        id = (zigzag >>> 1) ^ -(zigzag & 1)
      } else id += head >> 4
      value(head & 15, [...path, id])
    }
  }
  struct([])
  return { numbers, end: at }
}

/** A varint in exactly `length` bytes, padded where it needs fewer; undefined when it needs more. */
export function paddedVarint(value: bigint, length: number): Uint8Array | undefined {
  const bytes = new Uint8Array(length)
  let rest = value
  for (let i = 0; i < length; i++, rest >>= 7n) bytes[i] = Number(rest & 0x7fn) | (i < length - 1 ? 0x80 : 0)
  return rest === 0n ? bytes : undefined
}

export function zigzag(value: bigint): bigint {
  return value >= 0n ? value << 1n : (-value << 1n) - 1n
}
