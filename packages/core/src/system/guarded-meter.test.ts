import process from 'node:process'
import { expect, it } from 'vitest'
import type { Counter, GaugeObserver, Meter } from '../doors/meter.ts'
import { guardedMeter } from './guarded-meter.ts'
import { systemRuntime } from './system-runtime.ts'

const { timers } = systemRuntime()
const fail = (): never => {
  throw new Error('the exporter is gone')
}

async function warnings(act: () => void): Promise<Error[]> {
  const found: Error[] = []
  const take = (warning: Error): void => void found.push(warning)
  process.on('warning', take)
  act()
  await timers.turn()
  process.off('warning', take)
  return found
}

it('passes on what it is told, with the meter as `this`', () => {
  const told: unknown[] = []
  class Kept implements Meter {
    readonly prefix = 'kept '
    counter(name: string): Counter {
      return { add: (...given) => told.push([this.prefix + name, ...given]) }
    }
    histogram(name: string): ReturnType<Meter['histogram']> {
      return { record: (...given) => told.push([this.prefix + name, ...given]) }
    }
    gauge: Meter['gauge'] = (name, _, observe) => {
      observe((...seen) => told.push([this.prefix + name, ...seen]))
      return { close: () => told.push('closed') }
    }
  }
  const meter = guardedMeter(new Kept())
  expect(guardedMeter(meter)).toBe(meter)
  meter.counter('a').add(1, { topic: 'orders' })
  meter.histogram('b').record(0.5)
  const gauge = meter.gauge('c', {}, (see) => see(7, { topic: 'orders' }))
  gauge.close()
  gauge.close()
  const attributes = { topic: 'orders' }
  expect(told).toEqual([['kept a', 1, attributes], ['kept b', 0.5, undefined], ['kept c', 7, attributes], 'closed'])
})

it('tells once of a meter that throws or rejects, and lets none of it out', async () => {
  const rejecting = { add: (() => Promise.reject(new Error('later'))) as Counter['add'] }
  const found = await warnings(() => {
    const broken = guardedMeter({ counter: fail, histogram: fail, gauge: fail })
    broken.counter('a').add(1)
    broken.histogram('b').record(1)
    broken.gauge('c', {}, () => {}).close()
    const odd: Meter = {
      counter: (name) => (name === 'rejects' ? rejecting : { add: fail }),
      histogram: () => ({ record: fail }),
      gauge: (_name, _options, observe) => {
        // A collector that throws, and one that asks after the end.
        observe(fail)
        return { close: fail }
      },
    }
    const { meter } = systemRuntime({ meter: odd })
    meter!.counter('rejects').add(1)
    meter!.counter('a').add(1)
    meter!.histogram('b').record(1)
    meter!.gauge('c', {}, (see) => see(1)).close()
    meter!.gauge('d', {}, fail).close()
  })
  // One of each meter.
  expect(found).toMatchObject([
    { name: 'MoulinWarning', code: 'METER' },
    { name: 'MoulinWarning', code: 'METER' },
  ])
  expect(found[0]!.message).toContain('the exporter is gone')
})

it('observes no gauge that was closed', () => {
  let observed = 0
  let collect = (): void => {}
  const meter = guardedMeter({
    counter: () => ({ add() {} }),
    histogram: () => ({ record() {} }),
    gauge: (_name, _options, observe) => {
      collect = () => observe(() => {})
      return { close() {} }
    },
  })
  const gauge = meter.gauge('a', {}, () => void observed++)
  collect()
  gauge.close()
  collect()
  expect(observed).toBe(1)
})

it('asks the meter once for a name, and lets all that observe a gauge share it', async () => {
  const told: unknown[] = []
  const open = new Map<string, GaugeObserver>()
  const refuseTwice = (name: string): void => {
    if (open.has(name)) throw new Error(`${name} has already been registered`)
    open.set(name, () => {})
  }
  const meter: Meter = {
    counter(name) {
      refuseTwice(name)
      return { add: (...given) => told.push([name, ...given]) }
    },
    histogram(name) {
      refuseTwice(name)
      return { record: (...given) => told.push([name, ...given]) }
    },
    gauge(name, _, observe) {
      refuseTwice(name)
      open.set(name, observe)
      return { close: () => open.delete(name) }
    },
  }
  const seen = (name: string): unknown[] => {
    const values: unknown[] = []
    open.get(name)?.((value, attributes) => values.push(attributes === undefined ? [value] : [value, attributes]))
    return values
  }
  const found = await warnings(() => {
    for (const topic of ['a', 'b', 'c']) {
      // As whoever is handed the meter anew does.
      const own = guardedMeter(meter)
      own.counter('sent').add(1, { topic })
      own.histogram('took').record(2, { topic })
    }
    const attributes = ['a', 'b'].map((topic) => ({ topic }))
    const gauges = attributes.map((own) => guardedMeter(meter).gauge('size', {}, (see) => see(3, own)))
    expect(seen('size')).toEqual(attributes.map((own) => [3, own]))
    gauges[0]!.close()
    gauges[0]!.close()
    expect(seen('size')).toEqual([[3, attributes[1]]])
    gauges[1]!.close()
    expect(open.has('size')).toBe(false)
    const same: GaugeObserver = (see) => see(4)
    const again = ['x', 'y'].map(() => guardedMeter(meter).gauge('size', {}, same))
    expect(seen('size')).toEqual([[4], [4]])
    gauges[1]!.close()
    again[0]!.close()
    expect(seen('size')).toEqual([[4]])
  })
  expect(found).toEqual([])
  const each = ['a', 'b', 'c'].flatMap((topic) => [
    ['sent', 1, { topic }],
    ['took', 2, { topic }],
  ])
  expect(told).toEqual(each)
})

it('observes the others where one observer of a gauge throws', async () => {
  const seen: number[] = []
  const found = await warnings(() => {
    let collect = (): void => {}
    const meter = guardedMeter({
      counter: fail,
      histogram: fail,
      gauge: (_name, _options, observe) => {
        collect = () => observe((value) => seen.push(value))
        return { close() {} }
      },
    })
    for (const observe of [fail, (see: (value: number) => void) => see(1)]) meter.gauge('a', {}, observe)
    collect()
  })
  expect(seen).toEqual([1])
  expect(found).toMatchObject([{ code: 'METER' }])
})
