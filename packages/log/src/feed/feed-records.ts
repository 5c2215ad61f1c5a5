import { invalid, messageOf, shown, type Feed } from '@moulin/core'
import { checkRecords } from '../produce/records-check.ts'
import type { FeedSetup } from './feed-messages.ts'

/** Imports a module by its URL. */
export type ImportFeed = (module: string) => Promise<unknown>

/**
 * What the module's feed gives this thread.
 * @throws `invalid` code `FEED_MODULE`; `RECORDS` for what cannot be iterated; what the feed throws.
 */
export async function feedRecords(
  { module, thread, threads, topic }: FeedSetup,
  importFeed: ImportFeed,
  signal: AbortSignal,
): Promise<Awaited<ReturnType<Feed>>> {
  const what = `Topic ${topic}: the feed ${shown(module)}`
  const feed = await importedDefault(what, module, importFeed)
  if (typeof feed !== 'function') {
    const message = `${what} has the default export ${shown(feed)}; it must be a function of (thread, threads, signal) that gives records.`
    throw invalid('FEED_MODULE', message)
  }
  const records = await (feed as Feed)(thread, threads, signal)
  checkRecords(what, records)
  return records
}

async function importedDefault(what: string, module: string, importFeed: ImportFeed): Promise<unknown> {
  try {
    return ((await importFeed(module)) as { readonly default?: unknown }).default
  } catch (cause) {
    throw invalid('FEED_MODULE', `${what} cannot be imported: ${messageOf(cause)}`, { cause })
  }
}
