import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDaemon, type TestDaemon } from '../support/daemon.ts'
import { follow } from '../support/following.ts'
import { waitFor } from '../support/wait.ts'

const MB = 1_000_000
const FLOOD_MB = 100

/** Waits for a word to begin, writes 100 MB, and says how long that took, in ms. */
const FLOOD = `#!/bin/sh
echo ready; while [ ! -e "$1/$TASKD_TASK_ID" ]; do sleep 0.01; done
perl -MTime::HiRes=time -e '
  my $begun = time; my $line = "x" x 999 . "\\n"; my $block = $line x 1000;
  print $block for 1 .. ${FLOOD_MB};
  printf "took %d ms\\n", (time - $begun) * 1000'
touch "$1/$TASKD_TASK_ID.done"
`

/** The largest that a process has ever been, bytes. */
function peakOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) * 1024
}

function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0])
}

/** Who has grown by more than that. */
function grownBy(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
  limit: number,
): string[] {
  return Object.entries(after)
    .filter(([name, bytes]) => bytes - (before[name] ?? 0) > limit)
    .map(([name, bytes]) => `${name} by ${Math.round((bytes - (before[name] ?? 0)) / MB)} MB`)
}

describe(`a run that writes ${FLOOD_MB} MB while it is watched`, () => {
  let daemon: TestDaemon
  beforeAll(async () => {
    daemon = await startDaemon()
  })
  afterAll(() => daemon.remove())

  let floods = 0
  /** @returns its id: another one for each try of a test */
  const flood = async () => {
    floods += 1
    const id = `f${floods}`
    const script = daemon.script('flood.sh', FLOOD)
    await daemon.push('async_tasks', { script, controller: daemon.dir, unique_task_id: id })
    await waitFor(async () => (await daemon.cli('tail', id)).stdout === 'ready\n', {
      what: `${id} is ready`,
    })
    return id
  }
  const go = (id: string) => daemon.script(id, '')
  const family = async () => {
    const worker = await daemon.worker('-async_tasks-1')
    return { master: daemon.pid, worker, launcher: childOf(worker) }
  }
  const peaks = async () =>
    Object.fromEntries(Object.entries(await family()).map(([name, pid]) => [name, peakOf(pid)]))

  it('a reader that keeps up has its beginning and its end, and a count of what it missed', async () => {
    const id = await flood()
    const before = await peaks()
    await using one = follow(daemon, 'tail', '-f', id)
    await one.sees('ready\n')
    go(id)
    expect(await one.ended).toBe(0)
    const text = one.text()
    expect(text).toMatch(/took \d+ ms\n$/)
    let missed = 0
    const plain = text.replace(/\n?\[taskd: (\d+) bytes left out here\]\n/g, (_note, bytes) => {
      missed += Number(bytes)
      return ''
    })
    // A note stands on a line of its own, so up to a byte of each comes in addition.
    const whole = FLOOD_MB * MB + 'ready\ntook 1234 ms\n'.length
    expect(Math.abs(plain.length + missed - whole)).toBeLessThan(1000)
    const after = await peaks()
    expect(grownBy(before, after, 60 * MB)).toEqual([])
  })

  it('one that never reads holds up neither the run nor others, and costs no memory', async () => {
    const id = await flood()
    await using stuck = follow(daemon, 'tail', '-f', id)
    await stuck.sees('ready\n')
    await using other = follow(daemon, 'tail', '-f', id)
    await other.sees('ready\n')
    stuck.child.kill('SIGSTOP')
    const before = await peaks()
    go(id)
    expect(await other.ended).toBe(0)
    expect(other.text()).toMatch(/took \d+ ms\n$/)
    const after = await peaks()
    expect(grownBy(before, after, 60 * MB)).toEqual([])
    expect((await daemon.status()).state).toBe('running')
    stuck.child.kill('SIGCONT')
    expect(await stuck.ended).toBe(0)
    expect(stuck.text()).toMatch(/took \d+ ms\n$/)
  })

  it('a worker that is frozen holds up nothing that it watches', async () => {
    const id = await flood()
    await using one = follow(daemon, 'tail', '-f', id)
    await one.sees('ready\n')
    const { worker } = await family()
    process.kill(worker, 'SIGSTOP')
    try {
      go(id)
      await waitFor(() => existsSync(join(daemon.dir, 'f3.done')), {
        timeoutMs: 30_000,
        what: 'the run has written all',
      })
    } finally {
      process.kill(worker, 'SIGCONT')
    }
    expect(await one.ended).toBe(0)
    expect(one.text()).toMatch(/took \d+ ms\n$/)
  })
})
