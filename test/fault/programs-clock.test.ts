import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { startTimeOf } from '../../src/lib/proc.ts'
import { linesOf, newDaemon, type TestDaemon } from '../support/daemon.ts'
import { MARK } from '../support/daemon-processes.ts'
import { inState, pidsOf, programOf, programSection } from '../support/programs.ts'
import { waitFor } from '../support/wait.ts'

const DAY_S = 86_400

/**
 * Loaded into the daemon before anything else: what it takes for the time of day is moved by as many
 * ms as a file says, from the moment it is told to read it.
 */
const MOVED_CLOCK = `
import { appendFileSync, readFileSync } from 'node:fs'
const file = process.env.CLOCK_OF_TEST
const Real = Date
let moved = 0
process.on('SIGWINCH', () => {
  moved = Number(readFileSync(file, 'utf8'))
  appendFileSync(file + '.seen', new Date().toISOString() + '\\n')
})
globalThis.Date = class extends Real {
  constructor(...args) {
    if (args.length === 0) super(Real.now() + moved)
    else super(...args)
  }
  static now() {
    return Real.now() + moved
  }
}
`

/** Says when it was started, by a clock that nobody can set. */
const FAILS = `#!/bin/sh
cut -d' ' -f1 /proc/uptime >> "$0.starts"
exit 1
`

function startWithMovedClock(daemon: TestDaemon, file: string): void {
  const preload = join(daemon.dir, 'moved-clock.mjs')
  writeFileSync(preload, MOVED_CLOCK)
  const env = {
    ...process.env,
    [MARK]: daemon.dir,
    CLOCK_OF_TEST: file,
    NODE_OPTIONS: `--import=${preload}`,
  }
  const args = ['start', '-c', daemon.config]
  execFileSync(resolve('bin/taskd'), args, { cwd: daemon.dir, env, stdio: 'ignore' })
}

it('a clock that is set days ahead and back restarts, KILLs and delays nothing', async () => {
  await using daemon = newDaemon()
  const fails = daemon.script('fails.sh', FAILS)
  const deaf = daemon.script('deaf.sh', "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.05; done\n")
  const tries = { startsecs: 60, backoff: '1s', backoff_max: '1s' }
  daemon.configure({
    ini:
      programSection('steady', { command: '/bin/sleep 1000' }) +
      programSection('young', { command: '/bin/sleep 1000', startsecs: 600 }) +
      programSection('deaf', { command: deaf, stopwaitsecs: 2 }) +
      programSection('waits', { command: fails, startretries: 1000, ...tries }) +
      programSection('far', { command: '/bin/false', ...tries, backoff: '1h', backoff_max: '1h' }) +
      programSection('fatal', {
        command: '/bin/false',
        ...tries,
        startretries: 0,
        fatal_retry: '1h',
      }),
  })
  const file = join(daemon.dir, 'clock')
  startWithMovedClock(daemon, file)
  const steady = await inState(daemon, 'steady', 'RUNNING')
  const young = await inState(daemon, 'young', 'STARTING')
  await inState(daemon, 'far', 'BACKOFF')
  await inState(daemon, 'fatal', 'FATAL')
  const { pid: master, workers } = await daemon.status()
  const starts = () => linesOf(`${fails}.starts`).map(Number)

  const move = async (seconds: number) => {
    const before = linesOf(`${file}.seen`).length
    writeFileSync(file, String(seconds * 1000))
    process.kill(master, 'SIGWINCH')
    const seen = await waitFor(() => linesOf(`${file}.seen`)[before], { what: 'it sees the time' })
    expect(Math.abs(Date.parse(seen) - Date.now() - seconds * 1000)).toBeLessThan(10_000)
    const tried = starts().length
    await waitFor(() => starts().length > tried + 1, { what: 'retries come as ever' })
    expect(await programOf(daemon, 'steady')).toMatchObject({ pid: steady.pid, restart_num: 0 })
    expect(await programOf(daemon, 'young')).toMatchObject({ pid: young.pid, state: 'STARTING' })
    const far = await programOf(daemon, 'far')
    expect(far).toMatchObject({ state: 'BACKOFF', restart_num: 0 })
    const inSeconds = Number(/next try in (\d+) s/.exec(far.detail)?.[1])
    expect(inSeconds).toBeGreaterThan(2400)
    expect(inSeconds).toBeLessThanOrEqual(4320)
    expect(await programOf(daemon, 'fatal')).toMatchObject({ state: 'FATAL', restart_num: 0 })
    expect((await programOf(daemon, 'steady')).uptime_s).toBeLessThan(120)
  }
  for (const seconds of [3 * DAY_S, -5 * DAY_S, 4000 * DAY_S, 0]) await move(seconds)

  // The time until KILL, while the clock jumps both ways.
  const { pid } = await inState(daemon, 'deaf', 'RUNNING')
  const asked = performance.now()
  const stopped = daemon.control.change('stop', ['deaf'])
  await inState(daemon, 'deaf', 'STOPPING')
  for (const seconds of [DAY_S, -DAY_S]) {
    writeFileSync(file, String(seconds * 1000))
    process.kill(master, 'SIGWINCH')
  }
  expect(await stopped).toEqual([{ name: 'deaf', ok: true, message: 'stopped' }])
  expect(performance.now() - asked).toBeGreaterThan(1900)
  expect(performance.now() - asked).toBeLessThan(8000)
  expect(startTimeOf(pid)).toBeUndefined()

  // Each wait of 1 s, give or take its 20 %, and what a busy machine adds.
  const waits = starts().map((at, n, all) => at - (all[n - 1] ?? at))
  for (const wait of waits.slice(1)) {
    expect(wait).toBeGreaterThan(0.75)
    expect(wait).toBeLessThan(6)
  }
  const pids = (await daemon.status()).workers.map(one => one.pid)
  expect(pids).toEqual(workers.map(one => one.pid))
  expect(await pidsOf(daemon)).toMatchObject({ steady: steady.pid, young: young.pid })
  expect((await daemon.cli('stop')).code).toBe(0)
})
