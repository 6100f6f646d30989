// The floor of a restart: a bare Node process that starts its child again when it ends.
import { spawn } from 'node:child_process'

let child

function start() {
  child = spawn('sleep', ['infinity'], { stdio: 'ignore' })
  child.once('exit', start)
}

function leave() {
  child.off('exit', start)
  child.kill('SIGKILL')
  process.exit()
}

start()
process.on('disconnect', leave)
process.on('SIGTERM', leave)
process.send('ready')
