import type { ThreadPort } from '@moulin/core'
import { FEED_CALL, type ToFeed } from './feed-messages.ts'
import { ServedFeed, type FeedParts } from './served-feed.ts'

/** What a thread of a feed does: makes batches of what the feed gives. `@moulin/log/worker` serves its own port so. */
export function serveFeed(port: ThreadPort, parts: FeedParts): void {
  let feed: ServedFeed | undefined
  port.on('message', (value) => {
    const message = value as ToFeed
    if (message.kind === 'begin') {
      feed = new ServedFeed(port, parts, message.setup)
      void feed.run()
    } else if (message.kind === 'durable') feed!.durable(message.bytes)
    else feed!.stop()
  })
  port.postMessage({ kind: 'ready', calls: [FEED_CALL] })
}
