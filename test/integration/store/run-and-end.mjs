/**
 * Begins and ends `argv[3]` runs of the tasks 1 to 20 in the database `argv[2]`, all at once, as
 * another daemon does; prints their ids. Run as `bundled` makes it.
 */
import { openStore } from '../../../src/store/store.ts'

const [, , url, count] = process.argv
const nothing = () => {}
const store = openStore(url, { debug: nothing, info: nothing, warn: nothing, error: nothing })

async function run(n) {
  const identity = { unique_task_id: `other-${n}`, attempt: 1, worker_id: 'b-1', node: 'b' }
  const id = await store.runRows.begin((n % 20) + 1, identity)
  await store.runRows.end([{ id, status: 'succ', extra: '{"code":"succ"}' }])
  return id
}

const ids = await Promise.all(Array.from({ length: Number(count) }, (_, n) => run(n)))
await store.close()
console.log(JSON.stringify(ids))
