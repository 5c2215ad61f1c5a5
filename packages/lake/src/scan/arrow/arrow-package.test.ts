import * as arrow from 'apache-arrow'
import { describe, expect, it } from 'vitest'
import { loadArrow } from './arrow-package.ts'

const failing = (code: string) => () => Promise.reject(Object.assign(new TypeError('no'), { code }))

describe('loadArrow', () => {
  it('gives the package', async () => {
    expect((await loadArrow()).makeData).toBe(arrow.makeData)
  })

  it('says which package is missing and how to get it', async () => {
    const error = {
      kind: 'unsupported',
      code: 'ARROW_MISSING',
      message: expect.stringContaining('npm install apache-arrow') as string,
    }
    await expect(loadArrow(failing('ERR_MODULE_NOT_FOUND'))).rejects.toMatchObject(error)
  })

  it('hides no other failure', async () => {
    await expect(loadArrow(failing('ERR_DLOPEN_FAILED'))).rejects.toBeInstanceOf(TypeError)
  })
})
