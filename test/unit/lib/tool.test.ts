import { expect, test, vi } from 'vitest'
import { runTool } from '../../../src/lib/tool.ts'

const sh = (script: string, limitMs = 60_000) => runTool('sh', ['-c', script], limitMs)

test('a tool that does its work hands back what it wrote', async () => {
  expect(await sh('echo well; echo aside >&2')).toEqual({ ok: true, stdout: 'well' })
})

test('a tool that fails is told in one line: its own last one, or how it ended', async () => {
  expect(await sh('echo first >&2; echo "no room" >&2; exit 2')).toEqual({
    ok: false,
    reason: 'no room',
    exitCode: 2,
  })
  expect(await sh('exit 3')).toEqual({ ok: false, reason: 'sh: exit code 3', exitCode: 3 })
  expect(await sh('kill -9 $$')).toMatchObject({ ok: false, reason: 'sh: ended by SIGKILL' })
})

test('a tool that is not there has no exit code', async () => {
  const run = await runTool('no-such-tool', [], 1000)
  expect(run).toEqual({ ok: false, reason: 'spawn no-such-tool ENOENT', exitCode: undefined })
})

test('a tool that takes too long is killed, whatever it does about TERM', async () => {
  expect(await sh('trap "" TERM; exec sleep 600', 300)).toMatchObject({
    ok: false,
    reason: 'sh took longer than 0.3 s',
  })
})

test('nobody listens to the signals of this process because of it', async () => {
  const listens = vi.spyOn(process, 'on')
  await sh('exit 0')
  const heard = listens.mock.calls.map(([event]) => event)
  listens.mockRestore()
  expect(heard).not.toContain('SIGTERM')
})
