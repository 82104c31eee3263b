-- The three acceptance rates of each trial, from the recorded rows.
WITH counts AS (
    SELECT trial_id, sum(drafted) AS drafted, sum(tested) AS tested, sum(accepted) AS accepted
    FROM read_parquet('generations.parquet')
    WHERE repeat = 0 AND error IS NULL AND mode = 'live'
    GROUP BY trial_id
),
expected AS (
    SELECT trial_id, avg(overlap) AS overlap
    FROM read_parquet('positions.parquet')
    WHERE outcome IN ('accepted', 'rejected')
    GROUP BY trial_id
)
SELECT
    trials.label,
    counts.drafted,
    1.0 * counts.accepted / counts.drafted AS acceptance_rate,
    1.0 * counts.accepted / counts.tested AS acceptance_rate_tested,
    expected.overlap
FROM counts
JOIN read_parquet('trials.parquet') AS trials ON trials.trial_id = counts.trial_id AND trials.mode = 'live'
LEFT JOIN expected ON expected.trial_id = counts.trial_id
WHERE counts.drafted > 0
ORDER BY acceptance_rate DESC;
