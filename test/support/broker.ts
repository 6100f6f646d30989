import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../src/config/config.ts'
import { LiveConfig } from '../../src/config/live.ts'
import { realClock } from '../../src/lib/clock.ts'
import { TaskdError } from '../../src/lib/errors.ts'
import { Broker } from '../../src/master/broker.ts'
import type { QueueSpec } from '../../src/model/queue-spec.ts'
import type { AllowedHost } from '../../src/model/rpc-allow.ts'
import { TaskQueues } from '../../src/queue/task-queues.ts'
import { failFast } from './fail-fast.ts'
import { aQueue, type QueueBench, queueBench } from './queue-bench.ts'
import { tempDir } from './temp-dir.ts'

export const Q = 'async_tasks'
export const KEEP_MS = 3_600_000

export interface BrokerSetting {
  readonly binPath?: string | undefined
  readonly rpcAllow?: readonly AllowedHost[]
  readonly queues?: readonly QueueSpec[]
  /** What the clock is ahead, ms. */
  readonly aheadMs?: number
  readonly timezone?: string
  /** Instead of the Redis of the bench. */
  readonly redis?: QueueBench['redis']
}

export interface BrokerBench extends QueueBench {
  broker(setting?: BrokerSetting): Broker
}

/** A Redis and a bin_path with `a.sh` and a link `out` that leads out of it. */
export async function brokerBench(): Promise<BrokerBench> {
  const bench = await queueBench()
  const folder = tempDir('taskd-broker-')
  const bin = join(folder.path, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'a.sh'), 'echo a')
  symlinkSync('/bin/sh', join(bin, 'out'))
  const specs = [
    aQueue(),
    aQueue({ taskKey: Q, mode: 'async' }),
    aQueue({ taskKey: 'pulled', mode: 'pull' }),
  ]
  return {
    ...bench,
    broker(setting = {}) {
      const { aheadMs = 0, timezone = 'UTC', queues = specs, rpcAllow } = setting
      const { redis = bench.redis } = setting
      const binPath = 'binPath' in setting ? setting.binPath : bin
      const settings = { binPath, rpcAllow, timezone, resultKeepTimeMs: KEEP_MS }
      const config = { settings, queues } as unknown as Config
      const clock = { ...realClock, now: () => Date.now() + aheadMs }
      return new Broker({
        config: new LiveConfig(config),
        queues: failFast(
          new TaskQueues(
            redis,
            () => clock.now(),
            () => KEEP_MS,
          ),
        ),
        redis: failFast(redis),
        clock,
        cancel: () => Promise.reject(new Error('not asked here')),
      })
    },
    async remove() {
      await bench.remove()
      await folder.remove()
    },
  }
}

export const script = (fields: Record<string, unknown> = {}, task_key = '') => ({
  task_key,
  fields: { bin_name: 'a.sh', ...fields },
})

export const rpc = (fields: Record<string, unknown> = {}) => ({
  task_key: '',
  fields: { method: 'POST', url: 'http://10.0.0.1/x', ...fields },
})

/** The code of the error, or `taken`. */
export const refusal = (pushed: Promise<unknown>) =>
  pushed.then(
    () => 'taken',
    (error: unknown) => (error instanceof TaskdError ? error.code : error),
  )
