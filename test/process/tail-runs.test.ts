import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jsonOf, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { follow } from '../support/following.ts'
import { waitFor } from '../support/wait.ts'

/** Three lines, then one for each file `<id>.1`, `<id>.2`, … that appears, until `<id>.end` does. */
const TALKER = `#!/bin/sh
echo "$TASKD_TASK_ID a"; echo "$TASKD_TASK_ID b"; echo "$TASKD_TASK_ID c"
n=1
while [ ! -e "$1/$TASKD_TASK_ID.end" ]; do
  if [ -e "$1/$TASKD_TASK_ID.$n" ]; then echo "$TASKD_TASK_ID more $n"; n=$((n + 1)); fi
  sleep 0.01
done
echo "$TASKD_TASK_ID last"
exit 3
`

describe('taskd tail', () => {
  let daemon: TestDaemon
  let worker: string
  beforeAll(async () => {
    daemon = await startDaemon({
      ini: '[a_job]\ntask_key = sync_tasks\nrun_time = 0 0 1 1 *\nscript = /bin/true\n',
    })
    const { workers } = await daemon.status()
    worker = workers.find(one => one.kind === 'async')?.name ?? ''
  })
  afterAll(() => daemon.remove())

  const touch = (name: string) => writeFileSync(join(daemon.dir, name), '')
  const talk = async (id: string, more: object = {}) => {
    const script = daemon.script('talker.sh', TALKER)
    await daemon.push('async_tasks', {
      script,
      controller: daemon.dir,
      unique_task_id: id,
      ...more,
    })
  }
  const running = (id: string) =>
    waitFor(async () => (await daemon.cli('tail', id)).stdout.includes(`${id} c\n`), {
      timeoutMs: 20_000,
      what: `${id} has spoken`,
    })

  it('of a run that runs: the last lines so far, and with -f what follows until it ends', async () => {
    await talk('r1')
    await running('r1')
    expect((await daemon.cli('tail', '-n', '1', 'r1')).stdout).toBe('r1 c\n')
    const all = (await daemon.cli('tail', 'r1')).stdout
    expect(all).toBe('r1 a\nr1 b\nr1 c\n')
    await using one = follow(daemon, 'tail', '-f', '-n', '1', 'r1')
    await one.sees('r1 c\n')
    await using two = follow(daemon, 'tail', '-f', 'r1')
    await two.sees('r1 c\n')
    touch('r1.1')
    await one.sees('r1 more 1\n')
    touch('r1.end')
    expect([await one.ended, await two.ended]).toEqual([0, 0])
    expect(one.text()).toBe('r1 c\nr1 more 1\nr1 last\n')
    expect(two.text()).toBe('r1 a\nr1 b\nr1 c\nr1 more 1\nr1 last\n')
  })

  it('of a run that is over: what was kept of it, of one that failed and one that did not', async () => {
    await talk('r2')
    touch('r2.end')
    await waitFor(async () => (await daemon.cli('tail', 'r2')).stdout.includes('r2 last'), {
      what: 'it is over',
    })
    expect((await daemon.cli('tail', '-n', '2', 'r2')).stdout).toBe('r2 c\nr2 last\n')
    expect((await daemon.cli('tail', '-f', '-n', '1', 'r2')).stdout).toBe('r2 last\n')
    const script = daemon.script('fine.sh', '#!/bin/sh\nseq 1 20\n')
    await daemon.cli('push', 'sync_tasks', '--script', script, '--id', 'fine', '--wait')
    const ten = [...Array(10).keys()].map(n => `${n + 11}\n`).join('')
    expect((await daemon.cli('tail', 'fine')).stdout).toBe(ten)
    expect(jsonOf(await daemon.cli('tail', 'fine', '--json'))).toEqual({
      name: 'fine',
      output: ten,
    })
  })

  it('of a task that waits: says so, and with -f waits for it', async () => {
    await talk('r3', { start_time: Math.ceil(Date.now() / 1000) + 8 })
    const early = await waitFor(
      async () => {
        const result = await daemon.cli('tail', 'r3')
        return result.stderr.includes('delayed') && result
      },
      { what: 'it is known and delayed' },
    )
    expect([early.code, early.stdout]).toEqual([1, ''])
    touch('r3.end')
    await using one = follow(daemon, 'tail', '-f', 'r3')
    expect(await one.ended).toBe(0)
    expect(one.text()).toBe('r3 a\nr3 b\nr3 c\nr3 last\n')
  })

  it('of a task that waits and is cancelled: it does not wait for ever', async () => {
    await talk('r4', { start_time: Date.now() / 1000 + 600 })
    await waitFor(async () => (await daemon.cli('tail', 'r4')).stderr.includes('delayed'), {
      what: 'it is known',
    })
    await using one = follow(daemon, 'tail', '-f', 'r4')
    await waitFor(() => one.child.exitCode === null, { what: 'it follows' })
    expect((await daemon.cli('cancel', 'r4')).code).toBe(0)
    // 4 when the cancel came before it had asked: then there is no such task any more.
    expect([0, 4]).toContain(await one.ended)
  })

  it('of a worker: the runs in progress first, then all that come, each under its name', async () => {
    expect((await daemon.cli('tail', worker)).stderr).toContain('nothing to show')
    await talk('w1')
    await running('w1')
    const now = await daemon.cli('tail', '-n', '1', worker)
    expect(now.stdout).toBe('==> w1 <==\nw1 c\n')
    await using one = follow(daemon, 'tail', '-f', '-n', '1', worker)
    await one.sees('==> w1 <==\nw1 c\n')
    await talk('w2')
    await one.sees(/==> w2 <==\nw2 a\n/)
    touch('w1.1')
    await one.sees('==> w1 <==\nw1 more 1\n')
    touch('w2.end')
    await one.sees(/w2 last\n==> w2: fail, [\d.]+ s <==\n/)
    const quick = daemon.script('quick.sh', '#!/bin/sh\necho quick\n')
    for (let n = 0; n < 20; n += 1)
      await daemon.push('async_tasks', { script: quick, unique_task_id: `q${n}` })
    for (let n = 0; n < 20; n += 1)
      await one.sees(new RegExp(`==> q${n} <==\\nquick\\n(?:[^]*)==> q${n}: succ`))
    touch('w1.end')
    await one.sees(/==> w1: fail/)
    one.child.kill('SIGINT')
    expect(await one.ended).toBe('SIGINT')
  })

  it('of a queue: all its workers; a run of it is heard by both who look', async () => {
    await using queue = follow(daemon, 'tail', '-f', 'async_tasks')
    await using run = follow(daemon, 'tail', '-f', 'b1')
    expect(await run.ended).toBe(4)
    await talk('b1')
    await running('b1')
    await using other = follow(daemon, 'tail', '-f', '-n', '1000', 'b1')
    touch('b1.1')
    await other.sees('b1 more 1\n')
    await queue.sees('b1 more 1\n')
    touch('b1.end')
    expect(await other.ended).toBe(0)
    expect(other.text().match(/b1 a\n/g)).toHaveLength(1)
    await queue.sees('==> b1: fail')
    expect(queue.text().match(/b1 a\n/g)).toHaveLength(1)
  })

  it('goes on with the next process when its worker is KILLed, and a single run ends', async () => {
    await talk('k1')
    await running('k1')
    await using all = follow(daemon, 'tail', '-f', worker)
    await using one = follow(daemon, 'tail', '-f', 'k1')
    await all.sees('k1 c\n')
    await one.sees('k1 c\n')
    process.kill(await daemon.worker('-async_tasks-1'), 'SIGKILL')
    expect(await one.ended).toBe(0)
    expect(one.text()).toContain('[taskd: its worker ended before it')
    await all.sees('==> k1: its worker ended before it')
    await all.sees(/==> k1 \(attempt 2\) <==\nk1 a\n/)
    touch('k1.end')
    await all.sees('==> k1: fail')
  })

  it('what has no name is exit code 4, and a job says where to look', async () => {
    const nobody = await daemon.cli('tail', 'nobody')
    expect([nobody.code, nobody.stdout]).toEqual([4, ''])
    expect(nobody.stderr).toMatch(/^taskd: no program, worker or run is named nobody\. [^\n]+\n$/)
    const job = await daemon.cli('tail', 'a_job')
    expect(job.code).toBe(4)
    expect(job.stderr).toContain('taskd runs a_job')
    expect((await daemon.cli('tail', worker, 'stderr')).code).toBe(2)
  })

  it('a daemon that stops ends those who follow, after the last word of the run', async () => {
    await using short = await startDaemon({ taskd: { stop_wait: '5s' } })
    const script = short.script(
      'bye.sh',
      '#!/bin/sh\necho hello; while [ ! -e "$1/end" ]; do sleep 0.01; done; echo bye\n',
    )
    await short.push('async_tasks', { script, controller: short.dir, unique_task_id: 'bye' })
    await waitFor(async () => (await short.cli('tail', 'bye')).stdout === 'hello\n', {
      what: 'it runs',
    })
    await using one = follow(short, 'tail', '-f', 'bye')
    await using all = follow(short, 'tail', '-f', 'async_tasks')
    await one.sees('hello')
    await all.sees('hello')
    short.signal('SIGTERM')
    await waitFor(() => short.log().includes('no new work is taken'), { what: 'it stops' })
    writeFileSync(join(short.dir, 'end'), '')
    expect(await one.ended).toBe(0)
    expect(one.text()).toBe('hello\nbye\n')
    expect(await all.ended).toBe(0)
    expect(all.text()).toMatch(/hello\nbye\n/)
    await short.ended
    expect(existsSync(join(short.dataDir, 'taskd.sock'))).toBe(false)
  })

  it('a reader that has seen enough, as head has, leaves nobody looking', async () => {
    await talk('h1')
    await running('h1')
    const one = follow(daemon, 'tail', '-f', 'h1')
    await one.sees('h1 c\n')
    one.child.stdout?.destroy()
    touch('h1.1')
    expect(await one.ended).not.toBeNull()
    touch('h1.end')
  })
})
