/** Readers and writers of Parquet that share no code with ours. Each loads its package, an optional peer, when it is asked for. */
export { hyparquetWriter } from './second-opinion/hyparquet-writer.ts'
export { secondOpinion } from './second-opinion/second-reader.ts'
export type { PhysicalGroup, PhysicalValue, SecondOpinion, SecondReadRequest } from './second-opinion/second-reader.ts'
export type { SecondElement } from './second-opinion/second-schema.ts'
export { verifyFile } from './second-opinion/verify-file.ts'
export type { FileVerdict, ReaderDifference, UnreadColumn, VerifyFileOptions } from './second-opinion/verify-file.ts'
