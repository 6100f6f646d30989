import { readSigns } from '../../queue/cron-store.ts'
import { pullKeys } from '../../queue/keys.ts'
import { nextAfter } from '../../schedule/next-times.ts'
import type { FeatureContext } from '../context.ts'
import { claimNotice } from './signs.ts'
import type { PartCondition, Place, World } from './world.ts'

/** Answers the questions of notices from the parts of the daemon. */
export function worldOf(context: FeatureContext): World {
  const { config, jobs, engine, redis: ask, queues: asking, stopping, health, database } = context
  return {
    node: () => engine.node,
    jobs,
    next: (job, after) => nextAfter(job.trigger, job.timezone, after),
    isWorker: name => engine.member(name) !== undefined,
    taskKeyOf: workerId => engine.member(workerId)?.spec.taskKey ?? '',
    ready: () => !engine.isWaiting && health().answers,
    signs: names => readSigns(ask, names),
    async placeOf(job, id): Promise<Place> {
      const { taskKey } = job.task
      if (config.current.queues.some(one => one.taskKey === taskKey && one.mode === 'pull')) {
        const { todo, doing } = pullKeys(taskKey)
        if ((await ask.zscore(doing, id)) !== null) return 'running'
        return (await ask.zscore(todo, id)) === null ? 'nowhere' : 'waiting'
      }
      const state = await asking.state(taskKey, id)
      if (state === 'active') return 'running'
      if (state === 'delayed') return 'delayed'
      return state === 'waiting' ? 'waiting' : 'nowhere'
    },
    claim: (section, job, tick) => claimNotice(ask, engine.node, { section, job, tick }),
    leaving: () => stopping.aborted,
    conditions: () => {
      const [redis, sql] = [health(), database()]
      return [
        { what: 'redis', ok: redis.ok, error: redis.error },
        { what: 'database', ok: sql.ok, error: sql.error },
      ] satisfies PartCondition[]
    },
  }
}
