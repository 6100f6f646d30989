import type { Redis } from 'ioredis'
import { messageOf } from '../../src/lib/errors.ts'
import { ENGINE_PREFIX } from '../../src/queue/engine-keys.ts'
import { OUTBOX, RUN_ENDS } from '../../src/queue/keys.ts'
import { waitFor } from '../support/wait.ts'
import type { World } from './world.ts'

/**
 * What still keeps the world from being at rest, in words; none when nothing waits, runs or is on
 * its way, and every node is well.
 */
export async function unrestOf(world: World): Promise<string[]> {
  const [nodes, redis, tables] = await Promise.all([
    Promise.all(world.nodes.map(node => unrestOfNode(world, node.name))),
    unrestOfRedis(world.redis),
    unrestOfTables(world),
  ])
  return [...nodes.flat(), ...redis, ...tables]
}

/** Waits for rest. @returns what is not at rest when the time is over */
export async function rest(world: World, timeoutMs: number): Promise<string[]> {
  let last: string[] = ['nobody has looked']
  const quiet = async () => {
    last = await unrestOf(world)
    return last.length === 0
  }
  return waitFor(quiet, { timeoutMs, what: 'all is at rest' }).then(
    () => [],
    () => last,
  )
}

async function unrestOfNode(world: World, name: string): Promise<string[]> {
  try {
    const status = await world.node(name).daemon.status()
    const { state, redis, database, workers, programs, queues, sources } = status
    const asleep = [...workers, ...programs].filter(one => one.state !== 'RUNNING')
    const busy = queues.filter(
      one =>
        one.unknown || one.waiting + one.delayed + one.active + (one.listed ?? 0) > 0 || one.paused,
    )
    return [
      state === 'running' ? '' : `it is ${state}`,
      redis.ok ? '' : `Redis is away: ${redis.error}`,
      database.ok ? '' : `the database is away: ${database.error}`,
      database.backlog === 0 && database.runs_waiting === 0 ? '' : `rows wait for the database`,
      ...asleep.map(one => `${one.name} is ${one.state}: ${one.detail}`),
      ...busy.map(one => `queue ${JSON.stringify(one)}`),
      ...sources.filter(one => !one.ok).map(one => `source ${one.name}: ${one.error}`),
    ].flatMap(text => (text === '' ? [] : [`${name}: ${text}`]))
  } catch (error) {
    return [`${name}: ${messageOf(error)}`]
  }
}

/** What is in Redis only while something is under way. */
const PASSING = ['Task:List:*', 'Task:Intake:*', `${ENGINE_PREFIX}:*:lock`]
const SOURCE_PARTS = ['Task:Source:*:claims', 'Task:Source:*:verdicts', 'Task:Source:*:applying']

async function unrestOfRedis(redis: Redis): Promise<string[]> {
  const [outbox, ends, bad, ...passing] = await Promise.all([
    redis.xlen(OUTBOX),
    redis.hlen(RUN_ENDS),
    redis.keys('Task:Bad:*'),
    ...[...PASSING, ...SOURCE_PARTS].map(one => redis.keys(one)),
  ])
  return [
    outbox > 0 ? `${outbox} failed runs in ${OUTBOX}` : '',
    ends > 0 ? `${ends} ends in ${RUN_ENDS}` : '',
    ...bad.map(key => `bad messages: ${key}`),
    ...passing.flat().map(key => `key ${key}`),
  ].filter(Boolean)
}

async function unrestOfTables({ tables }: World): Promise<string[]> {
  try {
    const [rows, runs] = await Promise.all([tables.sourceRows(), tables.executeTask()])
    return [
      ...rows
        .filter(one => one.status === 'ready' || one.status === 'taken')
        .map(one => `row ${one.row} of shop_rows is ${one.status}`),
      ...runs
        .filter(one => one.status === 'doing')
        .map(one => `row ${one.id} of execute_task is doing: ${one.taskId}`),
    ]
  } catch (error) {
    return [`the database: ${messageOf(error)}`]
  }
}
