import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { avro, openLog, schema, t } from './index.ts'

let dir = ''
beforeAll(async () => void (dir = await mkdtemp(join(tmpdir(), 'moulin-cli-process-'))))
afterAll(() => rm(dir, { recursive: true }))

/** As a process of its own: `moulin` and `$1`, the lake, in a script for bash. */
async function inShell(lake: string, script: string): Promise<{ status: number; stdout: string; stderr: string }> {
  const cli = fileURLToPath(new URL('cli.ts', import.meta.url))
  const words = [process.execPath, '--conditions=moulin-source', cli].map((word) => `'${word}'`).join(' ')
  const whole = `moulin() { ${words} "$@"; }; ${script}`
  const ended = promisify(execFile)('bash', ['-c', whole, 'bash', lake])
  return ended.then(
    (printed) => ({ status: 0, ...printed }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ status: code, stdout, stderr }),
  )
}

/** Topics `first` and `last`, each with one record in its table. */
async function withTopics(name: string): Promise<string> {
  const lake = join(dir, name)
  const log = await openLog(lake, { threads: 0, graceMs: 0 })
  for (const each of ['first', 'last']) {
    const topic = await log.ensureTopic(each)
    await topic.producer().send({ value: Uint8Array.of(1) })
    await topic.tier()
    await log.releaseNow()
  }
  await log.close()
  return lake
}

/** The table of `last` has lost its metadata. */
async function withBrokenTable(name: string): Promise<string> {
  const lake = await withTopics(name)
  await rm(join(lake, 'tables/default/last/metadata'), { recursive: true })
  return lake
}

describe('a table that is broken', () => {
  it('is told by topics and scan, in one sentence each, and nothing else', async () => {
    const lake = await withBrokenTable('broken')
    for (const command of ['topics "$1"', 'topics "$1" --json', 'scan "$1" last']) {
      const { status, stdout, stderr } = await inShell(lake, `moulin ${command}`)
      expect(stderr).toMatch(/^moulin: .*\blast\b.*\n$/)
      expect(status).toBe(2)
      if (command.startsWith('topics')) expect(stdout).toMatch(/first[^]*last/)
    }
  })

  it('is found by an audit and by its exit status, whoever reads', async () => {
    const lake = await withBrokenTable('unread')
    const { status, stderr } = await inShell(lake, 'set -o pipefail; moulin audit "$1" | true')
    expect(stderr).toMatch(/^moulin: .*\blast\b.*\n$/)
    expect(status).toBe(2)
  })
})

describe.runIf(process.platform === 'linux')('a disk that takes no output', () => {
  it('is told in a sentence, with exit status 2', async () => {
    const lake = await withTopics('full')
    for (const command of ['audit "$1"', 'topics "$1"', 'scan "$1" last', '--help']) {
      const { status, stderr } = await inShell(lake, `moulin ${command} > /dev/full`)
      expect(stderr).toMatch(/^moulin: what was to be printed is lost.*ENOSPC.*\n$/)
      expect(status).toBe(2)
    }
  })

  it('ends no repair half-way', async () => {
    const lake = await withTopics('unprinted')
    const log = await openLog(lake, { threads: 0 })
    const producer = (await log.topic('last')).producer({ lingerMs: 0 })
    for (const text of ['two', 'three', 'four']) await producer.send({ value: Buffer.from(text) })
    await log.close()
    const segment = join(lake, 'log/wal/epoch-2/0000000001.wal')
    const bytes = await readFile(segment)
    bytes[bytes.indexOf('three')]! ^= 1
    await writeFile(segment, bytes)
    expect(await inShell(lake, 'moulin repair "$1"')).toMatchObject({ status: 1 })
    const { status, stderr } = await inShell(lake, 'moulin repair "$1" --yes > /dev/full')
    expect(stderr).toMatch(/^moulin: what was to be printed is lost.*\n$/)
    expect(status).toBe(2)
    expect(await inShell(lake, 'moulin repair "$1"')).toMatchObject({ status: 0, stdout: 'nothing is damaged\n' })
  })
})

describe('a reader who has enough', () => {
  it('is met in a pipe', async () => {
    const lake = join(dir, 'many')
    const log = await openLog(lake, { threads: 0 })
    const topic = await log.ensureTopic('many', { value: avro(schema({ text: t.string })) })
    const value = { text: 'x'.repeat(200) }
    await topic.producer().sendAll(Array.from({ length: 20_000 }, () => ({ value })))
    await log.close()
    const { stdout, stderr } = await inShell(lake, 'set -o pipefail; moulin scan "$1" many | head -2')
    expect(stdout).toBe(`text\n${value.text}\n`)
    expect(stderr).toBe('')
  })
})
