import { isMarkedAsUntransferable, markAsUntransferable } from 'node:worker_threads'

/**
 * The memory behind all typed arrays in plain data, each buffer once: what can go to another thread instead of being
 * copied. Whoever sends it must own all of it, since a buffer goes over whole. Shared memory is left out, since it does
 * not move, and so are buffers that the runtime does not give away (Node's own pool).
 */
export function transferablesOf(value: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>()
  collect(value, found)
  return [...found]
}

/** Memory of which several have a part: moved to another thread with one of them, it would be taken from under the others. */
export function staysHere(memory: ArrayBufferLike): void {
  markAsUntransferable(memory)
}

/** Whether it is nobody else's as well: not what {@link staysHere} was told of, and not Node's own pool. */
export function mayGo(memory: ArrayBufferLike): boolean {
  return !isMarkedAsUntransferable(memory)
}

function collect(value: unknown, found: Set<ArrayBuffer>): void {
  if (typeof value !== 'object' || value === null) return
  if (ArrayBuffer.isView(value)) collectBuffer(value.buffer, found)
  else if (value instanceof ArrayBuffer) collectBuffer(value, found)
  else if (Array.isArray(value)) collectAll(value, found)
  else if (value instanceof Map) collectAll(value.values(), found)
  else collectAll(Object.values(value), found)
}

function collectAll(values: Iterable<unknown>, found: Set<ArrayBuffer>): void {
  for (const member of values) collect(member, found)
}

function collectBuffer(buffer: ArrayBufferLike, found: Set<ArrayBuffer>): void {
  if (buffer instanceof ArrayBuffer && mayGo(buffer)) found.add(buffer)
}
