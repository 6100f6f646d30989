import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkConfig, configHeader } from '../../../src/api/for-config.ts'
import { tempDir } from '../../support/temp-dir.ts'

/** `releases/1` and `releases/2`, and `current`, which leads to the first. */
function releases(dir: string) {
  for (const name of ['1', '2']) {
    mkdirSync(join(dir, 'releases', name, 'conf'), { recursive: true })
    writeFileSync(join(dir, 'releases', name, 'conf/cron.ini'), name)
  }
  symlinkSync('releases/1', join(dir, 'current'))
  const of = (folder: string) => join(dir, folder, 'conf/cron.ini')
  return {
    first: of('releases/1'),
    second: of('releases/2'),
    current: of('current'),
    /** Moves the link, and removes what it led to. */
    deploy: () => {
      symlinkSync('releases/2', join(dir, 'next'))
      renameSync(join(dir, 'next'), join(dir, 'current'))
      rmSync(join(dir, 'releases/1'), { recursive: true })
    },
  }
}

const socket = '/srv/data/taskd.sock'

test('a daemon that was started by a link is found by it, and by where it leads, after it has moved', async () => {
  await using dir = tempDir()
  const { first, second, current, deploy } = releases(dir.path)
  const own = { file: current, socket }
  for (const file of [current, first]) checkConfig(configHeader(file), own)
  expect(() => checkConfig(configHeader(second), own)).toThrow(
    expect.objectContaining({ hint: expect.stringContaining(`-c ${current}`) }),
  )
  deploy()
  for (const file of [current, second]) checkConfig(configHeader(file), own)
})

test('a daemon whose file is gone says so, and which command ends it', async () => {
  await using dir = tempDir()
  const { first, current, deploy } = releases(dir.path)
  deploy()
  expect(() => checkConfig(configHeader(current), { file: first, socket })).toThrow(
    expect.objectContaining({
      code: 'E_OTHER_CONFIG',
      message: `the daemon that runs with this data_dir reads ${first}, which is gone, not ${current}`,
      hint: `to replace it: env -u TASKD_CONFIG TASKD_SOCKET=${socket} taskd stop, then taskd start -c ${current}`,
    }),
  )
})
