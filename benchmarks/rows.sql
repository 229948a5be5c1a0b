-- Jobs %(first)s to %(last)s of %(total)s, in order of time over 29 days: nearly all have ended, and 90 of 100 have an
-- owner, one of 10,000. A fifth of all belong to one person, of whom a single job has failed. In the last fifth of the
-- time half of the jobs go to the queue `bulk`, which nobody works on; a few hundred of the other ones run.
INSERT INTO jobs (id, task, arguments, queue, unique_key, owner_id, status, run_at, due_at, token, worker, attempts,
    crashes, result, error, history, created_at, changed_at, started_at, finished_at)
SELECT
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || left(hash, 3) || '8' || substr(hash, 4, 15))::uuid,
    'app.reports.tasks.build_report', jsonb_build_object('days', n %% 90), queue,
    CASE WHEN n %% 20 = 0 THEN 'request: ' || hash END,
    CASE WHEN heavy THEN people[1] WHEN n %% 10 <> 1 THEN people[2 + mod(abs(hashint8(n)::bigint), 10000)] END,
    status, at, CASE WHEN NOT ended THEN at END,
    CASE WHEN status = 'running' THEN hash::uuid END,
    CASE WHEN status = 'running' THEN 'celery@host-' || n %% 7 || ':0123abcd/' || hash END,
    CASE WHEN status = 'queued' THEN 0 ELSE 1 END, 0,
    CASE WHEN status = 'succeeded' THEN jsonb_build_object('report_id', hash) END,
    CASE WHEN status = 'failed' THEN reason END,
    CASE WHEN status = 'failed'
        THEN jsonb_build_array(jsonb_build_object('started_at', at, 'ended_at', at, 'error', reason)) ELSE '[]' END,
    at, at, CASE WHEN status <> 'queued' THEN at + interval '0.2 s' END,
    CASE WHEN ended THEN at + n %% 100 * interval '0.1 s' END
FROM (
    SELECT *, status IN ('succeeded', 'failed', 'cancelled') AS ended, 'ValueError in attempt 8; the log has the details.' AS reason
    FROM (
        SELECT *, CASE
            WHEN queue = 'bulk' THEN 'queued'
            WHEN n > %(total)s - 5000 AND n %% 20 = 3 THEN 'running'
            WHEN heavy THEN CASE WHEN n = 1000 THEN 'failed' ELSE 'succeeded' END
            WHEN n %% 100 = 3 THEN 'failed'
            WHEN n %% 1000 = 4 THEN 'cancelled'
            ELSE 'succeeded'
        END AS status
        FROM (
            SELECT n, md5(n::text) AS hash, n %% 5 = 0 AS heavy, %(people)s::uuid[] AS people,
                now() - (%(total)s - n) * (interval '29 days' / %(total)s) AS at,
                CASE WHEN n > 0.8 * %(total)s AND n %% 2 = 0 THEN 'bulk' WHEN n %% 7 = 0 THEN 'mail' END AS queue
            FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
        ) AS numbers
    ) AS kinds
) AS jobs
