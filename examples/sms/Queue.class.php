<?php

/** The way into the process table. Taking rows out again, and looking after them, is taskd's. */
class Queue
{
    public function __construct(private PDO $db)
    {
    }

    /**
     * In whatever transaction the application is in: if that is rolled back, nothing is sent.
     *
     * @param array $param what the task needs to know
     * @param int $startTime not before this Unix time; 0 = at once
     */
    public function add(string $task, array $param, int $startTime = 0): int
    {
        $insert = $this->db->prepare('INSERT INTO process (task, param, start_time) VALUES (?, ?, ?)');
        $insert->execute([$task, http_build_query($param), $startTime]);
        return (int) $this->db->lastInsertId();
    }

    /** @return array|false with `status` and `result` */
    public function find(int $id): array|false
    {
        $select = $this->db->prepare('SELECT id, task, param, status, result FROM process WHERE id = ?');
        $select->execute([$id]);
        return $select->fetch(PDO::FETCH_ASSOC);
    }

    /** Has it run again, whatever became of it. */
    public function again(int $id): void
    {
        $this->db->prepare('UPDATE process SET status = 0 WHERE id = ?')->execute([$id]);
    }
}
