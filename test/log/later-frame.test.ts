import { crc32c } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { bytesOf, machine, openIn, valuesOf, WAL, type Machine } from './machine.ts'

const SEGMENT = `${WAL}/epoch-1/0000000001.wal`

/** A log whose writer was killed behind three acked records. */
async function killed(on: Machine): Promise<void> {
  const owner = on.runtime()
  const log = await openIn(owner)
  const producer = (await log.ensureTopic('orders')).producer({ lingerMs: 0 })
  for (const text of ['a', 'b', 'c']) await producer.send({ value: bytesOf(text) })
  on.disk.kill()
  owner.exit()
}

/** Changes the bytes of the first segment file. */
async function rewrite({ disk }: Machine, change: (bytes: Buffer) => void): Promise<void> {
  const file = await disk.files.open(SEGMENT, 'write')
  const bytes = Buffer.from(await file.read(0, await file.size()))
  change(bytes)
  await file.writev([bytes], 0)
  await file.sync()
  await file.close()
}

function lastFrame(bytes: Buffer): number {
  return bytes.lastIndexOf('MWLF')
}

/** Sets the header's checksum anew, and the trailer. */
function seal(bytes: Buffer, at: number): void {
  const length = bytes.readUInt16BE(at + 6)
  const crc = crc32c(bytes.subarray(at, at + length - 4))
  bytes.writeUInt32BE(crc, at + length - 4)
  bytes.writeUInt32BE(crc, at + length + bytes.readUInt32BE(at + 8))
}

describe('a write-ahead tier of a later version', () => {
  const changes = {
    'minimum reader': (bytes: Buffer, at: number) => (bytes[at + 5] = 3),
    kind: (bytes: Buffer, at: number) => (bytes[at + 12] = 9),
    'flag that must be understood': (bytes: Buffer, at: number) => (bytes[at + 13] = 0x10),
  }
  for (const [what, change] of Object.entries(changes)) {
    it(`is unsupported, and stays whole, for a last frame with an unknown ${what}`, async () => {
      for (const isRebooted of [false, true]) {
        const on = machine()
        await killed(on)
        if (isRebooted) on.processes.reboot()
        let position = 0
        await rewrite(on, (bytes) => {
          position = lastFrame(bytes)
          change(bytes, position)
          seal(bytes, position)
        })
        const refused = { kind: 'unsupported', code: 'FORMAT_VERSION', context: { file: SEGMENT, position } }
        await expect(openIn(on.runtime())).rejects.toMatchObject(refused)
        await expect(openIn(on.runtime(), { access: 'read-only' })).rejects.toMatchObject(refused)
        await rewrite(on, (bytes) => {
          bytes[position + 5] = 1
          bytes[position + 12] = 0
          bytes[position + 13] = 0
          seal(bytes, position)
        })
        const log = await openIn(on.runtime())
        expect(await valuesOf(await log.topic('orders'))).toEqual(['a', 'b', 'c'])
        await log.close()
      }
    })
  }

  it('is read where it only says more: a later format, flags that may be ignored, a longer header', async () => {
    const on = machine()
    await killed(on)
    await rewrite(on, (bytes) => {
      const at = lastFrame(bytes)
      const [header, body] = [136, bytes.readUInt32BE(at + 8)]
      bytes.copyWithin(at + header + 32 - 8, at + header - 8, at + header + body)
      bytes.fill(0x55, at + header - 8, at + header + 24)
      bytes.writeUInt16BE(header + 32, at + 6)
      bytes[at + 4] = 200
      bytes[at + 13] = 0x0a
      seal(bytes, at)
      // The segment's own header, too.
      bytes[4] = 9
      bytes.writeUInt16BE(80, 6)
      bytes.fill(0x77, 48, 76)
      bytes.writeUInt32BE(crc32c(bytes.subarray(0, 76)), 76)
    })
    const log = await openIn(on.runtime())
    const topic = await log.topic('orders')
    expect(await valuesOf(topic)).toEqual(['a', 'b', 'c'])
    expect(log.recovery.torn).toEqual([])
    await log.close()
  })

  it('is unsupported for a segment with a later minimum reader, and damage only with a wrong checksum', async () => {
    const on = machine()
    await killed(on)
    await rewrite(on, (bytes) => {
      bytes[5] = 2
      bytes.writeUInt32BE(crc32c(bytes.subarray(0, 52)), 52)
    })
    await expect(openIn(on.runtime())).rejects.toMatchObject({ kind: 'unsupported', code: 'FORMAT_VERSION' })
    await rewrite(on, (bytes) => (bytes[20] = bytes[20]! ^ 1))
    await expect(openIn(on.runtime())).rejects.toMatchObject({ kind: 'corrupt', context: { position: 0 } })
  })
})
