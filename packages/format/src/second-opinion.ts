/** Readers and writers of Parquet that share no code with ours. Each loads its package, an optional peer, when it is asked for. */
export { hyparquetWriter } from './second-opinion/hyparquet-writer.ts'
