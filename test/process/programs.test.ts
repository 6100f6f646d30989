import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ChangeResult, Why } from '../../src/api/control.ts'
import type { Status } from '../../src/api/status.ts'
import { gone, jsonOf, linesOf, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { manySection, pidsOf, programSection, running } from '../support/programs.ts'
import { waitFor } from '../support/wait.ts'

/** Says which signals it got. */
const LISTENER = `#!/bin/sh
trap 'echo HUP >> "$0.heard"' HUP
trap 'echo USR1 >> "$0.heard"' USR1
echo up >> "$0.heard"
while :; do sleep 0.02; done
`

const INI =
  manySection('web', 2, { command: '/bin/sleep 1000', startsecs: '0.1' }) +
  programSection('listener', { command: '%(here)s/../listener.sh', startsecs: '0.1' }) +
  programSection('off', { command: '/bin/sleep 1000', startsecs: '0.1', autostart: false }) +
  programSection('api', { command: '/bin/sleep 1000', startsecs: '0.1' }) +
  programSection('mail', { command: '/bin/sleep 1000', startsecs: '0.1' }) +
  '[group:back]\nprograms = api, mail\n' +
  '[report]\ntask_key = sync_tasks\nrun_time = @yearly\nscript = /bin/true\n'

/** What runs of it. */
const ALL = ['web:web_00', 'web:web_01', 'listener', 'back:api', 'back:mail']

describe('programs by name', () => {
  let daemon: TestDaemon
  beforeAll(async () => {
    daemon = await startDaemon()
    daemon.script('listener.sh', LISTENER)
    daemon.configure({ ini: INI })
    await daemon.cli('reload')
    await running(daemon, ALL)
  })
  afterAll(() => daemon.remove())

  const said = async (...args: string[]) => {
    const { code, stdout, stderr } = await daemon.cli(...args)
    const linesIn = (text: string) => text.split('\n').filter(Boolean).toSorted()
    return { code, out: linesIn(stdout), err: linesIn(stderr) }
  }

  it('a group, group:*, one process, or a program in a group of another name', async () => {
    for (const [name, members] of [
      ['web', ['web:web_00', 'web:web_01']],
      ['web:*', ['web:web_00', 'web:web_01']],
      ['web:web_01', ['web:web_01']],
      ['back:*', ['back:api', 'back:mail']],
      ['mail', ['back:mail']],
    ] as const) {
      const before = await pidsOf(daemon)
      expect(await said('stop', name)).toEqual({
        code: 0,
        out: members.map(one => `${one}: stopped`),
        err: [],
      })
      const left = ALL.filter(one => !members.some(other => other === one))
      expect(Object.keys(await pidsOf(daemon)).toSorted()).toEqual(left.toSorted())
      expect((await said('stop', name)).out).toEqual(members.map(one => `${one}: not running`))
      expect((await said('start', name)).out).toEqual(members.map(one => `${one}: started`))
      expect((await said('start', name)).out).toEqual(members.map(one => `${one}: already started`))
      const after = await running(daemon, ALL)
      for (const one of ALL)
        expect([one, after[one] === before[one]]).toEqual([one, left.includes(one)])
    }
  })

  it('several names at once, each answered once', async () => {
    const before = await pidsOf(daemon)
    const { code, out, err } = await said('restart', 'web', 'web:web_00', 'listener')
    expect([code, out, err]).toEqual([
      0,
      ['listener: restarted', 'web:web_00: restarted', 'web:web_01: restarted'],
      [],
    ])
    const after = await running(daemon, ALL)
    expect(after['back:api']).toBe(before['back:api'])
    for (const name of ['listener', 'web:web_00', 'web:web_01'])
      expect(after[name]).not.toBe(before[name])
  })

  it('why of a paused job says how to let it go on', async () => {
    const why = async () => (await said('why', 'report')).out.join('\n')
    await said('pause', 'report')
    expect(await why()).toContain('taskd resume report lets it go on')
    await said('resume', 'report')
    expect(await why()).not.toContain('resume')
  })

  it('a name that nothing has is said, with the nearest there is, and holds up no other', async () => {
    for (const verb of ['start', 'stop', 'restart']) {
      const { code, out, err } = await said(verb, 'web:web_0', 'back:mail')
      expect(code).toBe(1)
      expect(err).toEqual([
        expect.stringMatching(/^web:web_0: no such name.*did you mean web:web_0[01]\?$/),
      ])
      expect(out).toHaveLength(1)
    }
    const heard = await said('signal', 'HUP', 'lisener')
    expect([heard.code, heard.out]).toEqual([1, []])
    expect(heard.err[0]).toContain('did you mean listener?')
    expect(await said('stop', 'nothing-like-it')).toMatchObject({
      code: 1,
      err: [expect.stringContaining('nothing-like-it: no such name')],
    })
    for (const verb of ['start', 'stop', 'restart'])
      expect(await said(verb, 'report')).toMatchObject({
        code: 1,
        err: [expect.stringMatching(/^report: a job is not a process; taskd run report .*pause/)],
      })
    const why = await said('why', 'lisener')
    expect([why.code, why.err]).toEqual([4, [expect.stringContaining('did you mean listener?')]])
    const group = await said('why', 'web')
    expect([group.code, group.err]).toEqual([
      4,
      ['taskd: web is a group. ask about one of its processes, for instance web:web_00'],
    ])
    const status = await said('status', 'lisener')
    expect([status.code, status.err]).toEqual([4, [expect.stringContaining('listener')]])
    const scale = await said('scale', 'wep', '3')
    expect([scale.code, scale.err]).toEqual([4, [expect.stringContaining('did you mean web?')]])
  })

  it('signals reach the program, by any name for them, and only what runs', async () => {
    const file = join(daemon.dir, 'listener.sh.heard')
    await waitFor(() => linesOf(file).at(-1) === 'up', { what: 'its traps are set' })
    for (const [signal, heard] of [
      ['HUP', 'HUP'],
      ['sigusr1', 'USR1'],
      ['1', 'HUP'],
    ] as const) {
      const before = linesOf(file).length
      expect(await said('signal', signal, 'listener')).toMatchObject({ code: 0, err: [] })
      await waitFor(() => linesOf(file).slice(before).includes(heard), {
        what: `it hears ${heard}`,
      })
    }
    expect(await said('signal', 'HUP', 'off')).toEqual({
      code: 1,
      out: [],
      err: ['off: not running'],
    })
    expect((await said('signal', 'NOPE', 'listener')).code).toBe(1)
    expect((await said('signal', 'HUP', 'sync_tasks')).code).toBe(1)
  })

  it('a signal that ends it is a death like any other', async () => {
    const { 'web:web_00': before } = await pidsOf(daemon)
    expect((await said('signal', 'KILL', 'web:web_00')).code).toBe(0)
    await waitFor(async () => (await pidsOf(daemon))['web:web_00'] !== before, { what: 'another' })
    await running(daemon, ALL)
    expect((await daemon.control.why('web:web_00')).history.map(one => one.detail)).toContain(
      'ended by SIGKILL',
    )
  })

  it('pid prints pids, and says by its exit code whether they are some', async () => {
    const { pid, programs } = await daemon.status()
    const { pid: web } = programs.find(one => one.name === 'web:web_00') ?? {}
    expect(await said('pid')).toMatchObject({ code: 0, out: [String(pid)] })
    expect(await said('pid', 'web:web_00')).toMatchObject({ code: 0, out: [String(web)] })
    expect(await said('pid', 'off')).toMatchObject({ code: 1, out: ['0'] })
    expect(await said('pid', 'web:web_0')).toMatchObject({ code: 4, out: [] })
  })

  it('a signal that there is not is exit 1, as for supervisorctl', async () => {
    const { code, err } = await said('signal', 'BOGUS', 'listener')
    expect([code, err]).toEqual([
      1,
      ['taskd: there is no signal BOGUS. write one as in HUP, USR1 or 15'],
    ])
  })

  it('the Redis they need is not stopped by name, and restarts by name', async () => {
    const refused = await said('stop', 'redis')
    expect(refused).toMatchObject({ code: 1, out: [] })
    expect(refused.err).toEqual([expect.stringMatching(/^redis: taskd needs it; /)])
    const why = (await daemon.cli('why', 'redis')).stdout
    expect(why).toMatch(/^program redis is RUNNING[^]*it answers, version \d/)
    expect((await daemon.cli('why', 'taskd')).stdout).toMatch(/^daemon taskd is RUNNING\n/)
    expect(await said('restart', 'redis')).toMatchObject({ code: 0, err: [] })
    await daemon.ready()
  })

  it('stop all stops programs, says how workers are stopped, and leaves Redis alone', async () => {
    const redis = (await daemon.status()).programs.find(one => one.group === '')?.pid
    const result = await daemon.cli('stop', 'all', '--json')
    const changes = jsonOf(result) as ChangeResult[]
    expect(result.code).toBe(0)
    const { workers, programs } = await daemon.status()
    const names = programs.filter(one => one.group !== '').map(one => one.name)
    expect(changes.map(one => one.name).toSorted()).toEqual([...names, 'workers'].toSorted())
    expect(changes.at(-1)?.message).toMatch(/taskd drain .*taskd stop QUEUE/)
    expect(changes.every(one => one.ok)).toBe(true)
    expect(await pidsOf(daemon)).toEqual({})
    expect(workers.map(one => one.state)).toEqual(workers.map(() => 'RUNNING'))
    expect(programs.find(one => one.group === '')?.pid).toBe(redis)
    expect((await daemon.cli('status')).code).toBe(3)
    expect((await daemon.cli('start', 'all')).code).toBe(0)
    // Also what does not start by itself.
    await running(daemon, [...ALL, 'off'])
    await daemon.cli('stop', 'off')
  })

  it('scale has as many as it is told, until the next reload', async () => {
    const before = await pidsOf(daemon)
    expect(await said('scale', 'web', '4')).toMatchObject({ code: 0 })
    const more = await running(daemon, [...ALL, 'web:web_02', 'web:web_03'])
    expect(more).toMatchObject(before)
    expect(await said('scale', 'web', '1')).toMatchObject({ code: 0 })
    await running(
      daemon,
      ALL.filter(name => name !== 'web:web_01'),
    )
    expect((await said('reload')).code).toBe(0)
    const after = await running(daemon, ALL)
    const { 'web:web_01': _again, ...others } = before
    expect(after).toMatchObject(others)
    const refused = await said('scale', 'listener', '2')
    expect(refused).toMatchObject({ code: 1, out: [] })
    expect(refused.err[0]).toContain('process_name = %(program_name)s_%(process_num)02d')
    expect((await said('scale', 'web', 'many')).code).toBe(2)
    expect((await said('scale', 'web', '-1')).code).toBe(2)
  })

  it('status tells up from down by its exit code, and fits 80 columns', async () => {
    expect((await said('status', 'web')).code).toBe(0)
    expect((await said('status', 'off')).code).toBe(3)
    expect((await said('status', 'web', 'off')).code).toBe(3)
    const { out } = await said('status', 'web:*')
    expect(out).toEqual([
      expect.stringMatching(/^web:web_00 {2}RUNNING {4}pid \d+, uptime 0:\d\d:\d\d$/),
      expect.stringMatching(/^web:web_01 {2}RUNNING {4}pid \d+, uptime 0:\d\d:\d\d$/),
    ])
    for (const args of [['status'], ['why', 'web:web_00'], ['plan'], ['status', 'off']]) {
      const { stdout } = await daemon.cli(...args)
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
    }
  })

  it('the shapes of --json', async () => {
    const status = jsonOf(await daemon.cli('status', 'web:web_00', '--json')) as Status
    expect(status.programs).toEqual([
      {
        name: 'web:web_00',
        group: 'web',
        state: 'RUNNING',
        pid: expect.any(Number) as number,
        uptime_s: expect.any(Number) as number,
        restart_num: expect.any(Number) as number,
        detail: '',
        cpu: expect.any(Number) as number,
        memory: expect.any(Number) as number,
        dropped: 0,
      },
    ])
    expect(status.programs[0]?.memory).toBeGreaterThan(100_000)
    const why = jsonOf(await daemon.cli('why', 'off', '--json')) as Why
    expect(why).toMatchObject({ name: 'off', kind: 'program', state: 'STOPPED' })
    expect(jsonOf(await daemon.cli('signal', 'CONT', 'web', '--json'))).toEqual(
      ['web:web_00', 'web:web_01'].map(name => ({
        name,
        ok: true,
        message: 'signalled with SIGCONT',
      })),
    )
    expect(jsonOf(await daemon.cli('scale', 'web', '2', '--json'))).toEqual({
      name: 'web',
      count: 2,
    })
    expect(jsonOf(await daemon.cli('plan', '--json'))).toEqual({
      applied: false,
      changes: [],
      problems: [],
    })
    const unknown = await daemon.cli('start', 'nobody', '--json')
    expect([unknown.code, jsonOf(unknown)]).toEqual([
      1,
      [{ name: 'nobody', ok: false, message: expect.stringContaining('no such name') as string }],
    ])
  })

  it('a stop of the daemon ends them all, and without one nothing answers', async () => {
    const pids = Object.values(await pidsOf(daemon))
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    for (const pid of pids) await gone(pid)
    expect(daemon.processes()).toEqual([])
    for (const [args, code] of [
      [['status'], 4],
      [['why', 'web'], 4],
      [['start', 'web'], 1],
      [['reload'], 1],
    ] as const) {
      const result = await daemon.cli(...args)
      expect([args, result.code]).toEqual([args, code])
      expect(result.stderr).toContain('no daemon here')
    }
  })
})
