import type { FakeAnswer } from './http-fake.ts'
import { Refusal } from './http-fake.ts'
import type { XmlContent, XmlMembers } from './xml.ts'
import { xmlDocument } from './xml.ts'

/** Amazon's codes, each with the status that it comes with. */
export const s3Codes = {
  AccessControlListNotSupported: 400,
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  BadDigest: 400,
  BucketAlreadyOwnedByYou: 409,
  BucketNotEmpty: 409,
  ConditionalRequestConflict: 409,
  EntityTooLarge: 400,
  EntityTooSmall: 400,
  ExpiredToken: 400,
  IncompleteBody: 400,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidBucketName: 400,
  InvalidChunkSizeError: 403,
  InvalidDigest: 400,
  InvalidObjectState: 403,
  InvalidPart: 400,
  InvalidPartOrder: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidStorageClass: 400,
  InvalidToken: 400,
  KeyTooLongError: 400,
  MalformedXML: 400,
  MetadataTooLarge: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchLifecycleConfiguration: 404,
  NoSuchUpload: 404,
  NotImplemented: 501,
  PreconditionFailed: 412,
  RequestTimeTooSkewed: 403,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  SlowDown: 503,
  XAmzContentSHA256Mismatch: 400,
} as const

export type S3Code = keyof typeof s3Codes

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

/** An error as Amazon words it. The message is for people; what an adapter goes by is the code. */
export function s3Error(code: string, status: number, message: string, more: XmlMembers = {}): FakeAnswer {
  return xmlAnswer(status, xmlDocument('Error', { Code: code, Message: message, ...more, ...ids }))
}

const ids = { RequestId: 'FAKE0000REQUEST0', HostId: 'fake-host' }

export function s3Refusal(code: S3Code, message: string, more?: XmlMembers): Refusal {
  return new Refusal(code, s3Error(code, s3Codes[code], message, more))
}

/** For what failed on the key of one object. */
export function noSuchKey(key: string): Refusal {
  return s3Refusal('NoSuchKey', 'The specified key does not exist.', { Key: key })
}

export function s3Xml(name: string, content: XmlContent, headers: Readonly<Record<string, string>> = {}): FakeAnswer {
  return xmlAnswer(200, xmlDocument(name, content, NAMESPACE), headers)
}

function xmlAnswer(status: number, body: string, headers: Readonly<Record<string, string>> = {}): FakeAnswer {
  return {
    status,
    headers: {
      'content-type': 'application/xml',
      'x-amz-request-id': ids.RequestId,
      'x-amz-id-2': ids.HostId,
      ...headers,
    },
    body,
  }
}
