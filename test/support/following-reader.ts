/**
 * A process that does nothing but wait: `following-reader.ts DIR read|sit`. It opens a log of one record, `read` follows its
 * topic, `sit` only leaves it open. Prints `alive` and ends if it was still there after a while, else `ended`.
 */
import { systemFiles } from '@moulin/core'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'

const [dir = '', what = 'read'] = process.argv.slice(2)

const log = await openLog({
  store: fileSystem({ root: dir, files: systemFiles() }),
  wal: fileWal({ dir: `${dir}/log/wal`, segmentBytes: 128 * 1024 }),
})
const topic = await log.ensureTopic('orders')
await topic.producer({ lingerMs: 0 }).send({ value: new Uint8Array([1]) })

// Background preallocation is over by then; this timer keeps nothing alive.
setTimeout(() => say('alive'), 500).unref()
process.once('beforeExit', () => say('ended'))

function say(word: string): void {
  console.log(word)
  process.exit(0)
}

if (what === 'read') void follow()

async function follow(): Promise<void> {
  for await (const { offset } of topic.read()) if (offset > 0n) say('a second record')
}
