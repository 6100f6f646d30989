import { afterAll } from 'vitest'

/**
 * A process that has just ended has the pid 0 in `status`, and 0 means "my whole group" to the kernel: a
 * signal to it would stop or end the test run itself. So it is an error here.
 */
const kill = process.kill.bind(process)
process.kill = (pid, signal) => {
  const ourselves = pid === 0 || pid === -1 || pid === process.pid
  if (signal !== 0 && (ourselves || !Number.isInteger(pid)))
    throw new Error(`a test sends ${signal ?? 'SIGTERM'} to pid ${pid}: to the test run itself`)
  return kill(pid, signal)
}
afterAll(() => {
  process.kill = kill
})
