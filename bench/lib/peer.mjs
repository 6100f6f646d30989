import { fork } from 'node:child_process'
import { end } from './proc.mjs'

/**
 * Starts one of bench/peers and waits until it says that it is ready.
 * @param file its URL
 */
export async function startPeer(ctx, file, options) {
  const child = fork(file, [JSON.stringify(options)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  ctx.onEnd(() => end(child))
  const next = () =>
    new Promise((resolve, reject) => {
      const left = () => reject(new Error(`${file} has left`))
      child.once('exit', left)
      child.once('message', message => {
        child.off('exit', left)
        resolve(message)
      })
    })
  await next()
  return {
    pid: child.pid,
    /** Says something and waits for the answer. */
    ask(message) {
      const answer = next()
      child.send(message)
      return answer
    },
    stop: () => end(child),
  }
}
