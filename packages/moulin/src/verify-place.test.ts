import { mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ByteWriter, type ColumnSource, parquetWriteBuffer, ParquetWriter } from 'hyparquet-writer'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand } from './cli-program.ts'
import { avro, openLog, schema, t } from './index.ts'

const Order = schema({ id: t.long, city: t.string.optional(), tags: t.list(t.string) })

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'moulin-verify-'))
  const log = await openLog(join(dir, 'lake'), { threads: 0 })
  const orders = await log.ensureTopic('orders', { value: avro(Order) })
  await orders.producer().send({ value: { id: 2n ** 60n, city: 'ams', tags: ['a', 'b'] } })
  await orders.tier()
  await (await log.ensureTopic('empty')).tier()
  await log.close()
})
afterAll(() => rm(dir, { recursive: true }))

async function run(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  const seen = { out: '', err: '' }
  const status = await runCommand(argv, {
    out: (text) => (seen.out += text),
    err: (text) => (seen.err += text),
  })
  return { status, ...seen }
}

async function contents(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const read = files.sort().map(async (file) => [file, (await readFile(file)).toString('base64')] as const)
  return Object.fromEntries(await Promise.all(read))
}

describe('moulin verify', () => {
  const table = (): string => join(dir, 'lake/tables/default/orders')

  /** A file whose footer says that a column is all null, which it is not: we believe it, hyparquet looks. */
  async function lyingFile(name: string): Promise<string> {
    const bytes = new ByteWriter()
    const schemaOf = (column: string, type: 'INT32') => ({ name: column, type, repetition_type: 'OPTIONAL' }) as const
    const schema = [{ name: 'root', num_children: 2 }, schemaOf('n', 'INT32'), schemaOf('m', 'INT32')]
    const writer = new ParquetWriter({ writer: bytes, schema, statistics: false })
    const columnData: ColumnSource[] = [
      { name: 'n', data: [7, 8, 9] },
      { name: 'm', data: [1, 2, 3] },
    ]
    void writer.write({ columnData })
    writer.row_groups[0]!.columns[0]!.meta_data!.statistics = { null_count: 3n }
    void writer.finish()
    const path = join(dir, name)
    await writeFile(path, bytes.getBytes())
    return path
  }

  it('reads all data files of a table twice', async () => {
    const { status, out, err } = await run('verify', table())
    expect({ status, err }).toEqual({ status: 0, err: '' })
    expect(out).toMatch(/^file:.*\/orders\/data\/.*\.parquet: same \(1 rows, \d+ values, moulin and hyparquet\)\n$/)
    const linked = join(dir, 'linked')
    await symlink(table(), linked)
    const verdict = JSON.parse((await run('verify', pathToFileURL(linked).href, '--json')).out) as object
    expect(verdict).toMatchObject({ reader: 'hyparquet', rows: 1, differenceCount: 0, differences: [], unread: [] })
    expect(await run('verify', join(dir, 'lake/tables/default/empty'))).toMatchObject({
      status: 0,
      out: expect.stringContaining('no data files') as string,
    })
  })

  it('reads a file, and says where the two differ', async () => {
    const data = join(table(), 'data')
    const [name] = (await readdir(data, { recursive: true })).filter((file) => file.endsWith('.parquet'))
    expect(await run('verify', join(data, name!))).toMatchObject({
      status: 0,
      out: expect.stringMatching(/: same \(1 rows/) as string,
    })
    const lying = await lyingFile('lying.parquet')
    const { status, out } = await run('verify', lying, '--limit', '2')
    expect(status).toBe(1)
    expect(out.split('\n')).toEqual([
      `${lying}: 3 DIFFERENCES (3 rows, 6 values, moulin and hyparquet)`,
      '  value in column n, row group 0, row 0: moulin null, hyparquet 7',
      '  value in column n, row group 0, row 1: moulin null, hyparquet 8',
      '  and 1 more',
      '',
    ])
    expect(JSON.parse((await run('verify', lying, '--json')).out)).toMatchObject({
      differenceCount: 3,
      differences: [{ what: 'value', column: 'n', row: 0, ours: 'null', theirs: '7' }, { row: 1 }, { row: 2 }],
    })
  })

  it('goes on behind a file that is damaged, and changes nothing', async () => {
    const log = await openLog(join(dir, 'two'), { threads: 0 })
    const topic = await log.ensureTopic('t', { partitions: 1 })
    for (const value of ['one', 'two']) {
      await topic.producer().send({ value: new TextEncoder().encode(value) })
      await topic.tier()
    }
    await log.close()
    const folder = join(dir, 'two/tables/default/t')
    const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.parquet'))
    expect(files).toHaveLength(2)
    await truncate(join(folder, files[0]!), 50)
    const before = await contents(folder)
    const { status, out, err } = await run('verify', folder)
    expect(status).toBe(2)
    expect(out).toMatch(/same \(1 rows/)
    expect(err).toContain(files[0]!)
    expect(await contents(folder)).toEqual(before)
  })

  it('says what one of them does not read', async () => {
    const columnData: ColumnSource[] = [
      { name: 'doc', data: [{ a: 1 }], type: 'JSON' },
      { name: 'n', data: [1], type: 'INT32' },
    ]
    const path = join(dir, 'doc.parquet')
    await writeFile(path, new Uint8Array(parquetWriteBuffer({ columnData })))
    const { status, out } = await run('verify', path)
    expect(status).toBe(2)
    expect(out).toContain('NOT ALL READ (1 rows, 1 values')
    expect(out).toMatch(/^ {2}not read by moulin: column doc: /m)
  })
})
