import { hash } from 'node:crypto'
import { closeSync, existsSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Header } from 'moulin'

const digestBytes = 32
const bufferedDigests = 4096

/**
 * One SHA-256 per record, by partition and offset, in files outside the log: what the producer sent, told by someone
 * other than the log. The writer appends in offset order; the reader looks one up.
 */
export interface Digests {
  /** Digests written for a partition. */
  count(partition: number): number
  append(partition: number, digest: string): void
  read(partition: number, offset: bigint): string
  flush(): void
  /** Forgets digests at and above `count`: of records that were never acked. */
  truncate(partition: number, count: number): void
  close(): void
}

export function digestsIn(dir: string, partitions: number): Digests {
  mkdirSync(dir, { recursive: true })
  const files = Array.from({ length: partitions }, (_, partition) =>
    digestFile(join(dir, `partition-${partition}.sha256`)),
  )
  return {
    count: (partition) => files[partition]!.count(),
    append: (partition, digest) => files[partition]!.append(digest),
    read: (partition, offset) => files[partition]!.read(Number(offset)),
    flush: () => files.forEach((file) => file.flush()),
    truncate: (partition, count) => files[partition]!.truncate(count),
    close: () => files.forEach((file) => file.close()),
  }
}

let scratch = Buffer.allocUnsafe(64 * 1024)
let used = 0

/**
 * SHA-256 over key, value and headers, each with its length in front, so that no two records share their bytes. As 32
 * latin1 characters: a short text costs a third of a Buffer, and there are millions of them.
 */
export function digestOf(key: Uint8Array | null, value: Uint8Array | null, headers: readonly Header[]): string {
  used = 0
  add(key)
  add(value)
  for (const [name, content] of headers) {
    add(Buffer.from(name))
    add(content)
  }
  return hash('sha256', scratch.subarray(0, used), 'binary')
}

function add(bytes: Uint8Array | null): void {
  const size = bytes === null ? 0 : bytes.length
  const end = used + 4 + size
  if (end > scratch.length) scratch = Buffer.concat([scratch, Buffer.allocUnsafe(end)])
  scratch.writeInt32LE(bytes === null ? -1 : size, used)
  if (bytes !== null) scratch.set(bytes, used + 4)
  used = end
}

function digestFile(path: string) {
  const file = openSync(path, existsSync(path) ? 'r+' : 'w+')
  const buffer = Buffer.allocUnsafe(bufferedDigests * digestBytes)
  let stored = Math.floor(fstatSync(file).size / digestBytes)
  let buffered = 0
  const flush = (): void => {
    if (buffered === 0) return
    writeSync(file, buffer, 0, buffered * digestBytes, stored * digestBytes)
    stored += buffered
    buffered = 0
  }
  return {
    flush,
    count: () => stored + buffered,
    append(digest: string) {
      if (buffered === bufferedDigests) flush()
      buffer.write(digest, buffered++ * digestBytes, 'latin1')
    },
    read(index: number): string {
      const digest = Buffer.alloc(digestBytes)
      readSync(file, digest, 0, digestBytes, index * digestBytes)
      return digest.toString('latin1')
    },
    truncate(count: number) {
      flush()
      if (count >= stored) return
      ftruncateSync(file, count * digestBytes)
      stored = count
    },
    close() {
      flush()
      closeSync(file)
    },
  }
}
