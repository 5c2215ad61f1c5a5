import type { CatalogCallOptions } from '@moulin/core'
import type { GatewayCall } from '../gateway.ts'

/** For a call of the catalog that changes something. */
export function changeCall({ signal, changeId }: Pick<GatewayCall, 'signal' | 'changeId'>): CatalogCallOptions {
  return { signal, ...(changeId === undefined ? {} : { changeId }) }
}
