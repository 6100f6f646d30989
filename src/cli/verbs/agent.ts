import type { Verbs } from './verb.ts'

export const AGENT: Verbs = {
  agent: {
    summary: 'work for a pull queue of a master on another machine',
    about:
      'Fetches tasks over HTTP, runs them here, and reports. It needs no Redis, no daemon and ' +
      'no configuration, and stays in the foreground. Reports that cannot be sent wait on disk.\n' +
      'The secret comes from --secret-file or from TASKD_SECRET.',
    options: [
      ['--master <url>', 'where the master listens: https://host:9595'],
      ['--queue <name>', 'the pull queue'],
      ['--secret-file <file>', 'a file with the secret; secret_pull of the master is enough'],
      ['--ca <file>', 'the certificate of the CA to trust, PEM'],
      ['--concurrency <n>', 'tasks that run at once; 4 when not given'],
      ['--batch <n>', 'tasks that are fetched ahead at most; 100 when not given'],
      ['--data <dir>', 'its own folder; data/agent-<queue> when not given'],
      ['--node <name>', 'who this is, for people; the host name when not given'],
      ['--max-run-time <time>', 'for tasks that bring none; 1h when not given'],
      ['--stop-wait <time>', 'how long tasks may run on after TERM; 30s when not given'],
      ['--kill-wait <time>', 'from TERM to KILL for a task; 10s when not given'],
      ['--php <file>', 'what runs .php scripts'],
      ['--log-level <level>', 'debug, info, warn, error or fatal'],
      ['--log-format <format>', 'text or json'],
    ],
    hidden: ['--json'],
    required: ['--master <url>', '--queue <name>'],
    examples: [
      'taskd agent --master http://127.0.0.1:9595 --queue crawl',
      'taskd agent --master https://master.example.com:9595 --queue crawl \\',
      '    --secret-file /etc/taskd/agent.secret --ca /etc/taskd/ca.crt',
    ],
    exits: [
      '0  told to stop, and stopped',
      '1  it cannot work here: its folder, or another agent in it',
      '2  bad usage, or the master refuses it: the secret, the queue, the certificate',
    ],
    load: () => import('../commands/agent.ts'),
  },
}
