import { closed, defaultLimits, schema, t } from '@moulin/core'
import type { Codec, Limits } from '@moulin/core'
import { avro, json, readRecords } from '@moulin/format'
import { virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { Collector } from './collector.ts'
import { RecordInput } from './record-input.ts'

const Order = schema({ id: t.int, note: t.string })
const codecs = [avro(Order), json(Order)] as unknown as Codec[]

interface Sent {
  readonly partition: number
  readonly values: unknown[]
}

function setting(codec: Codec, { partitions = 1, limits = {} as Partial<Limits> } = {}) {
  const runtime = virtualRuntime({ seed: 1 })
  const bounds = { timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1 }
  const allLimits = { ...defaultLimits, ...limits }
  const input = new RecordInput({
    ...{ topic: 'orders', partitions, valueCodec: codec, keyCodec: undefined, limits: allLimits, clock: runtime.clock },
    ...bounds,
  })
  const sent: Sent[] = []
  const state = { isClosed: false, bytes: 0 }
  const collector = new Collector({
    ...{ runtime, limits: allLimits, input, partitions, lingerMs: 5, batchBytes: 4_096, compression: 'none' as const },
    checkOpen() {
      if (state.isClosed) throw closed('PRODUCER_CLOSED', 'It was closed.')
    },
    took: (bytes) => void (state.bytes += bytes),
    closed: () => {},
    left({ partition, builder, bytes }) {
      expect(builder.sizeBytes).toBe(bytes)
      const batch = builder.finish()
      sent.push({ partition, values: readRecords(batch, 0).map(({ value }) => codec.decode(value!)) })
    },
  })
  const add = (value: unknown, signal?: AbortSignal): void => {
    const batch = collector.add(input.open({ value: value as never }), signal)
    collector.leaveIfFull(batch)
  }
  return {
    collector,
    sent,
    state,
    add,
    notes: () => sent.flatMap(({ values }) => values.map((value) => (value as { note: string }).note)),
  }
}

/** A value whose note runs code when it is asked for. */
const asking = (note: string, ask: () => void): object => ({
  id: 1,
  get note() {
    ask()
    return note
  },
})
const order = (note: string): object => ({ id: 1, note })

describe.each(codecs.map((codec) => ({ name: codec.format, codec })))('a collector ($name)', ({ codec }) => {
  it('gives what was added, in its order, in batches of the size that was asked for', () => {
    const { collector, sent, add, notes } = setting(codec)
    const expected = Array.from({ length: 500 }, (_, i) => `${i}`.padEnd(i % 190, '.'))
    for (const note of expected) add(order(note))
    collector.leaveAll()
    expect(notes()).toEqual(expected)
    expect(sent.length).toBeGreaterThan(5)
  })

  it('takes what a record sends while it is encoded, before the record itself', () => {
    const { collector, add, notes } = setting(codec)
    add(order('first'))
    add(
      asking('outer', () => {
        add(asking('middle', () => add(order('inner'))))
        add(order('second inner'))
      }),
    )
    collector.leaveAll()
    // A value whose code sends is asked twice.
    expect(notes().filter((note) => note === 'outer')).toEqual(['outer'])
    expect(notes().at(-1)).toBe('outer')
    expect(new Set(notes())).toEqual(new Set(['first', 'inner', 'middle', 'second inner', 'outer']))
  })

  it('takes a record whose own code lets the batches go', () => {
    const { collector, add, notes, sent } = setting(codec)
    add(order('first'))
    add(asking('second', () => collector.leaveAll()))
    collector.leaveAll()
    expect(notes()).toEqual(['first', 'second'])
    expect(sent.map(({ values }) => values.length)).toEqual([1, 1])
  })

  it('takes nothing of a record whose own code closes, or fires the signal', () => {
    const { collector, state, add, notes } = setting(codec)
    const stop = new AbortController()
    expect(() =>
      add(
        asking('aborted', () => stop.abort()),
        stop.signal,
      ),
    ).toThrow(/abort/i)
    add(order('kept'))
    const { bytes } = state
    expect(() => add(asking('closed', () => (state.isClosed = true)))).toThrow('It was closed.')
    expect(state.bytes).toBe(bytes)
    collector.leaveAll()
    expect(notes()).toEqual(['kept'])
  })

  it('takes nothing of a record that is too large, and goes on', () => {
    const { collector, add, notes } = setting(codec, { limits: { maxRecordBytes: 100 } })
    add(order('a'))
    expect(() => add(order('x'.repeat(100)))).toThrow(/maxRecordBytes is 100/)
    add(order('b'))
    collector.leaveAll()
    expect(notes()).toEqual(['a', 'b'])
  })

  it('begins another batch where the largest one has no room', () => {
    const { collector, add, sent, notes } = setting(codec, { limits: { maxBatchBytes: 1_000, maxRecordBytes: 900 } })
    const expected = Array.from({ length: 9 }, (_, i) => `${i}`.padEnd(400, '.'))
    for (const note of expected) add(order(note))
    collector.leaveAll()
    expect(notes()).toEqual(expected)
    expect(sent.map(({ values }) => values.length)).toEqual([2, 2, 2, 2, 1])
  })

  it('asks a codec that cannot write in place for its bytes', () => {
    const { encodeInto: _, ...rest } = codec
    const { collector, add, notes } = setting(rest)
    for (const note of ['a', 'b']) add(order(note))
    collector.leaveAll()
    expect(notes()).toEqual(['a', 'b'])
  })
})
