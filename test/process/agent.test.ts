import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newAgent } from '../support/agent.ts'
import { pair } from '../support/agent-pair.ts'
import { gone, linesOf } from '../support/daemon.ts'
import { waitFor } from '../support/wait.ts'

const ids = (count: number, name = 't') => Array.from({ length: count }, (_, n) => `${name}${n}`)

test('runs what is pushed, by list, command line, HTTP and schedule, and each is counted once', async () => {
  await using both = await pair()
  const { daemon, agent, push, reach, ran } = both
  void agent.start()
  await push(...ids(20))
  const work = join(daemon.dir, 'work')
  const cli = await daemon.cli(
    'push',
    'far',
    '--script',
    work,
    '--id',
    'by-cli',
    '--wait',
    '--json',
  )
  expect([cli.code, JSON.parse(cli.stdout)]).toEqual([0, { code: 'succ', msg: '', data: [] }])
  const again = await daemon.cli('push', 'far', '--script', work, '--id', 'by-cli')
  expect(again.code).toBe(0)
  await fetch(`http://127.0.0.1:${both.port}/api/queue/far/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ task_id: 'by-http', script: work }),
  })
  daemon.configure({
    taskd: { http: `127.0.0.1:${both.port}` },
    ini: `[queue:far]\nmode = pull\n[often]\ntask_key = far\nrun_time = @every 1h\nscript = ${work}\n`,
  })
  expect((await daemon.cli('reload')).code).toBe(0)
  expect((await daemon.cli('run', 'often', '--wait')).code).toBe(0)
  await reach({ todo: 0, doing: 0, finish: 23, finished_total: 23 })
  const byJob = ran().filter(id => id.startsWith('run-often-'))
  expect(byJob).toHaveLength(1)
  expect(
    ran()
      .filter(id => !byJob.includes(id))
      .toSorted(),
  ).toEqual([...ids(20), 'by-cli', 'by-http'].toSorted())
  const status = await daemon.status()
  await waitFor(async () => (await daemon.status()).jobs[0]?.last_code === 'succ', {
    what: 'the job knows how its task ended',
  })
  expect(status.queues.find(queue => queue.task_key === 'far')).toMatchObject({
    mode: 'pull',
    waiting: 0,
    active: 0,
  })
  expect(await agent.stop()).toEqual({ code: 0, signal: null })
  expect(agent.log()).toContain('task succeeded')
})

test('a task has its id, attempt, arguments and job, and no secret in its environment', async () => {
  await using both = await pair([], 'env >"$3"; echo "$1|$2" >>"$3"', {
    env: { TASKD_SECRET: 'not-for-scripts' },
  })
  const { daemon, agent, reach } = both
  void agent.start()
  const out = join(daemon.dir, 'env')
  const script = join(daemon.dir, 'work')
  await daemon.push('far', {
    unique_task_id: 'one',
    script,
    controller: 'api/Crawl',
    function: 'go',
    param: out,
    job: 'crawl',
  })
  await reach({ finish: 1 })
  const seen = linesOf(out)
  for (const line of [
    'TASKD_TASK_ID=one',
    'TASKD_TASK_KEY=far',
    'TASKD_ATTEMPT=1',
    'TASKD_WORKER_ID=agent-1',
    'TASKD_JOB=crawl',
    'api/Crawl|go',
  ])
    expect(seen).toContain(line)
  expect(seen.join()).not.toContain('not-for-scripts')
})

test('what fails is tried as often as the queue says, and then is a row of fail_log', async () => {
  await using both = await pair(['retries = 2'], 'echo \'{"code":"fail","msg":"no such page"}\'')
  const { daemon, agent, push, reach, ran } = both
  void agent.start()
  await push('a', 'b')
  await daemon.push('far', { task_id: 'no-task', url: 'x' })
  await reach({ todo: 0, doing: 0, finish: 0, failed: 3 })
  expect(ran().toSorted()).toEqual(['a', 'a', 'b', 'b'])
  const rows = await waitFor(
    async () => {
      const found = await daemon.control.fails({ limit: 10, task_key: 'far' })
      return found.length === 3 && found
    },
    { what: 'three rows' },
  )
  expect(rows.find(row => row.unique_task_id === 'a')).toMatchObject({
    kind: 'fail',
    attempt: 2,
    msg: 'no such page',
    worker_id: 'agent-1',
    script: join(daemon.dir, 'work'),
  })
  expect(rows.find(row => row.unique_task_id === 'no-task')?.msg).toContain('"script" is missing')
  expect(agent.log()).toMatch(/task failed: no such page +task=a attempt=1 /)
  expect(agent.log()).toMatch(/task failed: not a task: "script" is missing.* task=no-task /)
  expect((await daemon.cli('retry', 'a')).code).toBe(0)
  await waitFor(() => ran().length === 6, { what: 'it has all its tries again' })
  await reach({ failed: 3 })
})

test('the master is KILLed again and again while tasks run: none is lost, each counted once', async () => {
  // Long: what outlasts its lease on a busy machine runs again, and rightly so.
  await using both = await pair(['lease = 60s'], 'sleep 0.05', {
    options: ['--concurrency', '4'],
  })
  const { daemon, agent, push, reach, ran } = both
  const all = ids(150)
  await push(...all)
  void agent.start()
  for (const done of [20, 60, 100]) {
    await waitFor(() => ran().length >= done, { what: `${done} have run`, timeoutMs: 30_000 })
    await daemon.kill()
    await agent.says(/the master is away/)
    await daemon.start()
  }
  await reach({ todo: 0, doing: 0, finish: 150, failed: 0, finished_total: 150 })
  expect(ran().toSorted()).toEqual(all.toSorted())
  expect(await agent.stop()).toEqual({ code: 0, signal: null })
  expect(agent.log()).toContain('the master is back')
})

test('reports outlive the agent: on disk while the master is away, sent by the next one', async () => {
  await using both = await pair([], 'sleep 0.3', { options: ['--concurrency', '5'] })
  const { daemon, agent, push, reach, ran } = both
  await push(...ids(5))
  void agent.start()
  await waitFor(() => ran().length === 5, { what: 'all run' })
  await daemon.kill()
  await waitFor(() => agent.journal().match(/^\["f"/gm)?.length === 5, { what: '5 reports' })
  await agent.kill()
  await daemon.start()
  await reach({ doing: 5, finish: 0 })
  void agent.start()
  await reach({ todo: 0, doing: 0, finish: 5, failed: 0, finished_total: 5 })
  expect(ran()).toHaveLength(5)
})

test('stopped while the master is away, it leaves its reports for the next start', async () => {
  await using both = await pair([], 'sleep 0.3', { options: ['--concurrency', '2'] })
  const { daemon, agent, push, reach, ran } = both
  await push(...ids(2))
  void agent.start()
  await waitFor(() => ran().length === 2, { what: 'both run' })
  await daemon.kill()
  expect(await agent.stop()).toEqual({ code: 0, signal: null })
  expect(agent.log()).toContain('reports wait on disk')
  await daemon.start()
  void agent.start()
  await reach({ todo: 0, doing: 0, finish: 2 })
})

test('an agent that is KILLed for good: the lease brings back what it had', async () => {
  await using both = await pair(['lease = 3s'], 'case $TASKD_ATTEMPT in 1) sleep 60;; esac', {
    options: ['--concurrency', '2'],
  })
  await using other = newAgent({ master: `http://127.0.0.1:${both.port}` })
  const { agent, push, reach, ran } = both
  await push('a', 'b')
  void agent.start()
  await waitFor(() => ran().length === 2, { what: 'both run' })
  await agent.kill()
  void other.start()
  await reach({ todo: 0, doing: 0, finish: 2, failed: 0 })
  expect(ran().toSorted()).toEqual(['a', 'a', 'b', 'b'])
})

test('an agent that is KILLed and comes back: what it ran is ended, and goes back at once', async () => {
  await using both = await pair(['lease = 1h'], 'case $TASKD_ATTEMPT in 1) exec sleep 60;; esac', {
    options: ['--concurrency', '2'],
  })
  const { agent, push, reach, ran } = both
  await push('a', 'b')
  void agent.start()
  await waitFor(() => ran().length === 2, { what: 'both run' })
  // A script that has said its id is still a shell for a moment.
  const sleepers = await waitFor(
    () => {
      const found = agent.processes().filter(({ command }) => command.startsWith('sleep'))
      return found.length === 2 && found
    },
    { what: 'both sleep' },
  )
  await agent.kill()
  void agent.start()
  await Promise.all(sleepers.map(({ pid }) => gone(pid)))
  await reach({ todo: 0, doing: 0, finish: 2 })
  expect(agent.log()).toContain('an agent before this one was killed')
})

test('TERM lets tasks end and gives back those that have not begun; a second one hurries', async () => {
  const slow = 'case $TASKD_TASK_ID in q*) exit 0;; esac; exec sleep "$3"'
  await using both = await pair([], slow, { options: ['--concurrency', '1', '--batch', '5'] })
  const { daemon, agent, push, reach, ran } = both
  const script = join(daemon.dir, 'work')
  await push(...ids(3, 'q'))
  for (const id of ids(6, 's')) await daemon.push('far', { task_id: id, script, param: '2' })
  void agent.start()
  await waitFor(() => ran().includes('s0'), { what: 'a slow one runs' })
  await waitFor(() => agent.journal().includes('"s3"'), { what: 'more are in hand' })
  expect(await agent.stop()).toEqual({ code: 0, signal: null })
  await reach({ todo: 5, doing: 0, finish: 4 })
  expect(ran()).toHaveLength(4)

  await daemon.push('far', { task_id: 'long', script, param: '60' })
  void agent.start()
  await reach({ todo: 0, doing: 1, finish: 9 })
  await waitFor(() => ran().includes('long'), { what: 'the long one runs' })
  const ended = agent.stop()
  await agent.says(/draining[^]*draining/)
  agent.signal('SIGTERM')
  expect(await ended).toEqual({ code: 0, signal: null })
  await reach({ todo: 1, doing: 0, finish: 9, failed: 0 })
})

test('no run is longer than its lease, so that no two have a task at once', async () => {
  await using both = await pair(['lease = 2s', 'retries = 2'], 'exec sleep 60', {
    options: ['--max-run-time', '1h'],
  })
  const { agent, push, reach, daemon } = both
  await push('a')
  void agent.start()
  await reach({ todo: 0, doing: 0, failed: 1 })
  const [row] = await waitFor(
    async () => {
      const rows = await daemon.control.fails({ limit: 5 })
      return rows.length > 0 && rows
    },
    { what: 'a row' },
  )
  expect([row?.kind, row?.msg]).toEqual(['fail', expect.stringContaining('ran longer than 1.')])
})

test('a torn journal, or one full of junk, keeps what can be read of it', async () => {
  await using both = await pair(['retries = 9'])
  const { agent, push, counts, reach } = both
  await push('a', 'b', 'c')
  await reach({ todo: 3 })
  const claim = await fetch(`http://127.0.0.1:${both.port}/api/queue/far/claim`, { method: 'POST' })
  expect((await claim.json()) as object).toMatchObject({ lease_s: 86_400 })
  mkdirSync(agent.data)
  const lines = ['["c",["a",1],["b",1],["c",1]]', '\0\0junk', '["b","a",1]', '["f","b",1,""]']
  writeFileSync(join(agent.data, 'agent.journal'), `${lines.join('\n')}\n["f","c`)
  void agent.start()
  await agent.says('cannot be read')
  await reach({ todo: 0, doing: 0, finish: 3 })
  expect((await counts()).finished_total).toBe(3)
  expect(both.ran().toSorted()).toEqual(['a', 'c'])
})
