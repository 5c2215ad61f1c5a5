import type { MessagePort, Transferable } from 'node:worker_threads'
import { type Column, toErrorData } from '@moulin/core'
import { decodeRowGroup, type DecodeTask } from './decode/decode-row-group.ts'
import type { WorkerAnswer } from './workers.ts'

/** Answers each task in turn; the buffers of the columns move to the other side. */
export function serveDecodes(port: MessagePort): void {
  const answer = (message: WorkerAnswer, transfer: Transferable[] = []): void => port.postMessage(message, transfer)
  port.on('message', (task: DecodeTask) => {
    void decodeRowGroup(task).then(
      (batch) => {
        const buffers = new Set<ArrayBuffer>()
        for (const { column } of batch.columns) collectBuffers(column, buffers)
        answer({ kind: 'done', batch }, [...buffers])
      },
      (error: unknown) => answer({ kind: 'failed', error: toErrorData(error) }),
    )
  })
  answer({ kind: 'ready' })
}

function collectBuffers(column: Column, buffers: Set<ArrayBuffer>): void {
  const add = (array: ArrayBufferView | undefined): void => {
    if (array !== undefined) buffers.add(array.buffer as ArrayBuffer)
  }
  add(column.validity)
  switch (column.storage) {
    case 'bytes':
      add(column.data)
      add(column.starts)
      add(column.ends)
      return
    case 'list':
      add(column.offsets)
      collectBuffers(column.element, buffers)
      return
    case 'struct':
      for (const field of column.fields) collectBuffers(field.column, buffers)
      return
    default:
      add(column.values)
  }
}
