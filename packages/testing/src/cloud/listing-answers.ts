import { parseJson, stringifyJson } from '@moulin/core'
import type { JsonValue } from '@moulin/core'
import type { CloudDialect } from './request-kind.ts'

/** What is one entry of a listing in XML, and what stands for folders and for the next page. */
const xmlParts: Readonly<Record<'s3' | 'azure', { readonly entry: RegExp; readonly rest: RegExp }>> = {
  s3: {
    entry: /<Contents>[\s\S]*?<\/Contents>/g,
    rest: /<CommonPrefixes>[\s\S]*?<\/CommonPrefixes>|<NextContinuationToken>[\s\S]*?<\/NextContinuationToken>/g,
  },
  azure: {
    entry: /<Blob>[\s\S]*?<\/Blob>/g,
    rest: /<BlobPrefix>[\s\S]*?<\/BlobPrefix>|(?<=<NextMarker>)[\s\S]*?(?=<\/NextMarker>)/g,
  },
}

/** The same page with its objects the other way round. */
export function reversedListing(dialect: CloudDialect, body: string): string {
  if (dialect === 'gcs') return withItems(body, (listing) => ({ ...listing, items: [...itemsOf(listing)].reverse() }))
  const { entry } = xmlParts[dialect]
  const entries = body.match(entry) ?? []
  return body.replace(entry, () => entries.pop()!)
}

/** The page of a place where nothing is yet. */
export function emptyListing(dialect: CloudDialect, body: string): string {
  if (dialect === 'gcs')
    return withItems(body, ({ items: _items, prefixes: _prefixes, nextPageToken: _next, ...rest }) => rest)
  const { entry, rest } = xmlParts[dialect]
  return body
    .replace(entry, '')
    .replace(rest, '')
    .replace('<IsTruncated>true<', '<IsTruncated>false<')
    .replace(/<KeyCount>\d+</, '<KeyCount>0<')
}

type Listing = { readonly [name: string]: JsonValue }

function withItems(body: string, change: (listing: Listing) => Listing): string {
  return stringifyJson(change(parseJson(body, 'a listing') as Listing))
}

function itemsOf({ items }: Listing): readonly JsonValue[] {
  return Array.isArray(items) ? items : []
}
