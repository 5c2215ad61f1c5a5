import type { MoulinError } from '@moulin/core'

/** Raises what a store did other than it says. */
export type Lie = (code: string, what: string) => MoulinError

/** What the checks need, with short keys. */
export interface ProbedStore {
  get(
    key: string,
    range?: { readonly start: number; readonly end?: number } | { readonly suffix: number },
  ): Promise<Uint8Array>
  head(key: string): Promise<{ readonly size: number; readonly etag: string } | undefined>
  put(key: string, text: string, mode?: 'create' | { readonly ifMatch: string }, attemptId?: string): Promise<string>
  delete(key: string): Promise<void>
  list(prefix: string, after?: string): Promise<string[]>
}
