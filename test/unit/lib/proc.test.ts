import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import {
  bootId,
  groupLives,
  isAlive,
  processesByGroup,
  processesWithVariable,
  signalGroup,
  startTimeOf,
} from '../../../src/lib/proc.ts'
import { waitFor } from '../../support/wait.ts'

const started: ChildProcess[] = []

/** A process with its own group, which the test ends whatever happens. */
function start(
  script: string,
  env: Record<string, string> = {},
): { child: ChildProcess; pid: number } {
  const child = spawn('sh', ['-c', script], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, ...env },
  })
  started.push(child)
  if (child.pid === undefined) throw new Error('sh did not start')
  return { child, pid: child.pid }
}

afterEach(() => {
  for (const { pid } of started.splice(0)) if (pid !== undefined) signalGroup(pid, 'SIGKILL')
})

describe('processes', () => {
  test('this one lives, under its own start time only', () => {
    const startTime = startTimeOf(process.pid)
    expect(startTime).toBeGreaterThan(0)
    expect(isAlive({ pid: process.pid, startTime: startTime ?? 0 })).toBe(true)
    expect(isAlive({ pid: process.pid, startTime: (startTime ?? 0) + 1 })).toBe(false)
    expect(startTimeOf(2 ** 22 + 1)).toBeUndefined()
  })

  test('a zombie does not live, though signals still find it', async () => {
    // exec keeps the pid, so the new program is a parent that never reaps, as the shell might.
    const { child, pid } = start(
      `sh -c 'until grep -q sleep /proc/$PPID/comm; do :; done' & echo $!; exec sleep 60`,
    )
    const [line] = (await once(child.stdout ?? child, 'data')) as [Buffer]
    const zombie = Number(line.toString())
    await waitFor(() => startTimeOf(zombie) === undefined, { what: 'it is a zombie' })
    expect(process.kill(zombie, 0)).toBe(true)
    expect(processesByGroup().get(pid)).toEqual([pid])
  })

  test('a group lives as long as one member does', async () => {
    const { child, pid } = start('sleep 60 & echo $!')
    const [line] = (await once(child.stdout ?? child, 'data')) as [Buffer]
    await waitFor(() => startTimeOf(pid) === undefined, { what: 'the leader has ended' })
    expect(groupLives(pid)).toBe(true)
    expect(processesByGroup().get(pid)).toEqual([Number(line.toString())])
    expect(signalGroup(pid, 'SIGKILL')).toBe(true)
    await waitFor(() => !groupLives(pid), { what: 'the group is gone' })
  })

  test.each([0, 1, -5, 1.5, Number.NaN, 2 ** 22 + 1])('no signal is sent to group %d', group => {
    expect(signalGroup(group, 'SIGKILL')).toBe(false)
  })

  test('are found by a variable of their environment, by its whole name', async () => {
    const name = `TASKD_TEST_${process.pid}`
    const { pid } = start('exec sleep 60', { [name]: 'a/b c=d', [`X${name}`]: 'other' })
    const found = await waitFor(
      () => {
        const all = processesWithVariable(name)
        return all.length > 0 && all
      },
      { what: 'it is found' },
    )
    expect(found).toEqual([{ pid, group: pid, value: 'a/b c=d' }])
    expect(processesWithVariable(name.slice(0, -1))).toEqual([])
  })

  test('a name with blanks and parentheses does not confuse the reading', async () => {
    const { child, pid } = start(`echo ') R 1 2 (x' > /proc/$$/comm; echo ok; read x`)
    await once(child.stdout ?? child, 'data')
    expect(processesByGroup().get(pid)).toEqual([pid])
  })

  test('a boot has an id', () => {
    expect(bootId()).toMatch(/^[\da-f-]{36}$/)
  })
})
