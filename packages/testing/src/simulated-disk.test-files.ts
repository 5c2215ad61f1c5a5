import type { FileHandle, Files } from '@moulin/core'

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

export async function create(files: Files, path: string, text: string, sync = false): Promise<FileHandle> {
  const handle = await files.open(path, 'create')
  await handle.writev([bytesOf(text)], 0)
  if (sync) await handle.datasync()
  return handle
}

export async function contentOf(files: Files, path: string): Promise<string | undefined> {
  if ((await files.stat(path)) === undefined) return undefined
  const handle = await files.open(path, 'read')
  const text = textOf(await handle.read(0, 1_000_000))
  await handle.close()
  return text
}

/** Whether the promise settles within a few turns of the event loop. */
export async function settles(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  const mark = (): void => void (settled = true)
  promise.then(mark, mark)
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  return settled
}
