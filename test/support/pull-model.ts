import type { Claimed, PullReport, PullTask, PushAnswer, ReportWord } from '../../src/model/pull.ts'

interface Life {
  content: string
  state: 'todo' | 'doing' | 'dead'
  /** Claims over all lives. */
  attempt: number
  /** Where this life began. */
  born: number
  tries: number
  /** Leases that were over. */
  leases: number
  /** When the lease ends, or when it died. */
  at: number
}

export interface ModelLimits {
  readonly capacity: number
  readonly leaseMs: number
  readonly retries: number
  readonly maxLeases: number
  readonly finishKeep: number
}

/** What a pull queue should do, with lists that are searched from end to end. */
export class PullModel {
  now: number
  readonly #limits: ModelLimits
  readonly #lives = new Map<string, Life>()
  /** Ids in the order in which they will be claimed. */
  #todo: string[] = []
  #finished: { readonly id: string; readonly at: number }[] = []
  /** Deaths nobody was told of, as `id attempt`. */
  #deaths: string[] = []
  #finishedTotal = 0
  #deadTotal = 0

  constructor(limits: ModelLimits, now: number) {
    this.#limits = limits
    this.now = now
  }

  push(tasks: readonly PullTask[], promote: boolean): PushAnswer[] {
    const front: string[] = []
    const answers = tasks.map(({ id, content }): PushAnswer => {
      const life = this.#lives.get(id)
      if (life && life.state !== 'dead') {
        const promoted = promote && this.#todo.includes(id)
        if (promoted) {
          this.#todo = this.#todo.filter(one => one !== id)
          front.push(id)
        }
        return { id, answer: 'duplicate', promoted }
      }
      if (this.#todo.length + front.length >= this.#limits.capacity)
        return { id, answer: 'full', promoted: false }
      const attempt = life?.attempt ?? 0
      this.#lives.set(id, {
        content,
        state: 'todo',
        attempt,
        born: attempt,
        tries: 0,
        leases: 0,
        at: 0,
      })
      this.#finished = this.#finished.filter(one => one.id !== id)
      if (promote) front.push(id)
      else this.#todo.push(id)
      return { id, answer: 'accepted', promoted: false }
    })
    this.#todo.unshift(...front)
    return answers
  }

  claim(count: number): Claimed[] {
    const leaseUntil = this.now + this.#limits.leaseMs
    return this.#todo.splice(0, count).map(id => {
      const life = this.#life(id)
      life.state = 'doing'
      life.attempt += 1
      life.tries += 1
      life.at = leaseUntil
      return { id, attempt: life.attempt, content: life.content, leaseUntil }
    })
  }

  finish(reports: readonly PullReport[]): ReportWord[] {
    const words = reports.map(({ id, attempt }): ReportWord => {
      const life = this.#lives.get(id)
      if (!life) return this.#finished.some(one => one.id === id) ? 'already' : 'unknown'
      const told = attempt ?? life.attempt
      if (told <= life.born || told > life.attempt) return 'stale'
      this.#lives.delete(id)
      this.#todo = this.#todo.filter(one => one !== id)
      this.#finished.push({ id, at: this.now })
      this.#finishedTotal += 1
      return 'finished'
    })
    this.#finished.sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1))
    this.#finished = this.#finished.slice(-this.#limits.finishKeep)
    return words
  }

  fail(reports: readonly PullReport[]): ReportWord[] {
    return this.#end(reports, (id, life) => {
      if (life.tries >= this.#limits.retries) {
        this.#bury(id, life)
        return 'dead'
      }
      this.#todo.push(id)
      return 'requeued'
    })
  }

  giveBack(reports: readonly PullReport[]): ReportWord[] {
    const front: string[] = []
    const words = this.#end(reports, (id, life) => {
      life.tries -= 1
      front.push(id)
      return 'returned'
    })
    this.#todo.unshift(...front)
    return words
  }

  expire(): { requeued: number; dead: number } {
    const due = [...this.#lives]
      .filter(([, life]) => life.state === 'doing' && life.at <= this.now)
      .toSorted(([a, one], [b, other]) => one.at - other.at || (a < b ? -1 : 1))
    const front: string[] = []
    for (const [id, life] of due) {
      life.state = 'todo'
      life.tries -= 1
      life.leases += 1
      if (life.leases >= this.#limits.maxLeases) this.#bury(id, life)
      else front.push(id)
    }
    this.#todo.unshift(...front)
    return { requeued: front.length, dead: due.length - front.length }
  }

  counts() {
    const lives = [...this.#lives.values()]
    return {
      todo: this.#todo.length,
      doing: lives.filter(life => life.state === 'doing').length,
      finish: this.#finished.length,
      failed: lives.filter(life => life.state === 'dead').length,
      finishedTotal: this.#finishedTotal,
      deadTotal: this.#deadTotal,
    }
  }

  dead() {
    return [...this.#lives]
      .filter(([, life]) => life.state === 'dead')
      .map(([id, { content, at }]) => ({ id, content, diedAt: at }))
      .toSorted((a, b) => b.diedAt - a.diedAt || (a.id < b.id ? 1 : -1))
  }

  handOver(): string[] {
    return this.#deaths.splice(0)
  }

  #end(reports: readonly PullReport[], act: (id: string, life: Life) => ReportWord): ReportWord[] {
    return reports.map(({ id, attempt }) => {
      const life = this.#lives.get(id)
      if (!life) return this.#finished.some(one => one.id === id) ? 'already' : 'unknown'
      if (life.state !== 'doing') return life.attempt > life.born ? 'already' : 'stale'
      if (attempt !== undefined && attempt !== life.attempt) return 'stale'
      life.state = 'todo'
      return act(id, life)
    })
  }

  #bury(id: string, life: Life): void {
    life.state = 'dead'
    life.at = this.now
    this.#deaths.push(`${id} ${life.attempt}`)
    this.#deadTotal += 1
  }

  #life(id: string): Life {
    const life = this.#lives.get(id)
    if (!life) throw new Error(`the model has lost ${id}`)
    return life
  }
}
