import { relative } from 'node:path'
import { formatProblem, type Problem } from '../config/diagnostics.ts'

/** One mistake as one line, with a path that is short from where the reader stands. */
export function problemLine(problem: Problem, cwd: string): string {
  const near = relative(cwd, problem.file)
  const short = problem.file.startsWith('/') && !near.startsWith('..') && near !== ''
  return formatProblem(short ? { ...problem, file: near } : problem)
}
