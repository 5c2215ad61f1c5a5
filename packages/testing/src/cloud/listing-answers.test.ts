import { describe, expect, it } from 'vitest'
import { emptyListing, reversedListing } from './listing-answers.ts'

const pages = {
  s3:
    '<ListBucketResult><IsTruncated>true</IsTruncated><KeyCount>3</KeyCount>' +
    '<NextContinuationToken>t</NextContinuationToken><Contents><Key>a$&amp;</Key></Contents><Contents><Key>b</Key></Contents>' +
    '<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>',
  azure:
    '<EnumerationResults><Blobs><Blob><Name>a</Name></Blob><Blob><Name>b</Name></Blob><BlobPrefix><Name>p/</Name></BlobPrefix></Blobs>' +
    '<NextMarker>m</NextMarker></EnumerationResults>',
  gcs: '{"kind":"storage#objects","items":[{"name":"a","generation":"1"},{"name":"b"}],"prefixes":["p/"],"nextPageToken":"t"}',
} as const

describe('listings that are changed on their way', () => {
  it('turns the objects of a page round, and leaves the rest', () => {
    expect(reversedListing('s3', pages.s3)).toBe(
      pages.s3
        .replace('<Key>b</Key>', '<Key>c</Key>')
        .replace('a$&amp;', 'b')
        .replace('<Key>c</Key>', '<Key>a$$&amp;</Key>'),
    )
    expect(reversedListing('azure', pages.azure)).toBe(
      pages.azure.replace('<Name>b<', '<Name>c<').replace('<Name>a<', '<Name>b<').replace('<Name>c<', '<Name>a<'),
    )
    expect(JSON.parse(reversedListing('gcs', pages.gcs))).toEqual({
      ...JSON.parse(pages.gcs),
      items: [{ name: 'b' }, { name: 'a', generation: '1' }],
    })
  })

  it('makes of a page that of an empty place, with no page behind it', () => {
    expect(emptyListing('s3', pages.s3)).toBe(
      '<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>',
    )
    expect(emptyListing('azure', pages.azure)).toBe(
      '<EnumerationResults><Blobs></Blobs><NextMarker></NextMarker></EnumerationResults>',
    )
    expect(JSON.parse(emptyListing('gcs', pages.gcs))).toEqual({ kind: 'storage#objects' })
  })
})
