import { expect, it } from 'vitest'
import { bytesOf, machine, openIn, valuesOf, WAL } from './machine.ts'

it('is refused when it lost its header, also where no checkpoint and no later section tells what it held', async () => {
  const on = machine()
  const owner = on.runtime()
  const log = await openIn(owner)
  const send = async (topic: string, sizes: readonly number[]): Promise<void> => {
    const producer = (await log.ensureTopic(topic)).producer({ lingerMs: 0 })
    for (const size of sizes) await producer.send({ value: bytesOf('x'.repeat(size)) })
  }
  // Too big for a segment: it has one of its own.
  await send('alone', [20_000])
  await send('others', [900, 900])
  on.disk.kill()
  owner.exit()
  // Killed when it has linked its open.json, before its first checkpoint.
  const linked = Promise.withResolvers<void>()
  const { files } = on.disk
  const link: typeof files.link = async (from, to) => {
    await files.link(from, to)
    if (!to.endsWith('open.json')) return
    linked.resolve()
    await new Promise(() => {})
  }
  const heir = on.runtime({ ...files, link })
  void openIn(heir)
  await linked.promise
  on.disk.kill()
  heir.exit()

  const listed = `${WAL}/epoch-1/0000000002.wal`
  const file = await on.disk.files.open(listed, 'write')
  const header = await file.read(0, 56)
  await file.writev([new Uint8Array(7)], 20)
  const refused = { kind: 'corrupt', code: 'SEGMENT', context: { file: listed, position: 0 } }
  for (const access of ['read-write', 'read-only'] as const) {
    await expect(openIn(on.runtime(), { access })).rejects.toMatchObject(refused)
  }
  await file.writev([header], 0)
  const again = await openIn(on.runtime())
  expect(await valuesOf(await again.topic('alone'))).toHaveLength(1)
  await again.close()
})
