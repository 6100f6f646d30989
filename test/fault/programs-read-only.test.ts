import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { supervise } from '../support/supervised.ts'
import { waitFor } from '../support/wait.ts'

test('a record that cannot be removed, as on a disk that became read-only, takes nothing down', async () => {
  await using world = supervise()
  await world.supervisor.start([world.spec('a', 'exec sleep 100')])
  const program = world.supervisor.members[0]?.program
  const running = () => waitFor(() => program?.state.name === 'RUNNING', { what: 'it runs' })
  await running()
  const first = program?.pid ?? 0
  const records = join(world.dir, 'run')
  try {
    execFileSync('mount', ['--bind', records, records])
  } catch (error) {
    throw new Error('cannot mount: this test has to run as root, as in CI', { cause: error })
  }
  try {
    execFileSync('mount', ['-o', 'remount,ro,bind', records])
    process.kill(first, 'SIGKILL')
    await waitFor(() => program?.pid !== first, { what: 'a new pid' })
    await running()
    expect(world.logged.join('\n')).toMatch(/its pid could not be noted on disk/)
  } finally {
    execFileSync('umount', [records])
  }
})
