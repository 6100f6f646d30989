import type { LiveConfig } from '../../config/live.ts'
import { type BackoffPolicy, backoffDelay } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { messageOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { Loop } from '../../lib/loop.ts'
import type { Service } from '../../lib/service.ts'
import { type Condition, Trouble } from '../../lib/trouble.ts'
import { Turns } from '../../lib/turns.ts'
import type { Events } from '../../model/events.ts'
import { readFunctionArgs } from '../../model/function-args.ts'
import type { Job } from '../../model/job.ts'
import { readSqlJob, type SqlJobRow, sqlJobName, taskKeyOf } from '../../model/sql-job.ts'
import type { FailFast } from '../../queue/connection.ts'
import type { CronStore } from '../../queue/cron-store.ts'
import { failureOf } from '../../store/failure.ts'
import type { Store } from '../../store/store.ts'
import type { TaskChanges, TaskRow } from '../../store/task-table.ts'
import { type BadRow, SqlJobList } from './job-list.ts'
import { ProblemNotes } from './problem-notes.ts'
import type { RosterEntry } from './roster.ts'
import { sqlJobRules } from './rules.ts'

export interface SqlJobsDeps {
  readonly config: LiveConfig
  readonly store: Pick<Store, 'tasks' | 'runRows' | 'migrate' | 'ping'>
  /** On a connection that waits through an outage; nobody here waits for it. */
  readonly cron: Pick<CronStore, 'clearCursor' | 'remove'>
  readonly asking: FailFast<Pick<CronStore, 'readMany'>>
  readonly clock: Clock
  readonly random: () => number
  readonly events: Events
  readonly log: Logger
  /** The jobs have changed. */
  readonly onChange: () => void
}

const EVERY: BackoffPolicy = { baseMs: 2000, factor: 1, capMs: 2000, jitter: 0.2 }
const AWAY: BackoffPolicy = { baseMs: 1000, factor: 2, capMs: 8000, jitter: 0.2 }
/** For how long the work on many rows may hold up everything else. */
const SLICE_MS = 5
/** How long a start waits for the first look. */
const FIRST_LOOK_MS = 1000

/**
 * The rows of the table `task` as jobs. Anybody may write to it by plain SQL, so it is looked at
 * every two seconds, and at once when somebody says that it has changed. While the database is away
 * the jobs stay as they were.
 */
export class SqlJobs implements Service {
  readonly name = 'SQL jobs'
  readonly #deps: SqlJobsDeps
  readonly #rules = sqlJobRules()
  readonly #list: SqlJobList
  readonly #notes: ProblemNotes
  readonly #trouble: Trouble
  readonly #turns = new Turns(SLICE_MS)
  readonly #loop: Loop
  #unsubscribe: (() => void) | undefined
  #migrated = false
  /** All rows have been seen. */
  #loaded = false
  /** Whether the database itself does not answer. */
  #away = false
  #last: Promise<unknown> = Promise.resolve()
  #failures = 0

  constructor(deps: SqlJobsDeps) {
    this.#deps = deps
    this.#list = new SqlJobList({ cron: deps.asking, runRows: deps.store.runRows })
    this.#notes = new ProblemNotes(deps.store.tasks, deps.log)
    this.#loop = new Loop({ clock: deps.clock, round: () => this.#round() })
    this.#trouble = new Trouble(deps.clock, {
      began: error =>
        deps.log.warn(
          { error: messageOf(error) },
          'the table of jobs cannot be read; the jobs that are known go on as they are',
        ),
      ended: lasted_s => deps.log.info({ lasted_s }, 'the table of jobs is read again'),
    })
  }

  /** Of all rows that can be run, also those that are not valid now: they are not enabled. */
  get jobs(): readonly Job[] {
    return this.#list.jobs
  }

  /** Valid rows that make no job. */
  get bad(): readonly BadRow[] {
    return this.#list.bad
  }

  /** The columns that its job was made of, of a row that is live: a change of it may wait. */
  inForce(id: number): SqlJobRow | undefined {
    return this.#list.inForce(id)
  }

  /** Whether the table could be read when it was last looked at, and if not, whether anything can. */
  get condition(): Condition & { readonly away: boolean } {
    return { ...this.#trouble.condition, away: this.#away }
  }

  async start(): Promise<void> {
    if (this.#loop.running) return
    this.#unsubscribe = this.#deps.events.subscribe(event => {
      if (event.type === 'run-ended') this.#bury(event.run.job)
    })
    this.#loop.start()
    await Promise.race([this.#last, this.#deps.clock.sleep(FIRST_LOOK_MS, this.#loop.signal)])
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    await this.#loop.stop()
  }

  /** Something has changed: looks at once; a failure is not reported. */
  nudge(): void {
    this.#loop.nudge()
  }

  /** The configuration has changed. */
  configure(): void {
    if (this.#list.reread(this.#rules(this.#deps.config.current))) this.nudge()
  }

  /** Resolves when all that was written before this call is taken over. @throws what SQL throws */
  look(): Promise<void> {
    const look = this.#last.then(() => this.#look())
    this.#last = look.catch(() => undefined)
    return look
  }

  /** @returns when to look again, ms; a nudge hurries that also after a failure */
  async #round(): Promise<number> {
    this.#failures = await this.look().then(
      () => 0,
      () => this.#failures + 1,
    )
    const policy = this.#failures === 0 ? EVERY : AWAY
    return backoffDelay(policy, this.#failures, this.#deps.random())
  }

  async #look(): Promise<void> {
    const { store } = this.#deps
    let failure: { readonly error: unknown } | undefined
    try {
      if (!this.#migrated) await store.migrate()
      this.#migrated = true
      const changes = await store.tasks.poll()
      await this.#judge(changes)
      this.#take(changes)
    } catch (error) {
      failure = { error }
      // The tables may be gone; they are made again.
      if (failureOf(error) === 'missing') this.#migrated = false
      this.#away = await store.ping().then(
        () => false,
        () => true,
      )
    }
    await this.#settle()
    if (failure) {
      this.#trouble.note(failure.error)
      throw failure.error
    }
    await this.#notes.write()
    this.#away = false
    this.#trouble.clear()
  }

  /**
   * Judging thousands of schedules takes half a second, in which no tick would be on time: so it is
   * done in small parts. What was judged once is remembered.
   */
  async #judge({ changed }: TaskChanges): Promise<void> {
    const rules = this.#rules(this.#deps.config.current)
    for (const row of changed) {
      await this.#turns.wait()
      readSqlJob(row, row.is_valid, rules)
    }
  }

  #take(changes: TaskChanges): void {
    const { config, clock } = this.#deps
    const before = this.#list.apply(changes, this.#rules(config.current), clock.now())
    for (const row of changes.changed) {
      this.#notes.seen(row.id, row.extra)
      this.#tellIgnored(row.id)
      this.#tellWords(row)
    }
    for (const id of changes.gone) this.#notes.forget(id)
    for (const entry of before) this.#leave(entry)
    // Also of rows that were made invalid while nobody looked.
    if (!this.#loaded) for (const entry of this.#list.entries) this.#leave(entry)
    this.#loaded = true
  }

  /** Clears what is left of a job that was removed or makes no ticks for now. */
  #leave({ taken }: RosterEntry): void {
    const { cron, log } = this.#deps
    const now = this.#list.find(taken.task_key)
    if (now?.row.is_valid) return
    const name = sqlJobName(taken.task_key)
    const done = now === undefined ? cron.remove(name) : cron.clearCursor(name)
    done.catch((error: unknown) => log.debug({ job: name, error: messageOf(error) }, 'not cleared'))
  }

  /** A run that ends after its row was deleted leaves a verdict behind. */
  #bury(jobName: string): void {
    const taskKey = taskKeyOf(jobName)
    if (taskKey === undefined || !this.#loaded || this.#list.find(taskKey)) return
    this.#deps.cron.remove(jobName).catch(() => undefined)
  }

  #tellIgnored(id: number): void {
    const ignored = this.#list.ignored(id)
    if (ignored.length === 0) return
    const what = 'a change waits until is_valid was set to 0 and to 1 again'
    this.#deps.log.info({ row: id, columns: ignored }, what)
  }

  #tellWords({ id, args, is_valid }: TaskRow): void {
    const read = readFunctionArgs(args)
    if (!is_valid || !read.ok || read.value.words.length === 0) return
    const words = read.value.words.slice(0, 5)
    const what = 'args has words without quotes, which are taken as texts'
    this.#deps.log.info({ row: id, words, list: read.value.list.slice(0, 200) }, what)
  }

  /** Computes the jobs, and hands them on if they have changed. */
  async #settle(): Promise<void> {
    const { onChange, clock, log } = this.#deps
    const { changed, error } = await this.#list.settle(clock.now())
    if (error !== undefined) log.debug({ error: messageOf(error) }, 'dates that are over wait')
    if (!changed) return
    for (const { id, problem } of this.#list.problems()) this.#notes.want(id, problem)
    onChange()
  }
}
