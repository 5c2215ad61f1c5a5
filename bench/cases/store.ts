/**
 * The adapter of S3 beside the bare SDK, each with a client of its own, one call after the other, before one server in a process of its
 * own: puts, creates, whole reads, ranges and lists. Milliseconds of a call, by the same calls of both in every round. The server's own
 * time is in both figures; `--cpu` counts this process alone, where the adapter is.
 */
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import type { ObjectStore } from '@moulin/core'
import { s3 } from '@moulin/storage-s3'
import { beside, rounds, timed } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { BUCKET as Bucket, s3Server } from '../peers/s3-server.ts'

const KIB = 1024
const MIB = 1024 * KIB
const PEER = 'aws-sdk'

/** Calls of a turn: about as long for each size. */
const sizes = [
  { name: '1KiB', bytes: KIB, calls: 400 },
  { name: '1MiB', bytes: MIB, calls: 60 },
  { name: '64MiB', bytes: 64 * MIB, calls: 2 },
] as const
const lists = [
  { count: 1, calls: 200 },
  { count: 1_000, calls: 12 },
  { count: 10_000, calls: 2 },
] as const

/** The same work by each of the two; `n` differs in every call. */
interface Case {
  readonly name: string
  readonly calls: number
  readonly reach: { readonly ratio: number }
  own(store: ObjectStore, n: number): Promise<number>
  bare(client: S3Client, n: number): Promise<number>
  /** What each call gives: bytes or keys. */
  readonly gives: number
}

export const bench: Bench = async (print, options) => {
  const server = await s3Server([
    ...sizes.map(({ name, bytes }) => ({ prefix: `${name}/`, count: 1, size: bytes })),
    ...lists.map(({ count }) => ({ prefix: `list-${count}/`, count, size: KIB })),
    { prefix: 'large/', count: 1, size: 256 * MIB },
  ])
  const { endpoint, region, credentials } = server
  const store = s3({ bucket: Bucket, endpoint, region, credentials })
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  let n = 0
  const turn = async (calls: number, gives: number, call: (n: number) => Promise<number>): Promise<number> => {
    const ms = await timed(options, async () => {
      for (let left = calls; left > 0; left--) {
        const given = await call(n++)
        if (given !== gives) throw new Error(`A call gave ${given}, not ${gives}.`)
      }
    })
    return ms / calls
  }
  try {
    for (const { name, calls, gives, own, bare, reach } of cases()) {
      if (!name.includes(options.only) || !PEER.startsWith(options.peer)) continue
      const ms = await rounds(options.rounds, {
        moulin: () => turn(calls, gives, (each) => own(store, each)),
        [PEER]: () => turn(calls, gives, (each) => bare(client, each)),
      })
      print({ bench: 'store', case: name, unit: 'ms', peer: PEER, ...beside(ms['moulin']!, ms[PEER]!), reach })
    }
  } finally {
    client.destroy()
    server.close()
  }
}

function cases(): Case[] {
  return [...sizes.flatMap(casesOf), ...lists.map(listOf)]
}

function casesOf({ name, bytes: size, calls }: (typeof sizes)[number]): Case[] {
  const bytes = new Uint8Array(size).map((_, at) => (at * 31) >> 3)
  const object = `${name}/000000`
  const range = { start: 1_000, end: 1_000 + size }
  const common = { calls, reach: { ratio: 1.1 } }
  // Of a few large objects, or memory would fill up.
  const keyOf = (prefix: string, n: number): string => `${prefix}/${name}/${size === KIB ? n : n % 2}`
  const put: Case = {
    ...common,
    name: `put/${name}`,
    gives: 1,
    own: async (store, n) => Number((await store.put(keyOf('put', n), bytes)).etag !== ''),
    bare: async (client, n) =>
      Number((await client.send(new PutObjectCommand({ Bucket, Key: keyOf('put', n), Body: bytes }))).ETag !== ''),
  }
  const create: Case = {
    ...common,
    name: `create/${name}`,
    reach: { ratio: 1.2 },
    gives: 1,
    own: async (store, n) => Number((await store.put(`create/${n}`, bytes, { mode: 'create' })).etag !== ''),
    async bare(client, n) {
      const condition = { Bucket, Key: `create/${n}`, Body: bytes, IfNoneMatch: '*' }
      return Number((await client.send(new PutObjectCommand(condition))).ETag !== '')
    },
  }
  return [
    put,
    ...(size === KIB ? [create] : []),
    {
      ...common,
      name: `get/${name}`,
      gives: size,
      own: async (store) => (await store.get(object)).bytes.length,
      bare: (client) => lengthOf(client, { Bucket, Key: object }),
    },
    {
      ...common,
      name: `range/${name}`,
      gives: size,
      own: async (store) => (await store.get('large/000000', { range })).bytes.length,
      bare: (client) =>
        lengthOf(client, { Bucket, Key: 'large/000000', Range: `bytes=${range.start}-${range.end - 1}` }),
    },
  ]
}

async function lengthOf(client: S3Client, input: GetObjectCommand['input']): Promise<number> {
  const { Body } = await client.send(new GetObjectCommand(input))
  return (await Body!.transformToByteArray()).length
}

function listOf({ count, calls }: (typeof lists)[number]): Case {
  const prefix = `list-${count}/`
  return {
    name: `list/${count}`,
    calls,
    reach: { ratio: 1.1 },
    gives: count,
    async own(store) {
      let keys = 0
      for await (const _ of store.list({ prefix })) keys++
      return keys
    },
    async bare(client) {
      let keys = 0
      let token: string | undefined
      do {
        const next = token === undefined ? {} : { ContinuationToken: token }
        const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix, ...next }))
        keys += page.Contents?.length ?? 0
        token = page.NextContinuationToken
      } while (token !== undefined)
      return keys
    },
  }
}
