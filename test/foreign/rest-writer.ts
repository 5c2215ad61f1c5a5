/** A process that sends to a log whose table is in a REST catalog, tells of each ack and each commit, and is killed some day. */
import { restCatalog } from '@moulin/catalog'
import { fileSystem, openLog } from 'moulin'

const [dir, uri, warehouse, name] = process.argv.slice(2) as [string, string, string, string]
const tell = (what: object): void => void process.stdout.write(`${JSON.stringify(what)}\n`)

const log = await openLog(dir, {
  catalog: restCatalog({ uri }),
  stores: fileSystem({ root: warehouse }),
  takeover: 'newest',
  threads: 0,
})
const topic = await log.ensureTopic('killed', { table: 'shop.killed' })
const producer = topic.producer({ lingerMs: 0 })
void (async () => {
  for (;;) {
    await topic.tier()
    tell({})
  }
})()
for (let n = 0; ; n++) {
  const value = `${name}-${n}`
  const { offset } = await producer.send({ value: Buffer.from(value) })
  tell({ offset: Number(offset), value })
}
