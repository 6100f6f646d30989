import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Peer, type Peers, startPeers } from '../support/peers.ts'
import { waitFor } from '../support/wait.ts'

/**
 * Where programs end up that end by themselves: the same file under Debian's supervisord and under
 * taskd. Each life of a program leaves a line with its time.
 */
interface Case {
  /** Keys of the section, without its command. */
  readonly keys: string
  /** Shell; a life is one run of it. */
  readonly life?: string
  /** Instead of a shell. */
  readonly command?: string
  readonly state: string
  /** How often it was started; 0 also where there is nothing to start. */
  readonly lives: number
}

const SAME: Readonly<Record<string, Case>> = {
  lasting: { keys: '', life: 'exec sleep 1000', state: 'RUNNING', lives: 1 },
  young: { keys: 'startsecs=600', life: 'exec sleep 1000', state: 'STARTING', lives: 1 },
  idle: { keys: 'autostart=false', life: 'exec sleep 1000', state: 'STOPPED', lives: 0 },

  'exit-0': { keys: 'startsecs=0', life: 'exit 0', state: 'EXITED', lives: 1 },
  'exit-0-late': { keys: 'startsecs=1', life: 'sleep 1.5', state: 'EXITED', lives: 1 },
  'exit-2-expected': {
    keys: 'startsecs=0 exitcodes=0,2',
    life: 'exit 2',
    state: 'EXITED',
    lives: 1,
  },
  'exit-1-never': {
    keys: 'startsecs=0 autorestart=false',
    life: 'exit 1',
    state: 'EXITED',
    lives: 1,
  },
  'signal-never': {
    keys: 'startsecs=0 autorestart=false',
    life: 'kill -KILL $$',
    state: 'EXITED',
    lives: 1,
  },

  // Before startsecs no end is an expected one, and autorestart is not asked.
  'exit-0-early': { keys: 'startretries=1', life: 'exit 0', state: 'FATAL', lives: 2 },
  'exit-1-early': { keys: 'startretries=1', life: 'exit 1', state: 'FATAL', lives: 2 },
  'exit-1-early-never': {
    keys: 'startretries=1 autorestart=false',
    life: 'exit 1',
    state: 'FATAL',
    lives: 2,
  },
  'exit-1-early-always': {
    keys: 'startretries=1 autorestart=true',
    life: 'exit 1',
    state: 'FATAL',
    lives: 2,
  },
  'no-retry': { keys: 'startretries=0', life: 'exit 1', state: 'FATAL', lives: 1 },
  'three-retries': { keys: 'startretries=3', life: 'exit 1', state: 'FATAL', lives: 4 },

  missing: { keys: 'startretries=1', command: '/nowhere/x', state: 'FATAL', lives: 0 },
  'missing-on-path': { keys: 'startretries=1', command: 'no-such', state: 'FATAL', lives: 0 },
  'not-executable': {
    keys: 'startretries=1',
    command: '%(here)s/plain.txt',
    state: 'FATAL',
    lives: 0,
  },
  'no-folder': {
    keys: 'startretries=1 directory=/nowhere',
    life: 'exit 0',
    state: 'FATAL',
    lives: 0,
  },
}

/** Those that are looked at one by one. */
const LOOPS = `
[program:always]
autorestart=true
startsecs=0
${shell('sleep 0.1')}

[program:crash-at-once]
startsecs=0
${shell('exit 1')}

[program:crash-after-startsecs]
${shell('sleep 1.1; exit 1')}

[program:killed]
startsecs=0
${shell('exec sleep 1000')}

[program:waiting]
startretries=100
${shell('exit 1')}

[program:given-up]
startretries=0
fatal_retry=1s
${shell('exit 1')}

[program:quoted-remark]
startretries=0
command=sh -c 'exec sleep 1000 ; exit'
`

function shell(life: string): string {
  const note = 'date +%%s.%%N >>$DAEMON_OF_TEST/lives/$SUPERVISOR_PROCESS_NAME'
  return `command=sh -c "${note}; ${life}"`
}

const CONF = Object.entries(SAME)
  .map(([name, { keys, life = '', command }]) => {
    const lines = keys.split(' ').filter(Boolean).join('\n')
    return `[program:${name}]\n${lines}\n${command ? `command=${command}` : shell(life)}\n`
  })
  .join('\n')

const lives = (peer: Peer, name: string) => peer.lines(`lives/${name}`).map(Number)

describe('under supervisord and under taskd', () => {
  let peers: Peers
  beforeAll(async () => {
    peers = await startPeers({
      conf: CONF + LOOPS,
      files: { 'plain.txt': 'not a program\n' },
      folders: ['lives'],
    })
  }, 90_000)
  afterAll(() => peers?.[Symbol.asyncDispose]())

  it.each(Object.entries(SAME))('%s: the same end after as many lives', async (name, expected) => {
    const { state } = expected
    const seen = await peers.both(async peer => {
      const { pid } = await peer.until(name, state)
      await atLeast(peer, name, expected.lives)
      return { lives: lives(peer, name).length, alive: pid > 0 }
    })
    const alive = state === 'RUNNING' || state === 'STARTING'
    const same = { lives: expected.lives, alive }
    expect(seen).toEqual({ supervisord: same, taskd: same })
  })

  it('three-retries: each wait is longer than the one before', async () => {
    const { supervisord, taskd } = await peers.both(async peer => {
      await atLeast(peer, 'three-retries', 4)
      return gaps(lives(peer, 'three-retries'))
    })
    expect(supervisord).toEqual(supervisord.toSorted((a, b) => a - b))
    expect(taskd).toEqual(taskd.toSorted((a, b) => a - b))
  })

  it('killed: one that is killed is back, as another process', async () => {
    await peers.both(async peer => {
      const { pid } = await peer.until('killed', 'RUNNING')
      await atLeast(peer, 'killed', 1)
      process.kill(pid, 'SIGKILL')
      await atLeast(peer, 'killed', 2)
      expect((await peer.until('killed', 'RUNNING')).pid).not.toBe(pid)
    })
  })

  it('waiting: a stop ends the wait of BACKOFF at once, and it stays ended', async () => {
    const before = await peers.both(async peer => {
      await peer.until('waiting', 'BACKOFF')
      await peer.stop('waiting')
      // A start by hand makes the next wait a short one again, and says that it went wrong.
      await expect(peer.start('waiting')).rejects.toThrow('waiting')
      await peer.until('waiting', 'BACKOFF')
      await peer.stop('waiting')
      expect((await peer.processes()).get('waiting')?.state).toBe('STOPPED')
      return lives(peer, 'waiting').length
    })
    // Two of these take longer than any wait that was left.
    await atLeast(peers.taskd, 'always', lives(peers.taskd, 'always').length + 3)
    const after = await peers.both(peer => lives(peer, 'waiting').length)
    expect(after).toEqual(before)
  })

  describe('on purpose, what supervisord does for ever', () => {
    it('always: expected ends that come too often wait a second each', async () => {
      const { supervisord, taskd } = await peers.both(async peer => {
        await atLeast(peer, 'always', 8)
        return gaps(lives(peer, 'always')).slice(4, 7)
      })
      expect(supervisord).toHaveLength(3)
      expect(Math.min(...taskd)).toBeGreaterThan(1)
    })

    it.each(['crash-at-once', 'crash-after-startsecs'])(
      '%s: five deaths within a minute are enough, whatever startsecs says',
      async name => {
        const { supervisord, taskd } = peers
        await taskd.until(name, 'FATAL')
        expect(lives(taskd, name)).toHaveLength(5)
        await atLeast(supervisord, name, 6)
      },
    )
  })

  it('given-up: on purpose, FATAL is not the end but is tried again now and then', async () => {
    const { supervisord, taskd } = peers
    await Promise.all([supervisord.until('given-up', 'FATAL'), atLeast(taskd, 'given-up', 3)])
    expect(lives(supervisord, 'given-up')).toHaveLength(1)
    expect(Math.min(...gaps(lives(taskd, 'given-up')))).toBeGreaterThan(1)
  })

  it('quoted-remark: on purpose, " ;" between quotes does not cut the command', async () => {
    const { supervisord, taskd } = await peers.both(peer =>
      peer.until('quoted-remark', 'FATAL', 'RUNNING'),
    )
    expect([supervisord.state, taskd.state]).toEqual(['FATAL', 'RUNNING'])
  })
})

function atLeast(peer: Peer, name: string, number: number): Promise<unknown> {
  return waitFor(() => lives(peer, name).length >= number, {
    what: `${name} has had ${number} lives under ${peer.name}`,
    timeoutMs: 40_000,
  })
}

/** Seconds. */
function gaps(times: readonly number[]): number[] {
  return times.slice(1).map((at, n) => at - (times[n] ?? 0))
}
