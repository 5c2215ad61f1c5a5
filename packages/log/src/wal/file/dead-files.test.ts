import { virtualClock, virtualRuntime, simulatedDisk } from '@moulin/testing'
import { expect, it } from 'vitest'
import { DeadFiles } from './dead-files.ts'

it('leaves to a newer writer what it could not remove before that came', async () => {
  const disk = simulatedDisk({ seed: 1 })
  const clock = virtualClock()
  const { files } = disk
  await files.mkdir('/wal/epoch-1', { recursive: true })
  for (const name of ['a', 'b']) await (await files.open(`/wal/epoch-1/${name}`, 'create')).close()
  const runtime = virtualRuntime({ seed: 1, files, clock })
  const dead = new DeadFiles(runtime, { files, dir: '/wal', logId: new Uint8Array(16), epoch: 1n })
  const rule = disk.fail({ fault: 'EIO', call: 'unlink', times: Infinity })
  expect(await dead.remove('/wal/epoch-1/a')).toBe(false)
  expect(await dead.remove('/wal/epoch-1/b')).toBe(false)
  expect(dead.failing.lastError).toMatchObject({ code: 'EIO' })
  await files.mkdir('/wal/epoch-2')
  rule.remove()
  await clock.advance(600_000)
  expect(dead.size).toBe(2)
  expect(await files.readdir('/wal/epoch-1')).toHaveLength(2)
  expect(dead.failing.lastError).toMatchObject({ kind: 'fenced' })
  await dead.close()
  expect(await files.readdir('/wal/epoch-1')).toHaveLength(2)
})
