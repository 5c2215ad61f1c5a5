/** A reader in a process of its own: `cold-reader.ts DIR TOPIC` prints how much is released, then size and hash of each value. */
import { createHash } from 'node:crypto'
import { openLog } from 'moulin'

const [dir = '', name = ''] = process.argv.slice(2)
const log = await openLog(dir, { access: 'read-only', threads: 0 })
const topic = await log.topic(name)
console.log(`released ${topic.offsets()[0]!.released}`)
for await (const { bytes } of topic.read({ to: 'end' }))
  console.log(`${bytes!.length} ${createHash('sha256').update(bytes!).digest('hex')}`)
await log.close()
