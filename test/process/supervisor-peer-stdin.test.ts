import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Peer, type Peers, startPeers } from '../support/peers.ts'
import { waitFor } from '../support/wait.ts'

/** Standard input: the same file under Debian's supervisord and under taskd. */
const READER = `import os, select, stat, sys
kind = 'pipe' if stat.S_ISFIFO(os.fstat(0).st_mode) else 'other'
ready = select.select([0], [], [], 0.5)[0]
with open(os.environ['DAEMON_OF_TEST'] + '/heard/reader', 'a') as out:
    out.write(f'{kind} {"has ended" if ready else "is open"}\\n')
sys.stdin.read()
`

const CONF = `[program:cat]
command=/bin/cat
startsecs=1
autorestart=false
[program:reader]
command=/usr/bin/python3 %(here)s/reader.py
autorestart=false
[program:reopens]
command=/bin/cat /dev/stdin
user=nobody
autorestart=false
[program:merged]
command=/bin/false
autostart=false
[program:merged]
command=/bin/sleep 600
autostart=true
[group:none]
programs=
`

describe('under supervisord and under taskd', () => {
  let peers: Peers
  beforeAll(async () => {
    peers = await startPeers({ conf: CONF, files: { 'reader.py': READER }, folders: ['heard'] })
  }, 90_000)
  afterAll(() => peers?.[Symbol.asyncDispose]())

  const isRunning = async (peer: Peer, name: string) => (await peer.until(name, 'RUNNING')).state

  it.each(['cat', 'merged'])('%s runs', async name => {
    const seen = await peers.both(peer => isRunning(peer, name))
    expect(seen).toEqual({ supervisord: 'RUNNING', taskd: 'RUNNING' })
  })

  it('standard input is a pipe that stays open', async () => {
    const seen = await peers.both(async peer => {
      const [line] = await waitFor(
        () => {
          const lines = peer.lines('heard/reader')
          return lines.length > 0 && lines
        },
        { what: `the reader has looked under ${peer.name}`, timeoutMs: 30_000 },
      )
      return [line, await isRunning(peer, 'reader')]
    })
    const same = ['pipe is open', 'RUNNING']
    expect(seen).toEqual({ supervisord: same, taskd: same })
  })

  it('standard input can be opened again by its name, also by another user', async () => {
    expect(await isRunning(peers.taskd, 'reopens')).toBe('RUNNING')
  })
})
