import { describe, expect, it } from 'vitest'
import type { FakeRequest } from './http-fake.ts'
import { queryOf } from './http-fake.ts'
import { guessRequest } from './request-kind.ts'

/** `METHOD target`, with headers behind. */
function guess(line: string, headers: Readonly<Record<string, string>> = {}): string {
  const [method = '', target = ''] = line.split(' ')
  const [path = '', query = ''] = target.split('?')
  const request: FakeRequest = {
    number: 1,
    method,
    target,
    path,
    query: queryOf(query),
    headers: { host: '127.0.0.1:1', ...headers },
    body: async () => new Uint8Array(),
  }
  const { dialect, operation, key } = guessRequest(request)
  return `${dialect} ${operation} ${key}`.trim()
}

const azure = { 'x-ms-version': '2026-02-06' }
const copied = { 'x-ms-copy-source': 'http://x/y' }
const named = { ...azure, host: 'account.blob.core.windows.net' }

describe('guessRequest', () => {
  it.each([
    ['GET /lake/a/b%20c?x-id=GetObject', {}, 's3 get a/b c'],
    ['HEAD /lake/a', {}, 's3 head a'],
    ['PUT /lake/a?x-id=PutObject', {}, 's3 put a'],
    ['PUT /lake/a?x-id=CopyObject', { 'x-amz-copy-source': 'lake/b' }, 's3 copy a'],
    ['DELETE /lake/a', {}, 's3 delete a'],
    ['POST /lake?delete=', {}, 's3 delete-many'],
    ['GET /lake?list-type=2&prefix=log%2F', {}, 's3 list log/'],
    ['POST /lake/a?uploads=', {}, 's3 upload-begin a'],
    ['PUT /lake/a?partNumber=1&uploadId=u', {}, 's3 upload-part a'],
    ['POST /lake/a?uploadId=u', {}, 's3 upload-complete a'],
    ['DELETE /lake/a?uploadId=u', {}, 's3 upload-abort a'],
    ['HEAD /lake', {}, 's3 other'],

    ['GET /storage/v1/b/lake/o/a%2Fb?alt=media', {}, 'gcs get a/b'],
    ['GET /download/storage/v1/b/lake/o/a%2Fb?alt=media', {}, 'gcs get a/b'],
    ['GET /storage/v1/b/lake/o/a', {}, 'gcs head a'],
    ['GET /storage/v1/b/lake/o?prefix=log%2F', {}, 'gcs list log/'],
    ['GET /storage/v1/b/lake', {}, 'gcs other'],
    ['DELETE /storage/v1/b/lake/o/a', {}, 'gcs delete a'],
    ['POST /storage/v1/b/lake/o/a/rewriteTo/b/lake/o/b', {}, 'gcs copy a'],
    ['POST /batch/storage/v1', {}, 'gcs delete-many'],
    ['POST /upload/storage/v1/b/lake/o?uploadType=multipart&name=a%2Fb', {}, 'gcs put a/b'],
    ['POST /upload/storage/v1/b/lake/o?uploadType=resumable&name=a', {}, 'gcs upload-begin a'],
    ['PUT /upload/storage/v1/b/lake/o?upload_id=u&name=a', { 'content-range': 'bytes 0-9/*' }, 'gcs upload-part a'],
    [
      'PUT /upload/storage/v1/b/lake/o?upload_id=u&name=a',
      { 'content-range': 'bytes 10-19/20' },
      'gcs upload-complete a',
    ],
    ['PUT /upload/storage/v1/b/lake/o?upload_id=u&name=a', { 'content-range': 'bytes 0-*/*' }, 'gcs upload-complete a'],
    ['PUT /upload/storage/v1/b/lake/o?upload_id=u&name=a', { 'content-range': 'bytes */*' }, 'gcs upload-part a'],
    ['DELETE /upload/storage/v1/b/lake/o?upload_id=u&name=a', {}, 'gcs upload-abort a'],

    ['GET /account/lake/a/b%20c', azure, 'azure get a/b c'],
    ['GET /lake/a/b', named, 'azure get a/b'],
    ['HEAD /account/lake/a', azure, 'azure head a'],
    ['HEAD /account/lake?restype=container', azure, 'azure other'],
    ['PUT /account/lake/a', azure, 'azure put a'],
    ['PUT /account/lake/a', { ...azure, ...copied }, 'azure copy a'],
    ['PUT /account/lake/a?comp=block&blockid=x', azure, 'azure upload-part a'],
    ['PUT /account/lake/a?comp=blocklist', azure, 'azure upload-complete a'],
    ['PUT /account/lake/a?comp=metadata', azure, 'azure other a'],
    ['DELETE /account/lake/a', azure, 'azure delete a'],
    ['GET /account/lake?restype=container&comp=list&prefix=log%2F', azure, 'azure list log/'],
    ['POST /account/?comp=batch', azure, 'azure delete-many'],
  ])('takes %s for what it is', (line, headers, guessed) => {
    expect(guess(line, headers as Readonly<Record<string, string>>)).toBe(guessed)
  })
})
