import { freePorts, goProgram, isListening, startService } from './service-process.ts'

const VERSION = 'v1.56.1'

/** A server that speaks as Google Cloud Storage does, with one bucket. */
export interface GcsService {
  readonly name: string
  readonly endpoint: string
  readonly bucket: string
  close(): Promise<void>
}

/** fake-gcs-server on loopback, in memory. */
export async function fakeGcs(): Promise<GcsService> {
  const name = `fake-gcs-server ${VERSION.slice(1)}`
  const [port] = (await freePorts(1)) as [number]
  const endpoint = `http://127.0.0.1:${port}`
  const { close } = await startService({
    name,
    command: await goProgram('github.com/fsouza/fake-gcs-server', VERSION),
    args: () => {
      const at = ['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port)]
      // Without these a download is not found, and a resumable upload goes on elsewhere.
      const named = ['-public-host', `127.0.0.1:${port}`, '-external-url', endpoint]
      return [...at, ...named, '-backend', 'memory', '-log-level', 'warn']
    },
    isUp: () => isListening(port),
  })
  const made = await fetch(`${endpoint}/storage/v1/b?project=moulin`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"name":"moulin"}',
  })
  if (!made.ok) {
    await close()
    throw new Error(`${name} made no bucket: ${made.status} ${await made.text()}`)
  }
  return { name, endpoint, bucket: 'moulin', close }
}
