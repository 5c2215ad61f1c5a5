/**
 * A WebAssembly function that checksums many short ranges in one call, two at a time: a table lookup waits for the one
 * before it, so a second range costs nearly nothing. Native code is faster per byte, but not per call (js-measured §5 c).
 *
 * It is assembled here, from the few instructions that it needs, so that what runs can be read.
 */
const op = {
  block: 0x02,
  loop: 0x03,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  get: 0x20,
  set: 0x21,
  load: 0x28,
  loadByte: 0x2d,
  store: 0x36,
  constant: 0x41,
  eqz: 0x45,
  eq: 0x46,
  lessUnsigned: 0x49,
  add: 0x6a,
  sub: 0x6b,
  and: 0x71,
  xor: 0x73,
  shl: 0x74,
  shrUnsigned: 0x76,
} as const
const I32 = 0x7f
const NO_RESULT = 0x40

type Code = readonly number[]

const unsigned = (value: number): Code => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)])
const signed = (value: number): Code =>
  value >= -0x40 && value < 0x40 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)]
const get = (local: number): Code => [op.get, local]
const set = (local: number): Code => [op.set, local]
const constant = (value: number): Code => [op.constant, ...signed(value)]
const load = (offset: number): Code => [op.load, 0, ...unsigned(offset)]
const add = (local: number, value: number): Code => [...get(local), ...constant(value), op.add, ...set(local)]
/** Repeats `body` until `isOver` (which leaves an i32) is not 0. */
const until = (isOver: Code, body: Code): Code => [
  ...[op.block, NO_RESULT, op.loop, NO_RESULT, ...isOver, op.brIf, 1],
  ...body,
  ...[op.br, 0, op.end, op.end],
]

/** Locals of one range on its way: where it stands, its end, the register, and four words. */
interface Lane {
  readonly at: number
  readonly end: number
  readonly crc: number
  readonly words: readonly number[]
}

// Locals 0 to 3 are the parameters.
const [STARTS, ENDS, PAIRS, SUMS] = [0, 1, 2, 3]
const lanes: readonly Lane[] = [
  { at: 4, end: 5, crc: 6, words: [7, 8, 9, 10] },
  { at: 11, end: 12, crc: 13, words: [14, 15, 16, 17] },
]
const LOCALS = 14
const TABLE_BYTES = 1024

/** The table entry of byte `byte` of a word, `slice` bytes before the end of the step. */
const lookup = (word: number, byte: number, slice: number): Code => [
  ...get(word),
  ...(byte === 0 ? [...constant(2), op.shl] : [...constant(byte * 8 - 2), op.shrUnsigned]),
  ...[...constant(0x3fc), op.and, ...load(slice * TABLE_BYTES)],
]

/** 4, 8 or 16 bytes of a lane. */
function step({ at, crc, words }: Lane, bytes: number): Code {
  const used = words.slice(0, bytes / 4)
  const loads = used.flatMap((word, index) => [
    ...[...get(at), ...load(index * 4)],
    ...(index === 0 ? [...get(crc), op.xor] : []),
    ...set(word),
  ])
  const lookups = used.flatMap((word, index) =>
    [0, 1, 2, 3].flatMap((byte) => {
      const before = index * 4 + byte
      return [...lookup(word, byte, bytes - 1 - before), ...(before === 0 ? [] : [op.xor])]
    }),
  )
  return [...loads, ...lookups, ...set(crc), ...add(at, bytes)]
}

const hasLess = ({ at, end }: Lane, bytes: number): Code => [
  ...[...get(end), ...get(at), op.sub],
  ...[...constant(bytes), op.lessUnsigned],
]

const begin = (lane: Lane, index: number): Code => [
  ...[...get(STARTS), ...load(index * 4), ...set(lane.at)],
  ...[...get(ENDS), ...load(index * 4), ...set(lane.end)],
  ...[...get(SUMS), ...load(index * 4), ...constant(-1), op.xor, ...set(lane.crc)],
]

const single = ({ at, crc }: Lane): Code => [
  ...[...get(crc), ...get(at), op.loadByte, 0, 0, op.xor, ...constant(0xff), op.and, ...constant(2), op.shl],
  ...[...load(0), ...get(crc), ...constant(8), op.shrUnsigned, op.xor, ...set(crc), ...add(at, 1)],
]

const finish = (lane: Lane, index: number): Code => [
  ...until(hasLess(lane, 16), step(lane, 16)),
  ...until(hasLess(lane, 8), step(lane, 8)),
  ...until(hasLess(lane, 4), step(lane, 4)),
  ...until([...get(lane.at), ...get(lane.end), op.eq], single(lane)),
  ...[...get(SUMS), ...get(lane.crc), ...constant(-1), op.xor, op.store, 0, index * 4],
]

function functionBody(): Code {
  const [first, second] = lanes as [Lane, Lane]
  const eitherHasLess = [...[...hasLess(first, 16), op.brIf, 1], ...hasLess(second, 16)]
  return until(
    [...get(PAIRS), op.eqz],
    [
      ...lanes.flatMap(begin),
      ...until(
        eitherHasLess,
        lanes.flatMap((lane) => step(lane, 16)),
      ),
      ...lanes.flatMap(finish),
      ...[STARTS, ENDS, SUMS].flatMap((pointer) => add(pointer, 8)),
      ...add(PAIRS, -1),
    ],
  )
}

/** `name(starts, ends, pairs, sums)`: addresses of 32-bit addresses, in the imported memory; continues what the sums are. */
function moduleBytes(): Uint8Array<ArrayBuffer> {
  const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content]
  const body = [1, LOCALS, I32, ...functionBody(), op.end]
  const name = (letter: string): Code => [1, letter.charCodeAt(0)]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 4, I32, I32, I32, I32, 0]),
    ...section(2, [1, ...name('e'), ...name('m'), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name('f'), 0, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ])
}

export type ChecksumPairs = (starts: number, ends: number, pairs: number, sums: number) => void

/** What of WebAssembly is used here; its types come with those of browsers only. */
export interface Wasm {
  readonly Memory: new (options: { readonly initial: number }) => { readonly buffer: ArrayBuffer }
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> }
}

/** Undefined where there is none (`--jitless`). */
export const wasm: Wasm | undefined = (globalThis as { WebAssembly?: Wasm }).WebAssembly

/** Over a memory whose first 16 KiB are the tables of slicing by 16. */
export function checksumPairs({ Module, Instance }: Wasm, memory: object): ChecksumPairs {
  const { exports } = new Instance(new Module(moduleBytes()), { e: { m: memory } })
  return exports['f'] as ChecksumPairs
}
