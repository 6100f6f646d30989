import { relative } from 'node:path'
import { formatProblem, type Problem } from '../config/diagnostics.ts'

/** One mistake as one line, with a path relative to the reader's folder. */
export function problemLine(problem: Problem, cwd: string): string {
  const near = relative(cwd, problem.file)
  const short = problem.file.startsWith('/') && !near.startsWith('..') && near !== ''
  return formatProblem(short ? { ...problem, file: near } : problem)
}
