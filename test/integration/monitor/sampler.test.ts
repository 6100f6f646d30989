import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { realClock } from '../../../src/lib/clock.ts'
import { signalGroup } from '../../../src/lib/proc.ts'
import { type Sampled, Sampler } from '../../../src/monitor/sampler.ts'
import { waitFor } from '../../support/wait.ts'

const started: ChildProcess[] = []
afterEach(() => {
  for (const { pid } of started.splice(0)) if (pid !== undefined) signalGroup(pid, 'SIGKILL')
})

async function node(program: string): Promise<number> {
  const child = spawn(process.execPath, ['-e', program], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  started.push(child)
  if (child.stdout) await once(child.stdout, 'data')
  return child.pid ?? 0
}

const IDLE = 'console.log(1); setInterval(() => {}, 1000)'
const BUSY = 'console.log(1); for (;;);'
const LARGE = 'const b = Buffer.alloc(100e6, 1); console.log(1); setInterval(() => b.length, 1000)'

function sampling(pid: number, groups: readonly number[]) {
  const usages: { cpu: number; memory: number }[] = []
  const target: Sampled = { pid, groups, report: usage => usages.push(usage) }
  return { target, usages, last: () => usages.at(-1) ?? { cpu: -1, memory: -1 } }
}

describe('the sampler', () => {
  test('counts a process together with the groups of its runs', async () => {
    const worker = await node(IDLE)
    const [large, busy] = await Promise.all([node(LARGE), node(BUSY)])
    const alone = sampling(worker, [])
    const whole = sampling(worker, [large, busy])
    const sampler = new Sampler(realClock, () => [alone.target, whole.target])
    await sampler.sample()
    await waitFor(
      async () => {
        await sampler.sample()
        return whole.last().cpu > 10
      },
      { what: 'the busy one shows' },
    )
    expect(whole.last().memory - alone.last().memory).toBeGreaterThan(100e6)
    expect(alone.last().memory).toBeGreaterThan(10e6)
    expect(alone.last().cpu).toBeLessThan(whole.last().cpu)
  })

  test('a process that is gone counts nothing, and spoils no other’s figure', async () => {
    const worker = await node(IDLE)
    const gone = sampling(2 ** 22 + 1, [2 ** 22 + 2])
    const there = sampling(worker, [2 ** 22 + 3])
    const sampler = new Sampler(realClock, () => [gone.target, there.target])
    await sampler.sample()
    expect(gone.last()).toEqual({ cpu: 0, memory: 0 })
    expect(there.last().memory).toBeGreaterThan(10e6)
  })

  test('stops in the middle of its sleep, and start and stop repeat', async () => {
    const sampler = new Sampler(realClock, () => [])
    const from = performance.now()
    await sampler.start()
    await sampler.start()
    await sampler.stop()
    await sampler.stop()
    expect(performance.now() - from).toBeLessThan(2000)
  })
})
