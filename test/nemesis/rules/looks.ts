import type { Rule, Violation } from '../checker.ts'
import { faultsDuring } from '../facts.ts'
import type { Away, History, Look } from '../history.ts'

/** Within this time `status` has to name what is away, s. */
const NAMED_WITHIN = 5

/** While something is away `status` says so, within five seconds; and it always answers. */
export const looks: Rule = history => [
  ...history.faults.flatMap(fault =>
    fault.away.flatMap(away => {
      const wrong = history.looks.filter(look => shownAsWell(look, away))
      const [first] = wrong
      if (first === undefined) return []
      const late = (first.from - away.from).toFixed(1)
      return [
        {
          rule: 'status',
          what: `${away.node} shows ${away.part} as well ${late} s into: ${fault.name} ${fault.what}`,
          evidence: wrong.slice(0, 3).map(describeLook),
        },
      ]
    }),
  ),
  ...history.looks.flatMap(look => notAnswered(history, look)),
  ...history.looks.flatMap(look => wrongExit(look)),
]

function shownAsWell(look: Look, { node, part, from, to }: Away): boolean {
  const during = look.node === node && look.from >= from + NAMED_WITHIN && look.to <= to
  return during && look.answer.ok && look.answer[part]
}

function notAnswered(history: History, look: Look): Violation[] {
  if (look.answer.ok) return []
  const mute = history.faults.some(fault =>
    fault.mute.some(one => one.node === look.node && one.to >= look.from && one.from <= look.to),
  )
  if (mute) return []
  return [
    {
      rule: 'status',
      what: `${look.node} did not answer from ${look.from} to ${look.to}: ${look.answer.error}`,
      evidence: faultsDuring(history.faults, look.from, look.to),
    },
  ]
}

function wrongExit(look: Look): Violation[] {
  const { answer } = look
  if (!answer.ok || answer.exit !== 0 || (answer.redis && answer.database)) return []
  const what = `${look.node}: taskd status exits 0 though something is away`
  return [{ rule: 'status', what, evidence: [describeLook(look)] }]
}

function describeLook({ node, from, to, answer }: Look): string {
  return `look at ${node} from ${from} to ${to}: ${JSON.stringify(answer)}`
}
