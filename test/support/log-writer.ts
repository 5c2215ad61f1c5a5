/**
 * A writer in a process of its own: `log-writer.ts DIR NAME TAKEOVER`. Sends records `NAME-0`, `NAME-1`, … until it is killed, and
 * prints `ack PARTITION OFFSET VALUE` when a record is durable, `open EPOCH` before the first, and
 * `error KIND CODE PID` when it cannot go on.
 */
import { writeSync } from 'node:fs'
import { isMoulinError, systemFiles } from '@moulin/core'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'

const [dir = '', name = '', takeover = 'refuse'] = process.argv.slice(2)
const PARTITIONS = 2
const IN_FLIGHT = 64

// Not through the stream: a line is on its way before the next record is sent.
const print = (line: string): void => void writeSync(1, `${line}\n`)

try {
  const log = await openLog({
    store: fileSystem({ root: dir, files: systemFiles() }),
    wal: fileWal({ dir: `${dir}/log/wal`, segmentBytes: 128 * 1024 }),
    takeover: takeover as 'refuse' | 'newest',
  })
  const topic = await log.ensureTopic('orders', { partitions: PARTITIONS })
  print(`open ${log.epoch}`)
  const producer = topic.producer({ lingerMs: 0 })
  let next = 0
  const produce = async (): Promise<void> => {
    for (;;) {
      const value = `${name}-${next++}`
      const bytes = new TextEncoder().encode(value.padEnd(next % 300, '.'))
      const { partition, offset } = await producer.send({ value: bytes, partition: next % PARTITIONS })
      print(`ack ${partition} ${offset} ${value}`)
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, produce))
} catch (error) {
  if (!isMoulinError(error)) throw error
  print(`error ${error.kind} ${error.code} ${String(error.context['pid'] ?? '')}`)
  process.exit(3)
}
