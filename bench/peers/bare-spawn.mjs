// The floor: a small Node process that starts the stamp now and then, with no queue at all.
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { moment } from '../lib/stamp.mjs'

const { stamp, file } = JSON.parse(process.argv[2])

async function run(count) {
  const begun = {}
  for (let n = 0; n < count; n += 1) {
    await sleep(20 + Math.random() * 90)
    const id = `bare-${process.hrtime.bigint()}`
    begun[id] = moment()
    const child = spawn(stamp, [file, id], { stdio: ['ignore', 'pipe', 'pipe'] })
    await new Promise(resolve => child.once('close', resolve))
  }
  process.send(begun)
}

process.on('message', count => void run(count))
process.send('ready')
