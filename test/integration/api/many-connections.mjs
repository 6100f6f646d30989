import { connect } from 'node:net'

/**
 * A process of its own, for it needs as many files as the server: opens so many connections, asks
 * on each of them twice, and holds them all in between and after. One line of JSON after each step;
 * ends with its standard input.
 */
const [port, count] = process.argv.slice(2).map(Number)
const REQUEST = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'
const TOGETHER = 250

function open() {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket))
    socket.on('error', reject)
  })
}

function ask(socket) {
  return new Promise(resolve => {
    let text = ''
    const end = ok => {
      socket.off('data', onData)
      socket.off('close', onClose)
      resolve(ok)
    }
    const onClose = () => end(false)
    const onData = part => {
      text += part.toString('latin1')
      if (text.endsWith('{"ok":true}')) end(text.startsWith('HTTP/1.1 200 '))
    }
    socket.on('data', onData)
    socket.on('close', onClose)
    socket.write(REQUEST)
  })
}

async function each(list, act) {
  const done = []
  for (let from = 0; from < list.length; from += TOGETHER)
    done.push(...(await Promise.all(list.slice(from, from + TOGETHER).map(act))))
  return done
}

const tell = what => process.stdout.write(`${JSON.stringify(what)}\n`)
process.stdin.on('end', () => process.exit(0)).resume()

const sockets = await each(Array.from({ length: count }), open)
for (let round = 1; round <= 2; round += 1) {
  const answers = await each(sockets, ask)
  const held = sockets.filter(socket => !socket.destroyed).length
  tell({ round, answered: answers.filter(Boolean).length, held })
}
