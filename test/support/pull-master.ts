import type { Config } from '../../src/config/config.ts'
import { LiveConfig } from '../../src/config/live.ts'
import { realClock } from '../../src/lib/clock.ts'
import { buildPull } from '../../src/master/pull-build.ts'
import { Events } from '../../src/model/events.ts'
import type { Job } from '../../src/model/job.ts'
import type { QueueSpec } from '../../src/model/queue-spec.ts'
import { TaskQueues } from '../../src/queue/task-queues.ts'
import { failFast } from './fail-fast.ts'
import { recordedLog } from './logs.ts'
import { type PullBench, pullBench } from './pull-bench.ts'
import { aQueue } from './queue-bench.ts'

export interface PullMaster extends ReturnType<typeof buildPull> {
  readonly bench: PullBench
  readonly queues: TaskQueues
  /** As the configuration has them; the test changes it. */
  readonly specs: QueueSpec[]
  readonly jobs: Job[]
  /** How often the outbox was told that there is something. */
  recorded: number
  remove(): Promise<void>
}

export const far = (changes: Partial<QueueSpec> = {}) =>
  aQueue({ taskKey: 'far', mode: 'pull', workers: 0, leaseMs: 60_000, ...changes })

/** The parts of a master that have to do with pull queues, on a real Redis and its clock. */
export async function pullMaster(): Promise<PullMaster> {
  const bench = await pullBench()
  const specs = [aQueue(), far()]
  const jobs: Job[] = []
  const config = { queues: specs, jobs } as unknown as Config
  const queues = new TaskQueues(
    bench.redis,
    () => bench.now,
    () => 86_400_000,
  )
  const clock = { ...realClock, now: () => bench.now }
  const master = {
    bench,
    queues,
    specs,
    jobs,
    recorded: 0,
    async remove() {
      await master.keeper.stop()
      await queues.close()
      await bench.remove()
    },
    ...buildPull({
      config: new LiveConfig(config),
      ask: bench.redis,
      queues: failFast(queues),
      clock,
      log: recordedLog().log,
      onRecorded: () => {
        master.recorded += 1
      },
      events: new Events(),
      isWaiting: () => false,
    }),
  }
  return master
}
