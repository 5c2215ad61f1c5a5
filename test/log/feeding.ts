import type { Feed, Log, MoulinError, ProducerOptions, Sequencer, Threads, Topic, TopicConfig } from '@moulin/core'
import { serveFeed, single } from '@moulin/log'
import type { OpenLogOptions } from '@moulin/log'
import { virtualThreads } from '@moulin/testing'
import type { VirtualThreads } from '@moulin/testing'
import { bytesOf, machine, openIn, type Machine } from './machine.ts'

/** A log whose feeds run in virtual threads: the module that they import is a function of the test. */
export interface Feeding {
  readonly on: Machine
  readonly log: Log
  readonly topic: Topic<Uint8Array>
  readonly threads: VirtualThreads
  /** The options of a producer whose module has this default export. */
  feeds(feed: unknown, options?: ProducerOptions): ProducerOptions
  /** From now on nothing becomes durable, until {@link letGo}. */
  hold(): void
  letGo(): void
}

export interface FeedingOptions extends Partial<OpenLogOptions> {
  readonly config?: TopicConfig<Uint8Array>
  /** What a thread runs in place of `serveFeed`. */
  readonly serve?: (...call: Parameters<typeof serveFeed>) => void
  /** Of the disk; default true. See `machine`. */
  readonly syncedWrites?: boolean
  /** Starts threads in place of the virtual ones. */
  readonly start?: Threads['start']
}

export async function feeding(given: FeedingOptions = {}): Promise<Feeding> {
  const { config, serve = serveFeed, start, syncedWrites = true, ...options } = given
  const on = machine(1, { syncedWrites })
  const own = on.runtime()
  const modules = new Map<string, unknown>()
  const threads = virtualThreads({
    timers: own.timers,
    serve: (port) =>
      serve(port, {
        runtime: { clock: on.clock, timers: own.timers },
        importFeed: async (module) => {
          if (!modules.has(module)) throw new Error('no such module')
          return { default: modules.get(module) }
        },
      }),
  })
  const gate = held()
  const runtime = { ...own, threads: start === undefined ? threads : { start } }
  const sequencer = { name: 'held', open: gate.opened } satisfies Sequencer
  const log = await openIn(runtime, { segmentBytes: 1024 * 1024, sequencer, ...options })
  const topic = await log.ensureTopic('orders', config)
  return {
    ...{ on, log, topic, threads },
    feeds(feed, more = {}) {
      const url = new URL(`data:text/javascript,${modules.size}`)
      modules.set(url.href, feed)
      return { feed: url, threads: 2, ...more }
    },
    hold: gate.hold,
    letGo: gate.letGo,
  }
}

/** The sequencer of one writer, at whose door appends can be held. */
function held() {
  let free = Promise.resolve()
  let letGo = (): void => {}
  const opened: Sequencer['open'] = (context) => {
    const session = single().open(context)
    return { ...session, append: (section) => free.then(() => session.append(section)) }
  }
  const hold = (): void => void (free = new Promise((resolve) => (letGo = resolve)))
  return { opened, hold, letGo: () => letGo() }
}

/** Texts `thread:0`, `thread:1`, … of each thread, each a record. */
export const counting = (count: number, partition?: number): Feed<Uint8Array> =>
  function* (thread) {
    for (let n = 0; n < count; n++)
      yield { ...(partition === undefined ? {} : { partition }), ...record(`${thread}:${n}`) }
  }

export const record = (text: string): { value: Uint8Array } => ({ value: bytesOf(text) })

export const errorOf = (call: Promise<unknown>): Promise<MoulinError> =>
  call.then(
    (value) => ({ value }) as never,
    (error: unknown) => error as MoulinError,
  )
