// A BullMQ worker as one writes it by hand: each job is a process, its output is collected.
import { spawn } from 'node:child_process'
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'

const { socket, queue, concurrency } = JSON.parse(process.argv[2])
const connection = new Redis({ path: socket, maxRetriesPerRequest: null, replyMapping: 'legacy' })

function run({ script, args }) {
  return new Promise((resolve, reject) => {
    const child = spawn(script, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const chunks = []
    child.stdout.on('data', chunk => chunks.push(chunk))
    child.stderr.on('data', chunk => chunks.push(chunk))
    child.once('error', reject)
    child.once('close', code => resolve({ code, output: Buffer.concat(chunks).toString() }))
  })
}

const worker = new Worker(queue, job => run(job.data), {
  connection,
  concurrency,
  removeOnComplete: { count: 0 },
})
await worker.waitUntilReady()
process.send('ready')
