// A task server as one writes it by hand: Fastify checks the body, BullMQ keeps the task.
import { randomUUID } from 'node:crypto'
import { Queue } from 'bullmq'
import fastify from 'fastify'
import { Redis } from 'ioredis'

const { socket, port } = JSON.parse(process.argv[2])
const connection = new Redis({ path: socket, maxRetriesPerRequest: null, replyMapping: 'legacy' })
const queue = new Queue('tasks', { connection })
await queue.waitUntilReady()

const app = fastify({ bodyLimit: 16 << 20 })
const text = { type: 'string' }
const script = {
  type: 'object',
  properties: { bin_name: text, args: text },
  required: ['bin_name'],
}
app.post('/api/task/script', { schema: { body: script } }, async ({ body }) => {
  const uuid = randomUUID()
  await queue.add('task', body, { jobId: uuid })
  return { uuid }
})
const list = { type: 'array', items: { type: 'object', properties: { task_id: text } } }
app.post('/tasks', { schema: { body: list } }, async ({ body }) => {
  await queue.addBulk(body.map(data => ({ name: 'task', data, opts: { jobId: data.task_id } })))
  return { accepted: body.length }
})
await app.listen({ port, host: '127.0.0.1' })
process.send('ready')
