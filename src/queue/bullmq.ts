import { createRequire } from 'node:module'
import scripts from 'bullmq/dist/cjs/scripts/index.js'
import type { Redis } from 'ioredis'
import { WRITE_PROBE } from './keys.ts'

export { Job, Queue, UnrecoverableError, WaitingError, Worker } from 'bullmq'

/**
 * The engine's scripts lack one thing: a Redis that is full (`maxmemory`, noeviction) refuses
 * their first write where that one may add, so nothing could be taken or settled, and the queue
 * that fills it could not drain. After a first write that removes, it carries out the rest. So each
 * of the scripts below begins with a DEL of a key that is never there. This holds for every Redis
 * and Valkey; the flag `allow-oom` came with Redis 7 only. test/fault/redis-full.test.ts fails
 * without it.
 */
const afterDelete = (lua: string) => `redis.call('DEL', '${WRITE_PROBE}')\n${lua}`

/** The scripts that take, keep and settle tasks, and those behind what a person does to a queue. */
const DRAINING = [
  'moveToActive',
  'moveToFinished',
  'moveToDelayed',
  'retryJob',
  'moveJobFromActiveToWait',
  'moveStalledJobsToWait',
  'extendLock',
  'extendLocks',
  'saveStacktrace',
  'pause',
]
const ADDING = ['addStandardJob', 'addPrioritizedJob', 'addDelayedJob']

for (const name of DRAINING) {
  const script = scriptOf(name)
  script.content = afterDelete(script.content)
}

/**
 * Lets the engine add tasks over this client even when Redis is full: for tasks that are in Redis
 * already, in a plain list. Must be called before the engine gets the client.
 */
export function addsAnyway(client: Redis): Redis {
  const { version } = createRequire(import.meta.url)('bullmq/package.json') as { version: string }
  for (const one of ADDING) {
    const { name, keys, content } = scriptOf(one)
    // The engine does not define a command whose name is taken.
    client.defineCommand(`${name}:${version}`, { numberOfKeys: keys, lua: afterDelete(content) })
  }
  return client
}

/**
 * A message of a plain list becomes a task once, however often it is sent, and also when that task
 * is done and forgotten by then: its mark is set with the task, and taken away with the message.
 * It comes as an option of the job (see stored-task.ts), and is not kept with the job.
 */
const ONCE_A_MESSAGE = `
local options = cmsgpack.unpack(ARGV[3])
if options['taken'] then
  local words = cmsgpack.unpack(ARGV[1])
  if redis.call('ZADD', words[1] .. 'taken', 'NX', words[4], options['taken']) == 0 then
    return words[2]
  end
  options['taken'] = nil
  ARGV[3] = cmsgpack.pack(options)
end
`

for (const name of ADDING) {
  const script = scriptOf(name)
  script.content = `do${ONCE_A_MESSAGE}end\n${script.content}`
}

function scriptOf(name: string) {
  const script = scripts[name]
  // The version is pinned exactly; check these scripts before using another.
  if (script === undefined) throw new Error(`bullmq has no script ${name} any more`)
  return script
}
