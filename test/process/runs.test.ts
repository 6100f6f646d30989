import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RunRecord } from '../../src/model/run-record.ts'
import { freePort } from '../support/agent.ts'
import { jsonOf, linesOf, newDaemon, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { begun, holdOne, letGo } from '../support/held-task.ts'
import { waitFor } from '../support/wait.ts'

const SAYS = '#!/bin/sh\necho said on stdout; echo said on stderr >&2; exit "${1:-0}"\n'

async function runsOf(daemon: TestDaemon, ...args: string[]): Promise<RunRecord[]> {
  const result = await daemon.cli('runs', ...args, '--json')
  if (result.code !== 0) throw new Error(result.stderr)
  return jsonOf(result) as RunRecord[]
}

describe('taskd runs', () => {
  let daemon: TestDaemon
  beforeAll(async () => {
    daemon = await startDaemon()
    const script = daemon.script('says.sh', SAYS)
    const job = (name: string, more: string) =>
      `[${name}]\ntask_key = sync_tasks\nrun_time = 0 0 1 1 *\nscript = ${script}\n${more}\n`
    daemon.configure({
      ini: `${job('good', '')}${job('bad', 'controller = 7\nretry_intervals = 0')}`,
    })
    await daemon.cli('reload')
  })
  afterAll(() => daemon.remove())

  it('prints the numbers of an answer with every digit', async () => {
    const data = '[1234567890123456789,1.10]'
    const script = daemon.script('digits.sh', `#!/bin/sh\nprintf 'x{"code":"succ","data":${data}}'`)
    const { stdout } = await daemon.cli(
      'push',
      'sync_tasks',
      '--script',
      script,
      '--wait',
      '--json',
    )
    expect(stdout).toContain(`"data":${data}`)
  })

  it('has of each run when, where, how it ended, what it took and what it wrote', async () => {
    const ran = await daemon.cli('run', 'good', '--wait')
    expect(ran.code).toBe(0)
    const [run, ...others] = await runsOf(daemon, 'good')
    expect(others).toEqual([])
    const worker = (await daemon.status()).workers.find(one => one.kind === 'sync')?.name
    expect(run).toMatchObject({
      job: 'good',
      task_key: 'sync_tasks',
      attempt: 1,
      worker_id: worker,
      outcome: 'succ',
      kind: '',
      code: 'succ',
      exit_code: 0,
      signal: '',
      output: expect.stringContaining('said on stderr'),
    })
    expect(run?.output).toContain('said on stdout')
    expect(run?.peak_memory).toBeGreaterThan(500_000)
    expect(run?.duration_ms).toBe(
      Date.parse(run?.end_runtime ?? '') - Date.parse(run?.start_runtime ?? ''),
    )
  })

  it('has each attempt, the newest first, and stays within 80 columns', async () => {
    expect((await daemon.cli('run', 'bad', '--wait')).code).toBe(1)
    const runs = await runsOf(daemon, 'bad')
    expect(runs.map(run => [run.attempt, run.kind, run.exit_code])).toEqual([
      [2, 'exit', 7],
      [1, 'exit', 7],
    ])
    const { stdout } = await daemon.cli('runs')
    expect(stdout.split('\n').filter(line => line.length > 80)).toEqual([])
    expect(stdout).toMatch(/ bad +exit 7 +\d+ms +[\d.]+M +run-bad-/)
    expect(stdout).toContain('\n  attempt 2: said on ')
  })

  it('a task without a job is found by its queue', async () => {
    const script = daemon.script('slain.sh', '#!/bin/sh\necho end; kill -9 $$\n')
    await daemon.cli('push', 'async_tasks', '--script', script, '--id', 'SLAIN', '--wait')
    const [run] = await runsOf(daemon, '--queue', 'async_tasks')
    expect(run).toMatchObject({
      unique_task_id: 'SLAIN',
      job: '',
      kind: 'signal',
      signal: 'SIGKILL',
    })
    const others = await runsOf(daemon, '--queue', 'sync_tasks')
    expect(others.map(one => one.unique_task_id)).not.toContain('SLAIN')
    expect((await runsOf(daemon)).length).toBeGreaterThan(3)
    expect(await runsOf(daemon, '--limit', '1')).toEqual([run])
  })

  it('a run that a cancel ended says so, with what it had written', async () => {
    const script = daemon.script('long.sh', '#!/bin/sh\necho begun; touch $1/long; sleep 100\n')
    await daemon.push('async_tasks', { script, controller: daemon.dir, unique_task_id: 'LONG' })
    await waitFor(async () => (await daemon.cli('cancel', 'LONG')).stdout.includes('told to end'), {
      what: 'it runs and is told to end',
    })
    const run = await waitFor(
      async () => (await runsOf(daemon)).find(one => one.unique_task_id === 'LONG'),
      { what: 'the cancelled run is in the history' },
    )
    expect(run).toMatchObject({ kind: 'cancelled', outcome: 'fail' })
  })

  it('a name that there is not is one line and exit code 4', async () => {
    for (const args of [
      ['runs', 'godo'],
      ['runs', '--queue', 'nowhere'],
    ]) {
      const { code, stdout, stderr } = await daemon.cli(...args)
      expect([code, stdout]).toEqual([4, ''])
      expect(stderr).toMatch(/^taskd: no (?:job|queue) named [^\n]+\n$/)
    }
    expect((await daemon.cli('runs', 'godo')).stderr).toContain('did you mean good?')
  })
})

describe('runs that did not end by themselves', () => {
  it('one that went with its worker is lost, and the next attempt follows', async () => {
    await using daemon = await startDaemon()
    await holdOne(daemon, 'async_tasks', 'a')
    // What its worker has not yet told anybody cannot be remembered.
    await waitFor(async () => (await daemon.redis.keys('Task:List:*:a')).length === 1, {
      what: 'its row is there',
    })
    process.kill(await daemon.worker('-async_tasks-1'), 'SIGKILL')
    await waitFor(() => begun(daemon).length === 2, { what: 'it runs again' })
    letGo(daemon)
    const runs = await waitFor(
      async () => {
        const found = await runsOf(daemon)
        return found.length === 2 && found
      },
      { what: 'both are in the history' },
    )
    expect(runs.map(run => [run.attempt, run.outcome, run.kind, run.peak_memory === null])).toEqual(
      [
        [2, 'succ', '', false],
        [1, 'fail', 'lost', true],
      ],
    )
  })

  it('one that taskd ended when it stopped was given back, and runs again', async () => {
    await using daemon = await startDaemon({ taskd: { stop_wait: '0s' } })
    await holdOne(daemon, 'async_tasks', 'a')
    await daemon.stop()
    letGo(daemon)
    await daemon.start()
    const runs = await waitFor(
      async () => {
        const found = await runsOf(daemon)
        return found.length === 2 && found
      },
      { what: 'both are in the history' },
    )
    expect(runs.map(run => run.outcome)).toEqual(['succ', 'returned'])
    expect((await daemon.cli('runs')).stdout).toContain('given back')
  })

  it('those that the schedule ended are no failures, nor is one that it waits for', async () => {
    await using daemon = newDaemon()
    const script = daemon.script('long.sh', '#!/bin/sh\necho "$1" >> "$0.begun"\nexec sleep 1000\n')
    const job = (name: string, overlap: string, ...more: string[]) =>
      [`[${name}]`, 'run_time = * * * * * *', `script = ${script}`, `controller = ${name}`]
        .concat('task_key = async_tasks', `overlap = ${overlap}`, ...more, '')
        .join('\n')
    const port = await freePort()
    daemon.configure({
      taskd: { http: `127.0.0.1:${port}` },
      ini:
        job('anew', 'replace', 'pause_on_failures = 2') + job('waits', 'queue', 'max_backfill = 2'),
    })
    await daemon.start()
    const began = (name: string) =>
      linesOf(join(daemon.dir, 'long.sh.begun')).filter(line => line === name).length
    await waitFor(() => began('anew') >= 5, { timeoutMs: 60_000, what: 'four were replaced' })
    expect(began('waits')).toBe(1)
    const runs = await daemon.control.runs({ job: 'anew', limit: 50 })
    expect(new Set(runs.map(run => run.outcome))).toEqual(new Set(['replaced']))
    expect(await daemon.control.fails({ limit: 50 })).toEqual([])
    const { jobs, database } = await daemon.status()
    expect([database.backlog, database.archived]).toEqual([0, 0])
    expect(jobs.find(one => one.name === 'anew')).toMatchObject({ held: '', failures: 0 })
    expect((await daemon.cli('runs', 'anew')).stdout).toMatch(/ replaced /)
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(metrics).toMatch(/^taskd_runs_total\{.*outcome="replaced".*\} [1-9]/m)
    expect(metrics).not.toMatch(/^taskd_runs_total\{.*outcome="fail"/m)
    expect(daemon.log()).not.toMatch(/ warn .*anew/)
    // One tick a second comes due, and is told once.
    const told = daemon.log().match(/job waits: .*max_backfill/g) ?? []
    const missed = Number(/^taskd_ticks_total\{action="missed"\} (\d+)/m.exec(metrics)?.[1] ?? 0)
    expect(Math.max(told.length, missed)).toBeLessThanOrEqual((await daemon.status()).uptime_s)
  })
})
