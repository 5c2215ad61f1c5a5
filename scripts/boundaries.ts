/** The arrows of the design as data: each package and what its published code may import, transitively. */
export const arrows: Readonly<Record<string, readonly string[]>> = {
  core: [],
  storage: ['core'],
  'storage-s3': ['core'],
  'storage-gcs': ['core'],
  'storage-azure': ['core'],
  format: ['core'],
  log: ['format'],
  iceberg: ['format'],
  catalog: ['iceberg'],
  lake: ['log', 'iceberg'],
  gateway: ['lake', 'catalog'],
  testing: ['core', 'format', 'iceberg'],
  moulin: [
    'core',
    'storage',
    'storage-s3',
    'storage-gcs',
    'storage-azure',
    'log',
    'iceberg',
    'catalog',
    'lake',
    'gateway',
  ],
}

/** Arrows of one folder of a package alone: the simulator runs the real log and lake. */
export const folderArrows: Readonly<Record<string, readonly string[]>> = {
  'packages/testing/src/sim/': ['log', 'lake'],
}

/** The only published files that may touch the disk: the system's own runtime. */
const diskDoor = /^packages\/core\/src\/(doors\/files|system\/system-[^/]+)\.ts$/

/** The only published files that may load other people's Parquet, or be asked to: nobody else's work depends on it. */
const secondOpinion = /^packages\/format\/src\/second-opinion[./]/

/** The only published files that may know of threads: who makes them, what runs in one, and what can go over. */
const threadDoor =
  /^packages\/(core\/src\/system\/system-threads|[^/]+\/src\/worker|format\/src\/threads\/transferables)\.ts$/

/** The only published file that may load OpenTelemetry. */
const telemetryEntry = 'packages/moulin/src/opentelemetry.ts'

const diskModules: ReadonlySet<string> = new Set(['fs', 'fs/promises', 'node:fs', 'node:fs/promises'])
const testFile = /\.test(-[^/]*)?\.ts$/

/** What a package reaches by following arrows, itself included. */
export const reachable = (name: string, seen: Set<string> = new Set()): ReadonlySet<string> => {
  if (seen.has(name)) return seen
  seen.add(name)
  for (const next of arrows[name] ?? []) reachable(next, seen)
  return seen
}

/** Why `file` (path from the root, in packages/) may not import `specifier`, or undefined where it may. */
export const violation = (file: string, specifier: string, dependencies: ReadonlySet<string>): string | undefined => {
  const owner = file.split('/')[1] ?? ''
  const isTest = testFile.test(file)
  if (!(owner in arrows)) return `package ${owner} has no row in scripts/boundaries.ts`
  if (specifier.startsWith('.')) {
    const target = new URL(specifier, `file:///${file}`).pathname.slice(1)
    if (!target.startsWith(`packages/${owner}/src/`)) return 'a relative import leaves the package'
    if (!isTest && secondOpinion.test(target) && !secondOpinion.test(file))
      return 'the second opinion is an entry of its own, asked for alone'
    return !isTest && testFile.test(target) ? 'published code imports a test file' : undefined
  }
  if (owner !== 'core' && /^hyparquet(-writer)?(\/|$)/.test(specifier) && !isTest && !secondOpinion.test(file))
    return 'other Parquet packages are loaded by the second opinion alone'
  if (specifier.startsWith('@opentelemetry/') && !isTest && file !== telemetryEntry)
    return 'OpenTelemetry is loaded by moulin/opentelemetry alone'
  if (diskModules.has(specifier)) {
    return isTest || diskDoor.test(file) ? undefined : 'the disk is reached through runtime.files of core alone'
  }
  if (/^(node:)?worker_threads$/.test(specifier) && !isTest && !threadDoor.test(file))
    return 'threads are made by runtime.threads of core alone'
  if (specifier.startsWith('node:')) return undefined

  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  const sibling = /^(?:@moulin\/(.+)|(moulin))$/.exec(name)
  const target = sibling?.[1] ?? sibling?.[2]
  if (target !== undefined && !allowedSiblings(file, owner, isTest).has(target)) {
    return `no arrow leads from ${owner} to ${target}`
  }
  // A test may use what the root installs; one folder's own arrows are declared as devDependencies.
  if (isTest || target === owner || dependencies.has(name) || ownFolder(file) !== undefined) return undefined
  if (owner === 'core') return 'core imports nothing but node: modules'
  return `${name} is not among the dependencies of packages/${owner}`
}

const ownFolder = (file: string): string | undefined =>
  Object.keys(folderArrows).find((folder) => file.startsWith(folder))

const allowedSiblings = (file: string, owner: string, isTest: boolean): ReadonlySet<string> => {
  const allowed = new Set(reachable(owner))
  const roots = [...(isTest ? ['testing'] : []), ...(folderArrows[ownFolder(file) ?? ''] ?? [])]
  for (const root of roots) for (const name of reachable(root)) allowed.add(name)
  return allowed
}
