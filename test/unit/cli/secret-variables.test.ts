import { expect, test } from 'vitest'
import { takeSecrets } from '../../../src/cli/secret-variables.ts'

test('what is secret leaves the environment, and is told once', () => {
  const secret = {
    TASKD_SECRET: 'a',
    TASKD_SECRET_PUSH: 'b',
    TASKD_DATABASE: 'c',
    TASKD_REDIS: 'd',
  }
  const rest = { TASKD_NODE: 'web-1', TASKD_SECRETARY: 'e', PATH: '/bin', NOTIFY_SOCKET: '/n' }
  const env: NodeJS.ProcessEnv = { ...secret, ...rest }
  expect(takeSecrets(env)).toEqual({ ...secret, ...rest })
  expect(env).toEqual(rest)
})
