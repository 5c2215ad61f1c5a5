import type { CallOptions, ObjectStore, OptionCheck } from '@moulin/core'

type Faces = Pick<ObjectStore, 'name' | 'root' | 'aliases' | 'capabilities' | 'durability' | 'listOrder'>

/** What a layer says of itself: all that the store below says, under a name that shows the layer. */
export function facesOf(layer: string, store: ObjectStore): Faces {
  const { root, aliases = [], capabilities, durability, listOrder } = store
  return { name: `${layer}(${store.name})`, root, aliases, capabilities, durability, listOrder }
}

/** A number from 0, fractions included. */
export const amount: OptionCheck = {
  expected: 'a number from 0',
  accepts: (value) => typeof value === 'number' && value >= 0 && value < Infinity,
}

export const withSignal = (signal: AbortSignal | undefined): CallOptions => (signal === undefined ? {} : { signal })
