import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { linesOf, startDaemon } from '../support/daemon.ts'
import { inState, programSection } from '../support/programs.ts'
import { waitFor } from '../support/wait.ts'

it('why says how it died, how often, and when the next try comes', async () => {
  const keys = { startsecs: '10', startretries: 1, backoff: '50ms', fatal_retry: '1h' }
  await using daemon = await startDaemon({
    ini:
      programSection('broken', { command: "/bin/sh -c 'exit 7'", ...keys }) +
      programSection('missing', { command: '/no/such/thing', ...keys }) +
      programSection('waits', { command: "/bin/sh -c 'exit 3'", ...keys, backoff: '1h' }) +
      programSection('once', { command: '/bin/sleep 0.2', startsecs: 0 }) +
      programSection('hopeless', { command: '/bin/false', ...keys, fatal_retry: 0 }),
  })
  const why = async (name: string) => (await daemon.cli('why', name)).stdout
  await inState(daemon, 'broken', 'FATAL')
  const broken = await why('broken')
  expect(broken).toMatch(/^program broken is FATAL since /)
  for (const text of ['exit code 7', 'startretries allows 1', 'every 1h', 'BACKOFF → STARTING'])
    expect(broken).toContain(text)
  await inState(daemon, 'missing', 'FATAL')
  expect(await why('missing')).toContain('/no/such/thing')
  await inState(daemon, 'waits', 'BACKOFF')
  expect(await why('waits')).toMatch(/exit code 3; next try in \d+ s/)
  await inState(daemon, 'once', 'EXITED')
  expect(await why('once')).toContain('it ended by itself')
  await inState(daemon, 'hopeless', 'FATAL')
  expect(await why('hopeless')).toContain('only taskd start brings it back')
  for (const name of ['broken', 'missing', 'waits', 'hopeless'])
    expect([name, (await daemon.cli('status', name)).code]).toEqual([name, 3])
  expect((await daemon.cli('status', 'once')).code).toBe(0)
  const { stdout } = await daemon.cli('status')
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  const start = await daemon.cli('start', 'broken')
  expect([start.code, start.stdout]).toEqual([1, ''])
  expect(start.stderr).toContain('broken: BACKOFF: exit code 7')
  expect((await daemon.cli('stop', 'waits', 'broken')).code).toBe(0)
  expect(await why('waits')).toContain('stopped by a person: stop by')
  expect(readFileSync(join(daemon.dataDir, 'wanted.json'), 'utf8')).toContain('"waits"')
})

const LIVES = `#!/bin/sh
echo "$$ $(date +%s.%N)" >> "$0.$1"
exec sleep "$1"
`

it('one that dies after 0, 1.2 or 1.3 s is FATAL soon, and comes back once in fatal_retry', async () => {
  await using daemon = await startDaemon()
  const script = daemon.script('lives.sh', LIVES)
  const keys = { autorestart: true, exitcodes: '', backoff: '100ms', fatal_retry: '6s' }
  const lives = ['0', '1.2', '1.3']
  const section = (life: string) =>
    programSection(`lives-${life}`, { command: `${script} ${life}`, ...keys })
  daemon.configure({ ini: lives.map(section).join('') })
  await daemon.cli('reload')
  const follow = async (life: string) => {
    const name = `lives-${life}`
    const starts = () => linesOf(`${script}.${life}`).map(line => Number(line.split(' ')[1]))
    const { detail } = await inState(daemon, name, 'FATAL', 40_000)
    const before = starts().length
    expect(detail).toMatch(/exit code 0; next try in [1-6] s/)
    // Quick deaths end at startretries, others at max_deaths.
    expect([life, before]).toEqual([life, life === '0' ? 4 : 5])
    expect((await daemon.cli('why', name)).stdout).toContain(
      life === '0' ? 'startsecs 4 times in a row' : 'died 5 times within 1m',
    )
    await waitFor(() => starts().length >= before + 2, {
      timeoutMs: 40_000,
      what: `${name} is tried again, twice`,
    })
    await inState(daemon, name, 'FATAL', 40_000)
    const times = starts()
    expect(times).toHaveLength(before + 2)
    const [first = 0, second = 0] = times.slice(-2)
    // On probation: one death, and it waits the whole interval again.
    expect(second - first).toBeGreaterThan(6 + Number(life) - 0.05)
    const why = (await daemon.cli('why', name)).stdout
    for (const text of ['it died again on its second chance', 'every 6s'])
      expect(why).toContain(text)
  }
  await Promise.all(lives.map(follow))
  expect((await daemon.cli('status')).code).toBe(3)
})
