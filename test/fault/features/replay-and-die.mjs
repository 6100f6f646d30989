/**
 * Replays what waits in a spool, and KILLs itself at a given moment; prints `done` when there was no
 * such moment. Run as `bundled` makes it.
 *
 *     replay-and-die.mjs <spec as JSON> <folder> statement|stored <n>
 *
 * `statement n`: before the n-th statement; `stored n`: once n batches are committed, before the
 * last of them is dropped from the disk.
 */

import { Replay } from '../../../src/features/channel/replay.ts'
import { Spool } from '../../../src/features/channel/spool.ts'
import { openChannelStore } from '../../../src/features/channel/store.ts'
import { realClock } from '../../../src/lib/clock.ts'

const [, , json, dir, moment, last] = process.argv
const spec = JSON.parse(json)
const count = { statement: 0, stored: 0 }
const reached = what => {
  count[what] += 1
  if (moment === what && count[what] === Number(last)) process.kill(process.pid, 'SIGKILL')
}

const mortal = {
  transformQuery({ node }) {
    reached('statement')
    return node
  },
  transformResult: ({ result }) => Promise.resolve(result),
}

const store = openChannelStore(spec, realClock, db => db.withPlugin(mortal))
const spool = await Spool.open({ dir, maxBytes: 1 << 30 })
const fail = error => {
  console.error(error)
  process.exit(1)
}
const replay = new Replay(spool, {
  channel: spec.name,
  store,
  clock: realClock,
  random: Math.random,
  onStored: () => reached('stored'),
  onBad: fail,
  onTrouble: fail,
})
replay.start()
while (spool.batches > 0) await realClock.sleep(5)
await replay.stop()
await store.close()
await spool.close()
console.log('done')
