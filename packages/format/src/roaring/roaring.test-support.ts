/** Roaring bitmaps as other libraries write them: by the letter of the format, container by container. */

export type Container =
  | { readonly key: number; readonly list: readonly number[] }
  | { readonly key: number; readonly bits: readonly number[] }
  | { readonly key: number; readonly runs: readonly (readonly [start: number, length: number])[] }

export function bitmap64(bitmaps: readonly (readonly [high: number, bitmap: Uint8Array])[]): Uint8Array {
  const head = Buffer.alloc(8)
  head.writeBigUInt64LE(BigInt(bitmaps.length))
  return Buffer.concat([head, ...bitmaps.flatMap(([high, bitmap]) => [uint32(high), bitmap])])
}

/** Of 32 bits: with the cookie of runs only where one has any, as libraries do it. */
export function bitmap32(containers: readonly Container[]): Uint8Array {
  const mayRun = containers.some((container) => 'runs' in container)
  const bodies = containers.map(bodyOf)
  const headers = containers.flatMap((container) => [uint16(container.key), uint16(sizeOf(container) - 1)])
  const flags = Buffer.alloc((containers.length + 7) >> 3)
  containers.forEach((container, at) => 'runs' in container && (flags[at >> 3]! |= 1 << (at & 7)))
  const cookie = mayRun
    ? [uint32(12_347 | ((containers.length - 1) << 16)), flags]
    : [uint32(12_346), uint32(containers.length)]
  const hasOffsets = !mayRun || containers.length >= 4
  let at =
    [...cookie, ...headers].reduce((sum, { length }) => sum + length, 0) + (hasOffsets ? containers.length * 4 : 0)
  const offsets = bodies.map((body) => {
    at += body.length
    return uint32(at - body.length)
  })
  return Buffer.concat([...cookie, ...headers, ...(hasOffsets ? offsets : []), ...bodies])
}

/** Positions as Iceberg's writers store them: each upper half a bitmap, lists and bits by size, runs where `asRuns`. */
export function roaring64(positions: Iterable<number>, asRuns = false): Uint8Array {
  const byHigh = new Map<number, Map<number, number[]>>()
  for (const position of [...new Set(positions)].sort((a, b) => a - b)) {
    const high = Math.floor(position / 2 ** 32)
    const low = position % 2 ** 32
    const chunks = byHigh.get(high) ?? new Map<number, number[]>()
    byHigh.set(high, chunks)
    const key = low >>> 16
    const values = chunks.get(key)
    if (values === undefined) chunks.set(key, [low & 0xffff])
    else values.push(low & 0xffff)
  }
  return bitmap64(
    Array.from(byHigh, ([high, chunks]) => {
      const containers = Array.from(chunks, ([key, values]): Container => {
        if (asRuns) return { key, runs: runsOf(values) }
        return values.length > 4096 ? { key, bits: values } : { key, list: values }
      })
      return [high, bitmap32(containers)] as const
    }),
  )
}

function runsOf(values: readonly number[]): (readonly [number, number])[] {
  const runs: [number, number][] = []
  for (const value of values) {
    const last = runs.at(-1)
    if (last !== undefined && last[0] + last[1] + 1 === value) last[1]++
    else runs.push([value, 0])
  }
  return runs
}

function sizeOf(container: Container): number {
  if ('list' in container) return container.list.length
  if ('bits' in container) return container.bits.length
  return container.runs.reduce((sum, [, length]) => sum + length + 1, 0)
}

function bodyOf(container: Container): Uint8Array {
  if ('list' in container) return Buffer.concat(container.list.map(uint16))
  if ('runs' in container)
    return Buffer.concat([uint16(container.runs.length), ...container.runs.flatMap((run) => run.map(uint16))])
  const bits = Buffer.alloc(8192)
  for (const value of container.bits) bits[value >> 3]! |= 1 << (value & 7)
  return bits
}

export function uint16(value: number): Uint8Array {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

export function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
