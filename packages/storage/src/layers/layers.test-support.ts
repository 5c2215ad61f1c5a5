import type { ObjectStore } from '@moulin/core'
import { isMoulinError } from '@moulin/core'
import { faultyStore, virtualRuntime } from '@moulin/testing'
import type { FaultRule, FaultyStore, StoreOperation, VirtualRuntime } from '@moulin/testing'
import { memory } from '../memory.ts'
import type { RetryOptions } from './retry.ts'
import { retry } from './retry.ts'

/** Lets virtual time pass until the work has ended. */
export async function settled<T>({ clock }: Pick<VirtualRuntime, 'clock'>, work: Promise<T>): Promise<T> {
  let isOver = false
  const over = (): void => void (isOver = true)
  work.then(over, over)
  while (!isOver) await clock.advance(10)
  return await work
}

export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

export async function keysOf(store: ObjectStore, options?: Parameters<ObjectStore['list']>[0]): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(options)) keys.push(key)
  return keys
}

/** What the promise was rejected with. */
export const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

/** What an error says of the call. */
export const outcomeOf = (error: unknown): unknown => (isMoulinError(error) ? [error.kind, error.outcome] : error)

/** `retry` over a store that fails by order. */
export interface RetryScene {
  readonly below: ObjectStore
  readonly faulty: FaultyStore
  readonly store: ObjectStore
  readonly runtime: VirtualRuntime
}

export function retryScene(
  rules: readonly FaultRule<StoreOperation>[],
  options: RetryOptions = {},
  below = memory(),
): RetryScene {
  const runtime = virtualRuntime({ seed: 3 })
  const faulty = faultyStore(below, rules)
  return { below, faulty, runtime, store: retry(faulty, { runtime, ...options }) }
}
