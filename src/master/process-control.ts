import type { ChangeResult, Control } from '../api/control.ts'
import type { LiveConfig } from '../config/live.ts'
import { valueOf } from '../config/section-kind.ts'
import { processesOf } from '../features/programs/processes.ts'
import { programKind } from '../features/programs/section.ts'
import type { ProgramMember, Supervisor } from '../features/programs/supervisor.ts'
import { TaskdError } from '../lib/errors.ts'
import { didYouMean, unknownName } from '../lib/suggest.ts'
import type { ProgramState } from '../model/program-state.ts'
import type { ManagedProgram } from '../supervise/managed-program.ts'
import type { Wanted } from '../supervise/wanted.ts'
import type { Engine } from './engine.ts'

export interface ProcessControlDeps {
  readonly config: LiveConfig
  readonly engine: Engine
  readonly embedded: ManagedProgram | undefined
  readonly supervisor: Supervisor
  readonly wanted: Wanted
}

/** Any child by the names that people have for it. */
interface Child {
  readonly name: string
  /** Queue; or group and program. */
  readonly groups: readonly string[]
  readonly program: ManagedProgram
  /** Undefined for the embedded Redis, for which no wish is remembered. */
  readonly autostart: boolean | undefined
  readonly member?: ProgramMember
}

const WORKERS_GO_ON: ChangeResult = {
  name: 'workers',
  ok: true,
  message:
    'go on with their tasks; taskd drain stops taking tasks here, taskd stop QUEUE stops the workers of one queue',
}

type Action = 'start' | 'stop' | 'restart'

/** How long an answer may wait until the change has happened, ms. */
const PATIENCE_MS = 10_000

/** Starting, stopping, signalling and scaling by name: workers and programs alike. */
export class ProcessControl {
  readonly #deps: ProcessControlDeps

  constructor(deps: ProcessControlDeps) {
    this.#deps = deps
  }

  change: Control['change'] = async (action, names, by = '') => {
    const { wanted } = this.#deps
    if (action !== 'stop') this.#refuseAtTheEnd()
    const all = this.#children()
    const programsOnly = all.filter(child => child.member !== undefined)
    const found = names.map(name => ({
      name,
      // `stop all` means the programs, not the tasks.
      children: matching(action === 'stop' && name === 'all' ? programsOnly : all, name),
    }))
    const chosen = [...new Set(found.flatMap(one => one.children))]
    for (const [wish, children] of wishes(action, chosen))
      wanted.set(
        children.map(child => child.name),
        wish,
        `${action} ${by}`.trim(),
      )
    const answers = new Map<Child, Promise<ChangeResult>>(
      chosen.map(child => [child, perform(action, child, by)]),
    )
    const results = found.map(async ({ name, children }) =>
      children.length === 0 && name !== 'all'
        ? [this.#unknown(name, all)]
        : Promise.all(children.flatMap(child => answers.get(child) ?? [])),
    )
    const said = unique((await Promise.all(results)).flat())
    return action === 'stop' && names.includes('all') ? [...said, WORKERS_GO_ON] : said
  }

  signal: Control['signal'] = async (signal, names) => {
    const all = this.#children()
    return unique(
      names.flatMap(name => {
        const children = matching(all, name)
        if (children.length === 0) return [this.#unknown(name, all)]
        return children.map(child => deliver(signal, child))
      }),
    )
  }

  scale: Control['scale'] = async (name, count) => {
    this.#refuseAtTheEnd()
    const pool = this.#deps.engine.pools.get(name)
    if (pool) {
      pool.scale(count)
      return { name, count }
    }
    const { config, supervisor, engine } = this.#deps
    // A program in two groups is there twice.
    const all = valueOf(config.current, programKind).programs
    const programs = all.filter(one => one.name === name)
    if (programs.length === 0) {
      const scalable = [...engine.pools.keys(), ...all.map(one => one.name)]
      const what = `no queue with workers and no program is named ${name}`
      throw unknownName('E_NO_QUEUE', what, name, scalable, '')
    }
    if (count > 1 && !programs.every(one => one.scalable))
      throw new TaskdError(
        'E_BAD_SCALE',
        `program ${name} cannot have ${count} processes: they would all have one name`,
        'write process_name = %(program_name)s_%(process_num)02d in its section',
      )
    supervisor.configureProgram(
      name,
      programs.flatMap(program => processesOf(program, count)),
    )
    return { name, count }
  }

  #unknown(name: string, children: readonly Child[]): ChangeResult {
    const known = new Set(children.flatMap(child => [child.name, ...child.groups]))
    const hint = didYouMean(name.replace(/:\*$/, ''), [...known])
    const message = this.#deps.config.current.jobs.some(job => job.name === name)
      ? `a job is not a process; taskd run ${name} runs it now, pause and resume stop and continue its schedule`
      : `no such name${hint && `; ${hint}`}`
    return { name, ok: false, message }
  }

  /** A process that is started during a stop would outlive the daemon. */
  #refuseAtTheEnd(): void {
    if (this.#deps.supervisor.stopping)
      throw new TaskdError('E_STOPPING', 'taskd is stopping, and starts nothing more')
  }

  #children(): readonly Child[] {
    const { engine, embedded, supervisor } = this.#deps
    const workers = [...engine.pools.values()].flatMap(pool =>
      pool.members.map(({ program }) => ({
        name: program.name,
        groups: [pool.spec.taskKey],
        program,
        autostart: true,
      })),
    )
    const programs = supervisor.members.map(member => ({
      name: member.spec.name,
      groups: [member.spec.group, member.spec.program],
      program: member.program,
      autostart: member.spec.autostart,
      member,
    }))
    const redis = { groups: [], autostart: undefined }
    return [
      ...workers,
      ...programs,
      ...(embedded ? [{ name: embedded.name, program: embedded, ...redis }] : []),
    ]
  }
}

/** `name`, `group`, `group:*`, or `all` for everything but the embedded Redis. */
function matching(children: readonly Child[], name: string): readonly Child[] {
  const exact = children.filter(child => child.name === name)
  if (exact.length > 0) return exact
  if (name === 'all') return children.filter(child => child.autostart !== undefined)
  const group = name.endsWith(':*') ? name.slice(0, -2) : name
  return children.filter(child => child.groups.includes(group))
}

/** The wishes to remember: only those that differ from the configuration. */
function wishes(action: Action, children: readonly Child[]) {
  const known = children.filter(child => child.autostart !== undefined && !child.member?.retired)
  if (action === 'stop') return [['stopped', known]] as const
  return [
    [undefined, known.filter(child => child.autostart)],
    ['running', known.filter(child => !child.autostart)],
  ] as const
}

async function perform(action: Action, child: Child, by: string): Promise<ChangeResult> {
  const { program, name } = child
  const before = program.state.name
  const why = `${action} by hand${by && ` (${by})`}`
  const said = (message: string, ok = true) => ({ name, ok, message })
  if (child.member?.retired && action !== 'stop')
    return said('it is no longer configured, and leaves', false)
  if (action === 'stop' && child.autostart === undefined)
    return said('taskd needs it; taskd stop ends both, taskd restart redis starts it anew', false)
  if (action === 'stop') {
    const idle = before === 'STOPPED' || before === 'EXITED'
    program.send({ type: 'stop', why })
    if (idle) return said('not running')
    const state = await program.untilWithin(PATIENCE_MS, 'STOPPED')
    return said(state.name === 'STOPPED' ? 'stopped' : `still ${state.name}; it is given its time`)
  }
  if (action === 'start' && (before === 'RUNNING' || before === 'STARTING'))
    return said('already started')
  program.send(action === 'start' ? { type: 'start' } : { type: 'restart', why })
  const state = await program.untilWithin(
    PATIENCE_MS,
    'RUNNING',
    'BACKOFF',
    'FATAL',
    'EXITED',
    'STOPPED',
  )
  return said(...outcome(state, program, action))
}

function outcome(
  state: ProgramState,
  program: ManagedProgram,
  action: Action,
): [message: string, ok?: boolean] {
  switch (state.name) {
    case 'RUNNING':
      return [`${action}ed`]
    case 'EXITED':
      return [`${action}ed, and has exited: ${state.why}`]
    case 'BACKOFF':
    case 'FATAL':
      return [`${state.name}: ${program.program.lastEnd}`, false]
    case 'STOPPED':
      return [`stopped meanwhile: ${state.why}`, false]
    case 'STARTING':
      return ['still STARTING']
    case 'STOPPING':
      return ['still STOPPING; it is started again as soon as it has ended']
  }
}

function deliver(signal: NodeJS.Signals, { name, member }: Child): ChangeResult {
  if (!member) return { name, ok: false, message: 'no program: only programs take signals' }
  if (!member.process) return { name, ok: false, message: 'not running' }
  member.process.signal(signal, false)
  return { name, ok: true, message: `signalled with ${signal}` }
}

function unique(results: readonly ChangeResult[]): ChangeResult[] {
  return [...new Map(results.map(one => [`${one.name} ${one.message}`, one])).values()]
}
