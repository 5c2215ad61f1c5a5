export { fileSystem } from './file-system.ts'
export type { FileSystemOptions } from './file-system.ts'
export { memory } from './memory.ts'
export type { MemoryOptions } from './memory.ts'
