import { MoulinError } from '@moulin/core'
import type { Outcome } from '@moulin/core'

type Headers = Readonly<Record<string, string>>

/** A text of a server without what it was asked with. */
export type Scrubbed = (text: string) => string

export interface Sent {
  /** What the request had before it proved who asks, and what proves it: this very request, for by now others may have other tokens. */
  readonly plain: Headers
  readonly proof: Headers
  /** The user's own. */
  readonly headers: Headers
  readonly secrets: readonly string[]
}

/** Words of what proves who asks that are shorter are names of schemes. */
const LONG_WORD = 8
/** Shorter ones stand in every text. */
const SECRET = 4

/** A server may repeat what it was asked with; that of a cloud shows by it how it would have signed. */
export function scrubber({ plain, proof, headers, secrets }: Sent): Scrubbed {
  const shown = Object.entries(proof).flatMap(([name, value]) => (plain[name] === value ? [] : [value]))
  const words = shown.flatMap((value) => value.split(/[\s,]+/)).filter((word) => word.length >= LONG_WORD)
  const all = [...shown, ...Object.values(headers), ...words, ...secrets].filter((text) => text.length >= SECRET)
  return (text) => {
    // In any case: a host is told in lower case.
    const clean = all.reduce((rest, secret) => rest.replaceAll(new RegExp(literal(secret), 'gi'), '<redacted>'), text)
    return clean.replaceAll(/\bBearer +\S+/gi, 'Bearer <redacted>')
  }
}

/** What is wrong with a table is told by what is there, which may be what the server was asked with. */
export function cleanError(error: MoulinError, scrubbed: Scrubbed, outcome: Outcome): MoulinError {
  const { kind, code, message, context } = error
  const clean = Object.entries(context).map(([name, value]) => {
    return [name, typeof value === 'string' ? scrubbed(value) : value] as const
  })
  const ofCall = outcome === 'unknown' ? outcome : error.outcome
  return new MoulinError(kind, code, scrubbed(message), { context: Object.fromEntries(clean), outcome: ofCall })
}

function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}
