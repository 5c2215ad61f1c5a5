import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32c } from '@moulin/format'

/** A minimum reader that no version of ours will ever be. */
const LATER = 250

/** One stored object made to need a later reader: whole, and with a right checksum. */
export interface LaterVersion {
  readonly of: string
  /** The golden lake that a copy is made of. */
  readonly lake: 'states' | 'deleted'
  /** What is refused, by name: the log at open; one topic that the log still lists; deep audits of all topics, which still are read. */
  readonly refuses: 'log' | 'topic released' | 'deep audits'
  change(dir: string): Promise<void>
}

/** Changes that a copy of a lake takes, one at a time. */
export const laterVersions: readonly LaterVersion[] = [
  { of: 'moulin.json', lake: 'states', refuses: 'log', change: (dir) => raise(join(dir, 'moulin.json')) },
  { of: 'checkpoint', lake: 'states', refuses: 'log', change: (dir) => raiseNewest(join(dir, 'log/checkpoints')) },
  { of: 'open.json', lake: 'states', refuses: 'log', change: (dir) => raise(join(dir, 'log/wal/epoch-3/open.json')) },
  {
    of: 'topic',
    lake: 'states',
    refuses: 'topic released',
    change: (dir) => raiseNewest(join(dir, 'log/topics/released')),
  },
  {
    of: 'audits',
    lake: 'deleted',
    refuses: 'deep audits',
    change: (dir) => raiseAll(join(dir, 'log/audits')),
  },
  { of: 'segment', lake: 'states', refuses: 'log', change: (dir) => raiseBinary(dir, 'MWLS') },
  { of: 'frame', lake: 'states', refuses: 'log', change: (dir) => raiseBinary(dir, 'MWLF') },
]

async function raise(path: string): Promise<void> {
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace(/"minimumReader": *\d+/, `"minimumReader": ${LATER}`))
}

async function raiseAll(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await raise(join(folder, name))
}

async function raiseNewest(folder: string): Promise<void> {
  const names = await readdir(folder)
  await raise(join(folder, names.sort().at(-1)!))
}

/** The first header with this magic in the newest epoch. It says its length at byte 6, and ends with its checksum. */
async function raiseBinary(dir: string, magic: string): Promise<void> {
  const folder = join(dir, 'log/wal/epoch-3')
  for (const name of (await readdir(folder)).filter((each) => each.endsWith('.wal')).sort()) {
    const bytes = await readFile(join(folder, name))
    const at = bytes.indexOf(magic)
    if (at < 0) continue
    const crcAt = at + bytes.readUInt16BE(at + 6) - 4
    bytes[at + 5] = LATER
    bytes.writeUInt32BE(crc32c(bytes.subarray(at, crcAt)), crcAt)
    await writeFile(join(folder, name), bytes)
    return
  }
  throw new Error(`No ${magic} in ${folder}`)
}
