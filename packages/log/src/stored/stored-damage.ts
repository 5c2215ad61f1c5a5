import { corrupt, isKind } from '@moulin/core'

/** Reads an object of the log's own. @throws what the reading throws; where the object is damaged, with the way back beside it. */
export async function withWayBack<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    if (!isKind(error, 'corrupt')) throw error
    const message = `${error.message} See what \`moulin repair\` says of it.`
    throw corrupt(error.code, message, { context: error.context, cause: error })
  }
}
