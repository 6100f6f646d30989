import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { newAgent } from '../support/agent.ts'
import { pair } from '../support/agent-pair.ts'
import { tempDir } from '../support/temp-dir.ts'

const run = promisify(execFile)
const unit = readFileSync('systemd/taskd-agent.service', 'utf8')
const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1] ?? ''

/** The unit as it would be were this clone the installed one; systemd looks for the programs. */
const placeUnit = (dir: string, changed = unit) => {
  const file = join(dir, 'taskd-agent.service')
  writeFileSync(file, changed.replaceAll('/opt/taskd', resolve('.')))
  return file
}

describe('taskd-agent.service', () => {
  it('systemd finds nothing wrong with it, and would find a mistake', async () => {
    await using dir = tempDir()
    const verify = async (text: string) => {
      const { stdout, stderr } = await run('systemd-analyze', ['verify', placeUnit(dir.path, text)])
      return stdout + stderr
    }
    expect(await verify(unit)).toBe('')
    expect(await verify(unit.replace('PrivateTmp', 'PrivateTemp'))).toContain('PrivateTemp')
  })

  it('its exposure is below 4 of 10', async () => {
    await using dir = tempDir()
    const args = ['security', '--offline=true', '--threshold=39', placeUnit(dir.path)]
    const { stdout } = await run('systemd-analyze', args)
    const level = /Overall exposure level for taskd-agent\.service: ([\d.]+)/.exec(stdout)?.[1]
    expect(Number(level)).toBeGreaterThan(0)
    expect(Number(level)).toBeLessThan(4)
  })

  it('leaves the agent the time to drain and to report', () => {
    expect(Number(value('TimeoutStopSec'))).toBeGreaterThan(30 + 10 + 5)
    expect(value('KillMode')).toBe('mixed')
    expect(value('RestartPreventExitStatus')).toBe('2')
  })

  it('its command line is one that the agent takes', async () => {
    const words = value('ExecStart').split(' ')
    expect(words.slice(0, 2)).toEqual(['/opt/taskd/bin/taskd', 'agent'])
    await using both = await pair([], 'true', {}, { secret_pull: 'p'.repeat(20) })
    await using agent = newAgent({ master: '' })
    writeFileSync(join(agent.dir, 'secret'), 'p'.repeat(20))
    const filled: Record<string, string> = {
      [`\${TASKD_MASTER}`]: `http://127.0.0.1:${both.port}`,
      [`\${TASKD_QUEUE}`]: 'far',
      [`\${CREDENTIALS_DIRECTORY}/secret`]: join(agent.dir, 'secret'),
    }
    const options = words.slice(2).flatMap(word => {
      if (word === '$AGENT_OPTIONS') return ['--concurrency', '16']
      return [filled[word] ?? word]
    })
    void agent.start({ master: filled[`\${TASKD_MASTER}`] ?? '', options })
    await agent.says('connected')
    expect(await agent.stop()).toEqual({ code: 0, signal: null })
  })
})
