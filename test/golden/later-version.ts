import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32c } from '@moulin/format'

/** A minimum reader that no version of ours will ever be. */
const LATER = 250

/** One stored object made to need a later reader: whole, and with a right checksum. */
export interface LaterVersion {
  readonly of: string
  /** What is refused, by name: the log at open, or one topic that the log still lists. */
  readonly refuses: 'log' | 'states topic released'
  change(dir: string): Promise<void>
}

/** Changes that a copy of the lake `states` takes, one at a time. */
export const laterVersions: readonly LaterVersion[] = [
  { of: 'moulin.json', refuses: 'log', change: (dir) => raise(join(dir, 'moulin.json')) },
  { of: 'checkpoint', refuses: 'log', change: (dir) => raiseNewest(join(dir, 'log/checkpoints')) },
  { of: 'open.json', refuses: 'log', change: (dir) => raise(join(dir, 'log/wal/epoch-3/open.json')) },
  {
    of: 'topic',
    refuses: 'states topic released',
    change: (dir) => raiseNewest(join(dir, 'log/topics/released')),
  },
  { of: 'segment', refuses: 'log', change: (dir) => raiseBinary(dir, 'MWLS') },
  { of: 'frame', refuses: 'log', change: (dir) => raiseBinary(dir, 'MWLF') },
]

async function raise(path: string): Promise<void> {
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace(/"minimumReader": *\d+/, `"minimumReader": ${LATER}`))
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
