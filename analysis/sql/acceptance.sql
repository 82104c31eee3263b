-- The three acceptance rates of each trial, from the recorded rows.
WITH counts AS (
    SELECT trial_id, sum(drafted) AS drafted, sum(tested) AS tested, sum(accepted) AS accepted
    FROM 'generations.parquet'
    WHERE repeat = 0 AND error IS NULL AND mode = 'live'
    GROUP BY trial_id
),
overlaps AS (
    SELECT trial_id, avg(overlap) AS overlap
    FROM 'positions.parquet'
    WHERE outcome IN ('accepted', 'rejected')
    GROUP BY trial_id
)
SELECT
    trials.label,
    counts.drafted,
    counts.accepted / counts.drafted AS acceptance_rate,
    counts.accepted / counts.tested AS acceptance_rate_tested,
    overlaps.overlap
FROM counts
JOIN 'trials.parquet' AS trials ON trials.trial_id = counts.trial_id AND trials.mode = 'live'
LEFT JOIN overlaps ON overlaps.trial_id = counts.trial_id
WHERE counts.drafted > 0
ORDER BY acceptance_rate DESC;
